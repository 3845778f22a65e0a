//! Promise: what is stuck is found, and mended once, by the person who is named.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::bodies::{charge, event};
use crate::console_client::{Console, hidden};
use crate::follow_ups::{ask, row};
use crate::harness::{Database, TestApp};

/// A console beside as many dead follow-ups, with subjects `s1`, `s2`, …
async fn with_dead(count: usize) -> (Database, Console) {
    let db = Database::migrated().await;
    ask(&db, "notify_refund", count).await;
    db.execute(
        "update clawback.follow_ups set state = 'dead', attempts = 20, finished_at = now(), last_error = 'no <luck>'",
    )
    .await;
    let console = Console::open(&db).await;
    (db, console)
}

async fn id_of(db: &Database, subject: &str) -> String {
    row(db, subject).await["id"].to_string()
}

async fn done(db: &Database) -> Vec<Value> {
    db.rows("select actor, via, action, subject, reason from clawback_v1.actions where subject_kind <> 'session' order by id")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_follow_up_is_requeued_once_however_often_its_form_is_sent() {
    let (db, console) = with_dead(2).await;
    let worker = console.visitor(&db, "worker").await;
    let (id, other) = (id_of(&db, "s1").await, id_of(&db, "s2").await);
    let list = worker.page("/follow-ups").await;
    assert!(list.contains("no &lt;luck&gt;") && list.contains(&format!("href=\"/follow-ups/{id}\"")), "{list}");
    let asked = worker.page(&format!("/follow-ups/requeue?id={id}")).await;
    let seen = hidden(&asked, "row");
    let form = [("row", seen.as_str()), ("reason", "the <consumer> is back")];
    let sent = worker.post("/follow-ups/requeue", &form).await;
    assert_eq!(sent.location(), format!("/follow-ups/requeue?done={id}"));
    assert!(worker.page(sent.location()).await.contains(">requeued<"));
    assert_eq!(row(&db, "s1").await["state"], "ready");
    // A double click, the back button.
    let boss = console.visitor(&db, "boss").await;
    for visitor in [&worker, &boss] {
        let again = visitor.post("/follow-ups/requeue", &form).await;
        assert_eq!(again.location(), format!("/follow-ups/requeue?not={id}"));
        let said = visitor.page(again.location()).await;
        assert!(said.contains("changed since the page was made") && said.contains("<bdi>worker</bdi>"), "{said}");
    }
    let by_worker = json!({
        "actor": "worker", "via": "console", "action": "requeue", "subject": id, "reason": "the <consumer> is back"
    });
    assert_eq!(done(&db).await, [by_worker]);
    assert_eq!(row(&db, "s2").await["id"].to_string(), other);
    let shown = worker.page(&format!("/follow-ups/{id}")).await;
    assert!(shown.contains("the &lt;consumer&gt; is back"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clicks_at_once_requeue_once() {
    let (db, console) = with_dead(1).await;
    let worker = console.visitor(&db, "worker").await;
    let id = id_of(&db, "s1").await;
    let seen = hidden(&worker.page(&format!("/follow-ups/requeue?id={id}")).await, "row");
    let form = [("row", seen.as_str()), ("reason", "twice")];
    let (one, two) = tokio::join!(worker.post("/follow-ups/requeue", &form), worker.post("/follow-ups/requeue", &form));
    let mut places = [one.location().to_owned(), two.location().to_owned()];
    places.sort();
    assert_eq!(places, [format!("/follow-ups/requeue?done={id}"), format!("/follow-ups/requeue?not={id}")]);
    assert_eq!(done(&db).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_discarded_and_each_that_was_not_says_why() {
    let (db, console) = with_dead(3).await;
    let worker = console.visitor(&db, "worker").await;
    let ids = [id_of(&db, "s1").await, id_of(&db, "s2").await, id_of(&db, "s3").await];
    let asked = worker.page(&format!("/follow-ups/discard?id={}&id={}&id=77", ids[0], ids[1])).await;
    assert!(asked.contains("Discard 2 follow-ups") && asked.contains("does not exist"), "{asked}");
    let rows: Vec<_> =
        asked.split("name=\"row\" value=\"").skip(1).map(|rest| rest.split('"').next().expect("a value")).collect();
    db.execute(&format!("select clawback_v1.discard_follow_up({}, 'sooner')", ids[1])).await;
    let form = [("row", rows[0]), ("row", rows[1]), ("reason", "done by hand")];
    let sent = worker.post("/follow-ups/discard", &form).await;
    assert_eq!(sent.location(), format!("/follow-ups/discard?done={}&not={}", ids[0], ids[1]));
    let said = worker.page(sent.location()).await;
    assert!(said.contains("is discarded already"), "{said}");
    assert_eq!(row(&db, "s1").await["state"], "discarded");
    assert_eq!(row(&db, "s3").await["state"], "dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_claims_what_nobody_did_is_not_believed() {
    let (db, console) = with_dead(1).await;
    let worker = console.visitor(&db, "worker").await;
    let id = id_of(&db, "s1").await;
    let claimed = worker.page(&format!("/follow-ups/discard?done={id}&done=999999")).await;
    assert!(!claimed.contains(">discarded<") && claimed.contains("does not exist"), "{claimed}");
    db.execute(&format!("select clawback_v1.requeue_follow_up({id}, 'back')")).await;
    assert!(!worker.page(&format!("/follow-ups/discard?done={id}")).await.contains(">discarded<"));
    assert!(!worker.page("/events/replay?done=evt_none").await.contains(">replayed<"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reason_nothing_is_done_and_the_form_comes_back() {
    let (db, console) = with_dead(1).await;
    let worker = console.visitor(&db, "worker").await;
    let id = id_of(&db, "s1").await;
    let seen = hidden(&worker.page(&format!("/follow-ups/requeue?id={id}")).await, "row");
    let refused = worker.post("/follow-ups/requeue", &[("row", &seen), ("reason", "  ")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("Say why") && refused.body.contains("aria-invalid=\"true\""), "{}", refused.body);
    assert_eq!(hidden(&refused.body, "row"), seen);
    let long = "ü".repeat(2_001);
    let refused = worker.post("/follow-ups/requeue", &[("row", &seen), ("reason", &long)]).await;
    assert!(refused.body.contains("At most 2000 characters; this has 2001.") && refused.body.contains(&long));
    assert!(worker.page("/follow-ups/requeue").await.contains("No follow-up is selected"));
    let many = (0..101).map(|id| format!("id={id}")).collect::<Vec<_>>().join("&");
    let too_many = worker.get(&format!("/follow-ups/requeue?{many}")).await;
    assert!(too_many.status == StatusCode::BAD_REQUEST && too_many.body.contains("at most 100"), "{}", too_many.body);
    assert!(done(&db).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_filters_cannot_be_is_refused_in_words() {
    let (db, console) = with_dead(1).await;
    let reader = console.visitor(&db, "reader").await;
    for address in ["/follow-ups?state=open", "/follow-ups?kind=x", "/follow-ups?mode=x", "/events?state=done"] {
        assert_eq!(reader.get(address).await.status, StatusCode::BAD_REQUEST, "{address}");
    }
    let wrong = reader.get("/events?since=yesterday&type=charge.refunded").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    for part in
        ["value=\"yesterday\"", "value=\"charge.refunded\"", "expected a duration such as 2h", "href=\"#since\""]
    {
        assert!(wrong.body.contains(part), "{part}: {}", wrong.body);
    }
    assert!(reader.page("/events?after=evt_nowhere").await.contains("Nothing follows here."));
    assert!(reader.page("/follow-ups?state=done").await.contains("No follow-up matches."));
    assert!(reader.page("/events?state=failed").await.contains("No event matches."));
    assert!(reader.page("/follow-ups").await.contains("You lack the right “work”."));
    for address in ["/follow-ups/77", "/follow-ups/x", "/events/evt_nowhere"] {
        assert_eq!(reader.get(address).await.status, StatusCode::NOT_FOUND, "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_walked_to_its_end_and_back() {
    let (db, console) = with_dead(120).await;
    let reader = console.visitor(&db, "reader").await;
    let keys = |page: &str| {
        let of = |rest: &str| rest.split('"').next().and_then(|id| id.parse::<i64>().ok()).expect("an id");
        page.split("data-key=\"").skip(1).map(of).collect::<Vec<_>>()
    };
    let way = |page: &str, rel: &str| {
        let (before, _) = page.split_once(&format!("\" rel=\"{rel}\""))?;
        Some(before.rsplit('"').next()?.replace("&amp;", "&"))
    };
    let (mut seen, mut pages, mut at) =
        (Vec::new(), Vec::new(), "/follow-ups?state=dead&kind=notify_refund".to_owned());
    loop {
        let page = reader.page(&at).await;
        seen.extend(keys(&page));
        pages.push(keys(&page));
        match way(&page, "next") {
            Some(next) => at = next,
            None => break,
        }
    }
    assert!(seen.len() == 120 && seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    while let Some(previous) = way(&reader.page(&at).await, "prev") {
        assert!(previous.contains("state=dead&kind=notify_refund"), "{previous}");
        at = previous;
        pages.pop();
        assert_eq!(Some(&keys(&reader.page(&at).await)), pages.last());
    }
    assert_eq!(pages.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_event_is_replayed_once_however_often_its_form_is_sent() {
    let app = TestApp::start().await;
    app.see(&[event("evt_bad", 1, &charge("ch_1", json!({ "amount": -1 })))]).await;
    let console = Console::open(&app.db).await;
    let worker = console.visitor(&app.db, "worker").await;
    assert!(worker.page("/events?state=failed").await.contains("data.object.amount: is negative"));
    let seen = hidden(&worker.page("/events/replay?id=evt_bad").await, "row");
    let form = [("row", seen.as_str()), ("reason", "after the upgrade")];
    assert_eq!(worker.post("/events/replay", &form).await.location(), "/events/replay?done=evt_bad");
    app.db.settle().await;
    // It has failed again, and looks as before.
    let again = worker.post("/events/replay", &form).await;
    assert_eq!(again.location(), "/events/replay?not=evt_bad");
    let said = worker.page(again.location()).await;
    assert!(said.contains("was processed since the page was made") && said.contains("<bdi>worker</bdi>"), "{said}");
    let by_worker = json!({
        "actor": "worker", "via": "console", "action": "replay", "subject": "evt_bad", "reason": "after the upgrade"
    });
    assert_eq!(done(&app.db).await, [by_worker]);
    assert!(worker.page("/events/evt_bad").await.contains("after the upgrade"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_shown_as_it_came_to_those_who_may_see_it() {
    let app = TestApp::start().await;
    let body =
        event("evt_1", 1, &charge("ch_1", json!({ "zip": "9", "client_secret": "hush", "name": "<b>\u{202e}</b>" })))
            .replace("\"zip\":\"9\"", "\"zip\":12345678901234567890.10");
    app.see(&[body]).await;
    let console = Console::open(&app.db).await;
    let (analyst, reader) = (console.visitor(&app.db, "analyst").await, console.visitor(&app.db, "reader").await);
    let shown = analyst.page("/events/evt_1").await;
    for part in ["12345678901234567890.10", "&lt;b&gt;<span class=\"odd\">U+202E</span>&lt;/b&gt;", "***"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let kept = reader.page("/events/evt_1").await;
    assert!(kept.contains("you need the right “payloads”") && !kept.contains("12345678901234567890"), "{kept}");
    let file = analyst.get("/events/evt_1/payload").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"evt_1.json\"");
    assert!(file.body.contains("12345678901234567890.10") && !file.body.contains("hush"), "{}", file.body);
    assert_eq!(reader.get("/events/evt_1/payload").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_shows_what_needs_attention_and_reads_it_once_for_all() {
    let (db, console) = with_dead(2).await;
    let reader = console.visitor(&db, "reader").await;
    let page = reader.page("/health").await;
    assert!(
        page.contains("1 number needs attention.") && page.contains("href=\"/follow-ups?state=dead\">2<"),
        "{page}"
    );
    assert!(page.contains("none yet") && page.contains("not known") && page.contains("clawback doctor"), "{page}");
    db.execute(
        "select clawback_v1.discard_follow_up(id, 'not needed') from clawback_v1.follow_ups where subject = 's1'",
    )
    .await;
    let boss = console.visitor(&db, "boss").await;
    assert!(boss.page("/health").await.contains("href=\"/follow-ups?state=dead\">2<"), "it is read again after 5 s");
}

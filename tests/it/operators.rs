//! Promise: operators see the whole story, can have work done again, and changing nothing is safe.

use serde_json::{Value, json};

use crate::binary::{Ended, run};
use crate::bodies::{charge, event, refund};
use crate::harness::{STATE, TestApp};

impl TestApp {
    /// Runs a command on this test's database; it must succeed.
    async fn command(&self, arguments: &[&str]) -> Ended {
        let ended = self.attempt(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended
    }

    async fn attempt(&self, arguments: &[&str]) -> Ended {
        run(arguments, &[("DATABASE_URL", &self.db.url), ("STRIPE_WEBHOOK_SECRETS", "whsec_x")]).await
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.command(&arguments).await.stdout).expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_an_order_adds_up_to_the_order() {
    let app = TestApp::start().await;
    for story in ["lost-part-back", "two-disputes", "partial-capture", "refund-fails-later", "fraud-warning"] {
        app.live(story, "o_1").await;
    }
    let story = app.json(&["orders", "show", "o_1"]).await;
    let order = &story["orders"][0];
    let lines = story["statement"].as_array().expect("lines");
    for (column, total) in [
        ("paid", "amount_paid"),
        ("refunded", "amount_refunded"),
        ("disputed", "amount_disputed"),
        ("lost", "amount_lost"),
    ] {
        let sum: i64 = lines.iter().filter_map(|line| line[column].as_i64()).sum();
        assert_eq!(sum, order[total].as_i64().expect("an amount"), "{column}");
        assert_ne!(sum, 0, "{column} shows nothing");
    }
    let times: Vec<&str> = lines.iter().filter_map(|line| line["at"].as_str()).collect();
    assert!(times.is_sorted() && times.len() > 10, "{times:?}");
    assert!(!story["history"].as_array().expect("history").is_empty());
    assert!(!story["follow_ups"].as_array().expect("follow-ups").is_empty());
    let text = app.command(&["orders", "show", "o_1"]).await.stdout;
    assert!(text.contains("total") && text.contains("dispute balance"), "{text}");
    let unknown = app.attempt(&["orders", "show", "o_2"]).await;
    assert_eq!((unknown.code, unknown.stderr.lines().count()), (Some(1), 1));
    assert!(unknown.stderr.contains("no order o_2"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaying_every_event_changes_nothing_and_is_written_down() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for story in ["lost-part-back", "inquiry-escalated", "refund-overtaken"] {
        ids.extend(app.live(story, story).await.into_iter().map(|event| event.id));
    }
    let mut before = Vec::new();
    for query in STATE {
        before.push(app.db.rows(query).await);
    }
    let history = "select count(*) from clawback_v1.order_history";
    let changes = app.db.value(history).await;
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let replay = [&["events", "replay", "--reason", "a rehearsal"], ids.as_slice()].concat();
    app.command(&replay).await;
    app.db.settle().await;
    for (query, before) in STATE.iter().zip(before) {
        assert_eq!(app.db.rows(query).await, before, "{query}");
    }
    assert_eq!(app.db.value(history).await, changes);
    let written = "select count(*) from clawback.replays where reason = 'a rehearsal' and requested_by = session_user";
    assert_eq!(app.db.value(written).await, ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_events_are_listed_shown_and_replayed_together() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_bad", 1, &charge("ch_1", json!({ "amount": -1, "payment_intent": { "client_secret": "hush" } }))),
        event("evt_good", 2, &charge("ch_2", json!({}))),
    ])
    .await;
    let failed = app.json(&["events", "list", "--state", "failed"]).await;
    assert_eq!((failed[0]["event_id"].as_str(), failed.as_array().map(Vec::len)), (Some("evt_bad"), Some(1)));
    let shown = app.json(&["events", "show", "evt_bad"]).await;
    assert_eq!(shown["last_error"], "data.object.amount: is negative");
    assert!(shown["payload"].as_str().is_some_and(|body| body.contains("ch_1") && !body.contains("hush")), "{shown}");
    let replayed = app.json(&["events", "replay", "--state", "failed", "--reason", "hope"]).await;
    assert_eq!(replayed, json!(["evt_bad"]));
    app.db.settle().await;
    let again = app.json(&["events", "show", "evt_bad"]).await;
    assert_eq!((&again["state"], &again["attempts"]), (&json!("failed"), &json!(1)));
    let unknown = app.attempt(&["events", "replay", "evt_nowhere", "--reason", "hope"]).await;
    assert!(unknown.code == Some(1) && unknown.stderr.contains("evt_nowhere"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_are_listed_requeued_and_discarded() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o_1").await;
    let listed = app.json(&["follow-ups", "list", "--order", "o_1", "--kind", "collect_evidence"]).await;
    let id = listed[0]["id"].to_string();
    app.command(&["follow-ups", "requeue", &id]).await;
    app.command(&["follow-ups", "discard", &id, "--reason", "answered by mail"]).await;
    let discarded = app.json(&["follow-ups", "list", "--state", "discarded"]).await;
    assert!(discarded[0]["last_error"].as_str().is_some_and(|why| why.ends_with("answered by mail")), "{discarded}");
    let refused = app.attempt(&["follow-ups", "requeue", &id]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("discarded"), "{}", refused.stderr);
}

/// The findings of `doctor` that are not good; fsync is off on the server of the tests.
async fn findings(app: &TestApp) -> Vec<String> {
    let ended = app.attempt(&["doctor", "--json"]).await;
    let findings: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
    let bad = findings.iter().filter(|f| f["level"] != "good" && f["check"] != "durability");
    bad.map(|f| format!("{}: {}", f["check"].as_str().unwrap_or(""), f["says"].as_str().unwrap_or(""))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_nothing_wrong_and_then_what_was_broken() {
    let app = TestApp::start().await;
    for story in clawback::stories::all() {
        app.live(story.name, story.name).await;
    }
    app.see(&[event("evt_orphan", 1, &refund("re_orphan", json!({})))]).await;
    assert_eq!(findings(&app).await, Vec::<String>::new());
    let one = "(select payment_id from clawback.payments where order_id = 'paid')";
    app.db
        .execute(&format!("update clawback.payments set amount_paid = amount_paid - 1 where payment_id = {one}"))
        .await;
    let payment_id = app.db.value(one).await;
    let found = findings(&app).await;
    assert!(found[0].starts_with("conservation: 1 payments"), "{found:?}");
    assert!(
        found[0].contains(payment_id.as_str().expect("an id")) && found[1].starts_with("orders: 1 orders"),
        "{found:?}"
    );
    app.db.execute("update clawback.payments set amount_refunded = amount_paid + 1 where order_id = 'late-win'").await;
    assert!(findings(&app).await.iter().any(|finding| finding.starts_with("money: 1 payments have more refunded")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_linked_late_and_anew_and_before_it_is_seen() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    let link = async |payment: &str, order: &str| {
        app.db.execute(&format!("select clawback_v1.link_payment('{payment}', '{order}')")).await;
        app.db.settle().await;
    };
    let orders = async || app.db.rows("select order_id, amount_paid from clawback_v1.orders order by order_id").await;
    link("ch_1", "o_1").await;
    assert_eq!(orders().await, [json!({ "order_id": "o_1", "amount_paid": 10_000 })]);
    link("ch_1", "o_2").await;
    assert_eq!(orders().await, [json!({ "order_id": "o_2", "amount_paid": 10_000 })]);
    // What somebody says stands above metadata, whenever it comes.
    app.see(&[event("evt_2", 2, &charge("ch_1", json!({ "metadata": { "order_id": "o_3" } })))]).await;
    assert_eq!(orders().await.len(), 1);
    link("pi_later", "o_4").await;
    assert_eq!(orders().await.len(), 1, "a word alone makes no order");
    app.see(&[event("evt_3", 3, &charge("ch_later", json!({ "payment_intent": "pi_later" })))]).await;
    assert_eq!(orders().await[1], json!({ "order_id": "o_4", "amount_paid": 10_000 }));
    let feed = app.db.rows("select order_id, from_state, to_state from clawback_v1.order_history order by id").await;
    assert_eq!(feed[0], json!({ "order_id": null, "from_state": null, "to_state": "paid" }));
    assert_eq!(feed[2], json!({ "order_id": "o_1", "from_state": "paid", "to_state": "unknown" }));
    let linked = "select count(*) from clawback_v1.events where type = 'clawback.linked' and state = 'processed'";
    assert_eq!(app.db.value(linked).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_of_a_database_that_is_behind_what_to_run() {
    let app = TestApp::start().await;
    app.db.execute("drop table clawback.failed_events; delete from clawback.migrations where version > 5").await;
    let found = findings(&app).await;
    assert!(found.len() == 1 && found[0].contains("run `clawback migrate`"), "{found:?}");
}

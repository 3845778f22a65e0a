//! Promise: operators see the whole story, can have work done again, and changing nothing is safe.

use serde_json::{Value, json};

use crate::binary::{Ended, run};
use crate::bodies::{charge, event, intent, refund, warning};
use crate::harness::{Database, STATE, TestApp};

impl TestApp {
    /// Runs a command on this test's database; it must succeed.
    pub async fn command(&self, arguments: &[&str]) -> Ended {
        let ended = self.attempt(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended
    }

    pub async fn attempt(&self, arguments: &[&str]) -> Ended {
        run(arguments, &[("DATABASE_URL", &self.db.url), ("STRIPE_WEBHOOK_SECRETS", "whsec_x")]).await
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.command(&arguments).await.stdout).expect("JSON")
    }
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
    let replay = [&["events", "replay", "--reason", "a rehearsal", "--by", "ada"], ids.as_slice()].concat();
    app.command(&replay).await;
    app.db.settle().await;
    for (query, before) in STATE.iter().zip(before) {
        assert_eq!(app.db.rows(query).await, before, "{query}");
    }
    assert_eq!(app.db.value(history).await, changes);
    let written = "select count(*) from clawback_v1.actions where action = 'replay' and subject_kind = 'event'
                   and reason = 'a rehearsal' and role = session_user and actor = 'ada' and via = 'cli'";
    assert_eq!(app.db.value(written).await, ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_shows_who_had_it_processed_again_and_why() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    assert_eq!(app.json(&["events", "show", "evt_1"]).await["actions"], json!([]));
    let environment = [("DATABASE_URL", app.db.url.as_str()), ("SUDO_USER", "grace"), ("USER", "root")];
    for arguments in [["--by", "ada", "--reason", "first"].as_slice(), &["--reason", "second"]] {
        let ended = run(&[&["events", "replay", "evt_1"], arguments].concat(), &environment).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "1 of 1 events will be processed again\n"));
        app.db.settle().await;
    }
    // Nobody is logged in, and nobody says who they are.
    app.command(&["events", "replay", "evt_1", "--reason", "third"]).await;
    app.db.settle().await;
    let shown = app.json(&["events", "show", "evt_1"]).await;
    let actions = shown["actions"].as_array().expect("actions");
    let told: Vec<_> = actions.iter().map(|row| (&row["actor"], row["reason"].as_str().expect("why"))).collect();
    assert_eq!(told, [(&json!("ada"), "first"), (&json!("grace"), "second"), (&json!("clawback"), "third")]);
    assert!(actions.iter().all(|row| row["role"] == "clawback" && row["at"].is_string()), "{shown}");
    let text = app.command(&["events", "show", "evt_1"]).await.stdout;
    assert!(text.contains("Who had it processed again") && text.contains("grace"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_is_what_is_replayed() {
    let app = TestApp::start().await;
    for (order, day) in [("o_1", "2026-01-01 00:00Z"), ("o_2", "2026-01-02 00:00Z"), ("o_3", "2026-01-03 00:00Z")] {
        app.live("partial-refund", order).await;
        app.db
            .execute(&format!("update clawback.events set received_at = '{day}' where received_at > '2026-02-01'"))
            .await;
    }
    let object = app.db.value("select object_id from clawback.events where type = 'refund.created' limit 1").await;
    let object = object.as_str().expect("an id");
    let filters: [(&[&str], &str); 6] = [
        (&["--type", "refund.created"], "type = 'refund.created'"),
        (&["--object", object], &format!("object_id = '{object}'")),
        (&["--state", "processed", "--since", "2026-01-02"], "received_at >= '2026-01-02 00:00Z'"),
        (
            &["--since", "2026-01-01T12:00:00Z", "--until", "2026-01-03T01:00:00+01:00"],
            "received_at = '2026-01-02 00:00Z'",
        ),
        (
            &["--until", "2026-01-02", "--type", "charge.succeeded"],
            "received_at < '2026-01-02 00:00Z' and type = 'charge.succeeded'",
        ),
        (&["--state", "ignored"], "state = 'ignored'"),
    ];
    for (filter, meant) in filters {
        let meant = format!("select event_id from clawback.events where {meant} order by event_id collate \"C\"");
        let meant: Vec<Value> = app.db.rows(&meant).await.iter().map(|row| row["event_id"].clone()).collect();
        let listed = app.json(&[&["events", "list"], filter].concat()).await;
        let listed = listed.as_array().expect("rows").iter().map(|row| row["event_id"].clone()).collect();
        let replayed = app.json(&[&["events", "replay", "--reason", "a test"], filter].concat()).await;
        app.db.settle().await;
        assert_eq!((sorted(listed), sorted(replayed.as_array().expect("ids").clone())), (meant.clone(), meant));
    }
}

fn sorted(mut ids: Vec<Value>) -> Vec<Value> {
    ids.sort_by_key(ToString::to_string);
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_events_are_replayed_bit_by_bit() {
    let app = TestApp::start().await;
    // Of an object that nothing reads, so that they cost little.
    app.db.execute(
        "insert into clawback.events (event_id, type, state, processed_at, last_error)
         select 'evt_' || n, 'payout.paid', 'ignored', now(), 'nothing reads it' from generate_series(1, 2600) n;
         insert into clawback.event_payloads
         select event_id, '{\"id\":\"' || event_id || '\",\"type\":\"payout.paid\",\"data\":{\"object\":{}}}' from clawback.events",
    )
    .await;
    let held = app.db.hold_batches().await;
    let replaying = tokio::spawn({
        let url = app.db.url.clone();
        async move {
            let all = ["events", "replay", "--state", "ignored", "--reason", "a test"];
            run(&all, &[("DATABASE_URL", &url)]).await
        }
    });
    let pending = "select count(*) from clawback.pending_events";
    app.db.until(&format!("select ({pending}) >= 1000")).await;
    assert!(!replaying.is_finished() && app.db.value(pending).await == 1000, "it waits for the service");
    held.rollback().await.expect("the lock is given back");
    let ended = replaying.await.expect("it ends");
    assert_eq!(ended.stdout, "2600 of 2600 events will be processed again\n");
    assert!(ended.stderr.lines().count() == 1 && ended.stderr.contains("1000 events are pending"), "{}", ended.stderr);
    app.db.settle().await;
    assert_eq!(app.db.value("select count(*) from clawback.events where attempts = 1").await, 2600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_cut_says_so_and_a_rehearsal_of_a_replay_changes_nothing() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o_1").await;
    for list in ["events", "follow-ups"] {
        let count = app.json(&[list, "list"]).await.as_array().map_or(0, Vec::len);
        let cut = app.command(&[list, "list", "--json", "--limit", &(count - 1).to_string()]).await;
        let rows: Vec<Value> = serde_json::from_str(&cut.stdout).expect("JSON");
        assert_eq!((rows.len(), cut.stderr.lines().count()), (count - 1, 1), "{}", cut.stderr);
        assert!(cut.stderr.contains("there are more") && cut.stderr.contains("--limit"), "{}", cut.stderr);
        assert_eq!(app.command(&[list, "list", "--limit", &count.to_string()]).await.stderr, "");
    }
    let all = ["events", "replay", "--dry-run", "--since", "2026-01-01"];
    let ids = app.json(&all).await;
    let ids: Vec<&str> = ids.as_array().expect("ids").iter().filter_map(Value::as_str).collect();
    let said = format!("{} events would be processed again: {}\n", ids.len(), ids.join(", "));
    assert_eq!(app.command(&all).await.stdout, said);
    assert_eq!(
        app.command(&["events", "replay", "--dry-run", "--state", "failed"]).await.stdout,
        "no matching events\n"
    );
    assert_eq!(app.db.value("select count(*) from clawback_v1.actions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_is_refused_and_one_that_finds_nothing_says_so() {
    let app = TestApp::start().await;
    let refused: [(&[&str], &str); 7] = [
        (&["events", "list", "--state", "done"], "[possible values: pending, processed, ignored, failed]"),
        (&["events", "list", "--limit", "0"], "0 is not in 1..=10000"),
        (&["events", "list", "--since", "yesterday"], "such as 2026-11-25"),
        (&["events", "replay", "--state", "failed", "--reason", ""], "--reason"),
        (
            &["follow-ups", "list", "--state", "open"],
            "[possible values: ready, leased, done, cancelled, dead, discarded]",
        ),
        (&["follow-ups", "list", "--limit", "10001"], "10001 is not in 1..=10000"),
        (&["follow-ups", "discard", "1", "--reason", ""], "--reason"),
    ];
    for (arguments, words) in refused {
        let ended = app.attempt(arguments).await;
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(2), 1), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
    // Without any word on which events, it must not be all of them.
    for arguments in
        [["events", "replay", "--reason", "x"].as_slice(), &["events", "replay", "evt_1", "--state", "failed"]]
    {
        assert_eq!(app.attempt(arguments).await.code, Some(2), "{arguments:?}");
    }
    for (list, none) in [("events", "no matching events\n"), ("follow-ups", "no matching follow-ups\n")] {
        assert_eq!(app.command(&[list, "list"]).await.stdout, none);
        assert_eq!(app.json(&[list, "list"]).await, json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_may_not_do_is_one_line_that_says_what_mends_it() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["permission denied"]);
    app.live("paid", "o_1").await;
    let role = format!("reader_of_{}", app.db.name);
    let grants = app.command(&["grants", &role, "--read", "--work", "--payloads"]).await.stdout;
    app.db.execute(&format!("create role {role} login password 'reader'; {grants}")).await;
    let (_, address) = app.db.url.rsplit_once('@').expect("a URL with a password");
    let url = format!("postgres://{role}:reader@{address}");
    let event_id = app.json(&["events", "list", "--limit", "1"]).await[0]["event_id"].clone();
    let event_id = event_id.as_str().expect("an id");
    let many = ["events", "replay", "--state", "processed", "--reason", "a test"];
    for arguments in [["orders", "show", "o_1"].as_slice(), &many] {
        let ended = run(arguments, &[("DATABASE_URL", &url)]).await;
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
        assert!(ended.stderr.contains("connect as the owner of schema clawback"), "{}", ended.stderr);
    }
    // What it may do is written down in its own name, whoever it claims to be.
    let replay = ["events", "replay", event_id, "--by", "ada", "--reason", "a test"];
    let replayed = run(&replay, &[("DATABASE_URL", &url)]).await;
    assert_eq!((replayed.code, replayed.stderr.as_str()), (Some(0), ""));
    app.live("chargeback-open", "o_2").await;
    let id = app.json(&["follow-ups", "list", "--order", "o_2"]).await[0]["id"].to_string();
    let requeued = run(&["follow-ups", "requeue", &id, "--by", "ada"], &[("DATABASE_URL", &url)]).await;
    assert_eq!((requeued.code, requeued.stderr.as_str()), (Some(0), ""));
    let written = app
        .db
        .rows("select action, actor, role, via, detail ->> 'claimed_actor' as claimed from clawback_v1.actions order by id")
        .await;
    let row = |action: &str| json!({ "action": action, "actor": role, "role": role, "via": "sql", "claimed": "ada" });
    assert_eq!(written, [row("replay"), row("requeue")]);
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
async fn events_of_which_something_was_passed_over_are_listed_and_replayed_together() {
    let app = TestApp::start().await;
    app.see(&[
        event("evt_odd", 1, &charge("ch_1", json!({ "created": "today" }))),
        event("evt_bad", 2, &charge("ch_2", json!({ "amount": -1 }))),
        event("evt_good", 3, &charge("ch_3", json!({}))),
    ])
    .await;
    let noted = app.json(&["events", "list", "--noted"]).await;
    assert_eq!((noted[0]["event_id"].as_str(), noted.as_array().map(Vec::len)), (Some("evt_odd"), Some(1)));
    assert_eq!(noted[0]["last_error"], "passed over: data.object.created: is not a 64-bit integer");
    let replayed = app.json(&["events", "replay", "--noted", "--reason", "a new release reads it"]).await;
    assert_eq!(replayed, json!(["evt_odd"]));
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_are_listed_shown_requeued_and_discarded() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o_1").await;
    let listed = app.json(&["follow-ups", "list", "--order", "o_1", "--kind", "collect_evidence"]).await;
    let id = listed[0]["id"].to_string();
    let requeued = app.json(&["follow-ups", "requeue", &id, "--by", "ada"]).await;
    assert_eq!(requeued, json!({ "id": listed[0]["id"], "state": "ready" }));
    app.command(&["follow-ups", "requeue", &id]).await;
    let discarded = app.command(&["follow-ups", "discard", &id, "--by", "ada", "--reason", "answered by mail"]).await;
    assert_eq!(discarded.stdout, format!("follow-up {id} is discarded\n"));

    let shown = app.json(&["follow-ups", "show", &id]).await;
    assert_eq!(shown["last_error"], Value::Null, "why it was discarded is no error");
    assert_eq!((&shown["state"], &shown["payload"]), (&json!("discarded"), &listed[0]["payload"]));
    let actions = shown["actions"].as_array().expect("actions");
    let told = actions.iter().map(|row| (&row["action"], &row["actor"], &row["reason"])).collect::<Vec<_>>();
    let (ada, clawback, mail) = (&json!("ada"), &json!("clawback"), &json!("answered by mail"));
    let (requeue, discard) = (&json!("requeue"), &json!("discard"));
    assert_eq!(told, [(requeue, ada, &Value::Null), (requeue, clawback, &Value::Null), (discard, ada, mail)]);
    assert!(actions.iter().all(|row| row["role"] == "clawback" && row["via"] == "cli"), "{shown}");
    let text = app.command(&["follow-ups", "show", &id]).await.stdout;
    assert!(text.contains("Who did what with it") && text.contains("answered by mail"), "{text}");

    let refused = app.attempt(&["follow-ups", "requeue", &id]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("discarded"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("clawback follow-ups show {id}")), "{}", refused.stderr);
    let forced = app.command(&["follow-ups", "requeue", &id, "--force", "--reason", "it got lost"]).await;
    assert_eq!(forced.stdout, format!("follow-up {id} is ready\n"));
    assert_eq!(app.attempt(&["follow-ups", "requeue", &id, "--force"]).await.code, Some(2), "force needs a reason");
    let unknown = app.attempt(&["follow-ups", "show", "4711"]).await;
    assert_eq!((unknown.code, unknown.stderr.lines().count()), (Some(1), 1));
    assert!(unknown.stderr.contains("no follow-up 4711"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requeue_by_sql_is_written_down_too() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o_1").await;
    app.db
        .execute("select clawback_v1.requeue_follow_up(id) from clawback_v1.follow_ups where kind = 'hold_fulfilment'")
        .await;
    let written = app.db.rows("select actor = session_user as mine, via from clawback_v1.actions").await;
    assert_eq!(written, [json!({ "mine": true, "via": "sql" })]);
    let refused =
        "select clawback_v1.requeue_follow_up(4711) or exists (select from clawback.actions where subject = '4711')";
    assert_eq!(app.db.value(refused).await, false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_that_somebody_dismissed_holds_and_asks_no_more_whatever_stripe_says_of_it() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["say why warning"]);
    let app = TestApp::start_on(db, |_| {}).await;
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({ "metadata": { "order_id": "o_1" } }))),
        event("evt_2", 2, &warning("issfr_1", json!({ "charge": "ch_1" }))),
    ])
    .await;
    let hold = "select hold from clawback_v1.orders";
    assert_eq!(app.db.value(hold).await, true);
    let dismiss = "select clawback_v1.dismiss_warning('issfr_1', 'the buyer called')";
    assert_eq!(
        app.db.refusal(&dismiss.replace("the buyer called", "")).await,
        "dismiss_warning: say why warning issfr_1 is dismissed"
    );
    assert_eq!(app.db.value(&dismiss.replace("issfr_1", "issfr_2")).await, false);
    assert_eq!(app.db.value(dismiss).await, true);
    app.db.settle().await;
    // Stripe's word comes again, and the charge moves to its intent.
    app.see(&[
        event("evt_3", 3_000_000_000, &warning("issfr_1", json!({ "charge": "ch_1" }))),
        event("evt_4", 4, &intent("pi_1", json!({ "latest_charge": "ch_1" }))),
    ])
    .await;
    assert_eq!(app.db.value(hold).await, false);
    assert_eq!(app.db.value("select actionable from clawback_v1.fraud_warnings").await, false);
    let wanted = app.db.rows("select kind from clawback_v1.follow_ups where subject = 'issfr_1' and wanted").await;
    assert_eq!(wanted, [json!({ "kind": "release_fulfilment" })]);
    assert_eq!(app.db.value(dismiss).await, false, "it is not actionable any more");
    let written = app.db.rows("select action, subject_kind, subject, reason from clawback_v1.actions").await;
    let dismissed = json!({ "action": "dismiss", "subject_kind": "fraud_warning", "subject": "issfr_1", "reason": "the buyer called" });
    assert_eq!(written, [dismissed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_seen_is_found_by_its_id_and_nothing_by_half_of_it() {
    let app = TestApp::start().await;
    let charge = charge("ch_1", json!({ "payment_intent": "pi_1", "metadata": { "order_id": "o_1" } }));
    app.see(&[
        event("evt_1", 1, &charge),
        event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1" }))),
        event("evt_3", 3, &warning("issfr_1", json!({ "charge": "ch_1" }))),
        event("evt_4", 4, &refund("re_orphan", json!({}))),
        event("evt_5", 5, &intent("pi_1", json!({}))),
        event("evt_6", 6, &json!({ "id": "po_1", "object": "payout" })),
    ])
    .await;
    let found = async |term: &str| {
        let rows = app.db.rows(&format!("select * from clawback_v1.find('{term}')")).await;
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
        rows.iter()
            .map(|row| ["kind", "id", "payment_id", "order_id"].map(|name| text(row, name)).join(" "))
            .collect::<Vec<_>>()
    };
    for (term, told) in [
        ("pi_1", "payment pi_1 pi_1 o_1"),
        ("ch_1", "charge ch_1 pi_1 o_1"),
        ("re_1", "refund re_1 pi_1 o_1"),
        ("issfr_1", "fraud_warning issfr_1 pi_1 o_1"),
        ("re_orphan", "refund re_orphan - -"),
        ("po_1", "object po_1 - -"),
        ("evt_2", "event evt_2 pi_1 o_1"),
        ("o_1", "order o_1 - o_1"),
    ] {
        assert_eq!(found(term).await, [told]);
    }
    for term in ["ch_", "%", "", "o_2"] {
        assert!(found(term).await.is_empty(), "{term}");
    }
    assert_eq!(app.db.value("select count(*) from clawback_v1.find(null)").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_replayed_by_sql_with_a_reason_once_at_a_time_and_only_with_its_body() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["say why event"]);
    let app = TestApp::start_on(db, |_| {}).await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &charge("ch_2", json!({})))]).await;
    let replay = "select clawback_v1.replay_event('evt_1', 'a test')";
    assert!(app.db.refusal(&replay.replace("a test", "")).await.contains("say why event evt_1"));
    let held = app.db.hold_batches().await;
    assert_eq!(app.db.value(replay).await, true);
    assert_eq!(app.db.value(replay).await, false, "it is pending");
    held.rollback().await.expect("batches may begin");
    app.db.settle().await;
    app.db.execute("delete from clawback.event_payloads where event_id = 'evt_2'").await;
    for missing in ["evt_2", "evt_3"] {
        assert_eq!(app.db.value(&replay.replace("evt_1", missing)).await, false, "{missing}");
    }
    assert_eq!(app.db.value("select count(*) from clawback_v1.actions where reason = 'a test'").await, 1);
    assert_eq!(app.db.value("select min(attempts) from clawback_v1.events where state = 'processed'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_never_altered() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["is append-only"]);
    db.execute("select clawback_v1.link_payment('ch_1', 'o_1')").await;
    for change in
        ["update clawback.actions set actor = 'nobody'", "delete from clawback.actions", "truncate clawback.actions"]
    {
        assert_eq!(db.refusal(change).await, "clawback.actions is append-only");
    }
}

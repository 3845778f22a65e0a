//! Promise: events can be processed again, by ID or in bulk; that is recorded, and changes nothing that was right.

use serde_json::{Value, json};

use crate::binary::run;
use crate::bodies::{charge, event};
use crate::harness::{Database, STATE, TestApp};

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
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "1 of 1 event will be processed again; `clawback events show evt_1` shows the result\n")
        );
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
    assert!(text.contains("Replays") && text.contains("grace"), "{text}");
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
    assert!(ended.stdout.starts_with("2600 of 2600 events will be processed again; "), "{}", ended.stdout);
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
        assert!(cut.stderr.contains("more rows: use --before ") && cut.stderr.contains("--limit"), "{}", cut.stderr);
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
async fn a_dry_run_of_given_events_says_why_each_of_the_others_would_not_be_replayed() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &charge("ch_2", json!({})))]).await;
    app.db.execute("delete from clawback.event_payloads where event_id = 'evt_2'").await;
    let rehearsed = app.attempt(&["events", "replay", "evt_1", "evt_2", "evt_3", "--dry-run"]).await;
    assert_eq!((rehearsed.code, rehearsed.stdout.as_str()), (Some(1), "1 event would be processed again: evt_1\n"));
    let said = "clawback: would not be replayed: evt_2: its body was pruned; evt_3 is not in the ledger\n";
    assert_eq!(rehearsed.stderr, said);
    assert_eq!(app.db.value("select count(*) from clawback_v1.actions").await, 0);
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
    let said = "clawback: not replayed: evt_nowhere is not in the ledger\n";
    assert_eq!((unknown.code, unknown.stdout.as_str(), unknown.stderr.as_str()), (Some(1), "", said));
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
    assert_eq!(noted[0]["last_error"], "taken as absent: data.object.created: is not a 64-bit integer");
    let replayed = app.json(&["events", "replay", "--noted", "--reason", "a new release reads it"]).await;
    assert_eq!(replayed, json!(["evt_odd"]));
    app.db.settle().await;
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

//! Promise: operators see the whole story, can have work done again, and changing nothing is safe.

use serde_json::{Value, json};

use crate::binary::{Ended, run};
use crate::bodies::{charge, event, intent, refund, warning};
use crate::harness::{Database, TestApp};

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
async fn a_filter_that_cannot_be_is_refused_and_one_that_finds_nothing_says_so() {
    let app = TestApp::start().await;
    let refused: [(&[&str], &str); 8] = [
        (&["events", "list", "--state", "done"], "[possible values: pending, processed, ignored, failed]"),
        (&["events", "list", "--limit", "0"], "0 is not in 1..=10000"),
        (&["orders", "list", "--limit", "-1"], "-1 is not in 1..=10000"),
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
        let before = app.command(&[list, "list", "--before", "7"]).await.stdout;
        assert_eq!(before, "no more rows after 7, or no such ID\n");
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
async fn follow_ups_are_listed_shown_requeued_and_discarded() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o_1").await;
    let listed = app.json(&["follow-ups", "list", "--order", "o_1", "--kind", "collect_evidence"]).await;
    let id = listed[0]["id"].to_string();
    let requeued = app.json(&["follow-ups", "requeue", &id, "--by", "ada"]).await;
    assert_eq!(requeued, json!({ "ids": [listed[0]["id"]], "state": "ready" }));
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
    assert!(text.contains("Actions") && text.contains("answered by mail"), "{text}");

    let refused = app.attempt(&["follow-ups", "requeue", &id]).await;
    let said = format!("clawback: follow-up {id} is discarded: add --force --reason WHY\n");
    assert_eq!((refused.code, refused.stderr), (Some(1), said));
    let rehearsed = app.attempt(&["follow-ups", "discard", &id, "4711", "--dry-run"]).await;
    let said = format!("clawback: follow-up {id} is discarded already; follow-up 4711 does not exist\n");
    assert_eq!((rehearsed.code, rehearsed.stderr), (Some(1), said));
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

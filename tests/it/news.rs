//! Promise: follow-ups whose cause predates the service's start are history: kept, and handed to nobody.

use clawback::dev::stories::{Cast, StoryEvent};
use serde_json::{Value, json};

use crate::harness::{Database, TestApp, story, tell_with, unix_now};

const DAY: i64 = 86_400;

/// A service at its first start: everything older than this is history.
async fn first_start() -> TestApp {
    let db = Database::migrated().await;
    db.execute("delete from clawback.settings").await;
    let app = TestApp::start_on(db, |_| {}).await;
    app.ready().await;
    app.db.until("select exists (select from clawback.settings where order_key = 'order_id')").await;
    app
}

/// A story that ended this long ago, in seconds.
fn ended(name: &str, ago: i64) -> Vec<StoryEvent> {
    let cast = Cast::new(format!("o-{name}-{ago}"), 0);
    story(name).tell(&Cast { start: unix_now() - ago - story(name).span(&cast), ..cast })
}

async fn follow_ups(app: &TestApp, kind: &str) -> Vec<Value> {
    let query = format!("select state from clawback_v1.follow_ups where kind = '{kind}' and wanted order by id");
    app.db.rows(&query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_caused_before_the_first_start_are_discarded_and_open_ones_are_inserted() {
    let app = first_start().await;
    for name in ["full-refund", "chargeback-won", "chargeback-open", "fraud-warning", "won-and-lost"] {
        app.deliver_all(&ended(name, 400 * DAY)).await;
    }
    app.db.settle().await;
    let states = "select kind, state, count(*) from clawback_v1.follow_ups where wanted group by 1, 2 order by 1, 2";
    let of = |state: &str, kinds: &[Value]| -> Vec<String> {
        let rows = kinds.iter().filter(|row| row["state"] == *state);
        rows.map(|row| row["kind"].as_str().expect("a kind").to_owned()).collect()
    };
    let rows = app.db.rows(states).await;
    let history = of("discarded", &rows);
    assert_eq!(
        history,
        ["cancel_fulfilment", "notify_refund", "record_dispute_lost", "record_dispute_won", "release_fulfilment"]
    );
    let open = of("ready", &rows);
    for kind in ["hold_fulfilment", "collect_evidence", "consider_refund", "decide_fulfilment"] {
        assert!(open.iter().any(|asked| asked == kind), "{kind} is not asked for: {rows:?}");
    }
    let unexplained = "select count(*) from clawback_v1.follow_ups
                       where state = 'discarded' and last_error not like 'history: it came about before 20%Z'";
    assert_eq!(app.db.value(unexplained).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_caused_after_the_first_start_are_inserted() {
    let app = first_start().await;
    app.deliver_all(&tell_with("full-refund", Cast::new("o-1", 0))).await;
    let later = Cast { start: unix_now() + 5, ..Cast::new("o-2", 0) };
    app.deliver_all(&story("full-refund").tell(&later)).await;
    app.db.settle().await;
    let kinds = "select kind from clawback_v1.follow_ups where order_id = 'o-2' and state = 'ready'
                 group by 1 order by 1";
    let asked = [json!({ "kind": "cancel_fulfilment" }), json!({ "kind": "notify_refund" })];
    assert_eq!(app.db.rows(kinds).await, asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_failed_within_thirty_days_gets_a_follow_up_and_an_older_one_does_not() {
    let app = first_start().await;
    for ago in [20 * DAY, 40 * DAY] {
        app.deliver_all(&ended("refund-fails-later", ago)).await;
        app.db.settle().await;
    }
    let states = [json!({ "state": "ready" }), json!({ "state": "discarded" })];
    assert_eq!(follow_ups(&app, "resolve_failed_refund").await, states);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_requeue_revives_a_follow_up_discarded_as_history() {
    let app = first_start().await;
    app.deliver_all(&ended("full-refund", 400 * DAY)).await;
    app.db.settle().await;
    let id = app.db.value("select id from clawback_v1.follow_ups where kind = 'cancel_fulfilment'").await.to_string();
    assert_eq!(app.attempt(&["follow-ups", "requeue", &id]).await.code, Some(1));
    app.command(&["follow-ups", "requeue", &id, "--force", "--reason", "it was shipped"]).await;
    assert_eq!(follow_ups(&app, "cancel_fulfilment").await, [json!({ "state": "ready" })]);
}

/// Removes every follow-up, as if no release had desired it yet.
async fn forgotten(app: &TestApp) {
    app.live("full-refund", "o-1").await;
    app.live("chargeback-open", "o-2").await;
    app.db.execute("delete from clawback.follow_ups").await;
}

async fn rebuilt(app: &TestApp) {
    app.db.until("select not exists (select from clawback.rebuilds)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_inserts_open_follow_ups_and_no_history_unless_given_a_start() {
    let app = TestApp::start().await;
    forgotten(&app).await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(follow_ups(&app, "cancel_fulfilment").await, [json!({ "state": "discarded" })]);
    assert_eq!(follow_ups(&app, "hold_fulfilment").await, [json!({ "state": "ready" })]);
    app.db.execute("delete from clawback.follow_ups").await;
    app.command(&["rebuild", "--all", "--ask-since", "2020-01-01"]).await;
    rebuilt(&app).await;
    assert_eq!(follow_ups(&app, "cancel_fulfilment").await, [json!({ "state": "ready" })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_what_a_rebuild_would_insert_and_changes_nothing() {
    let app = TestApp::start().await;
    forgotten(&app).await;
    app.db
        .execute("update clawback.orders set amount_refunded = 1, state = 'partially_refunded' where order_id = 'o-1'")
        .await;
    let told = app.command(&["rebuild", "--all", "--dry-run"]).await.stdout;
    assert!(told.contains("2 payments checked; rows of order_history that would be written: 1"), "{told}");
    assert!(told.contains("enqueued: 1 collect_evidence, 1 hold_fulfilment, 3 warn_evidence_due\n"), "{told}");
    assert!(told.contains(": 1 cancel_fulfilment, 2 notify_refund\n"), "{told}");
    let left = "select (select count(*) from clawback.follow_ups) + (select count(*) from clawback.rebuilds)";
    assert_eq!(app.db.value(left).await, 0);
    assert_eq!(app.db.value("select state from clawback.orders where order_id = 'o-1'").await, "partially_refunded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_for_a_misread_reason_is_released() {
    let app = TestApp::start().await;
    app.live("review-open", "o-1").await;
    app.db
        .execute(
            "update clawback.follow_ups set state = 'done', finished_at = now() where kind = 'hold_fulfilment';
             update clawback.event_payloads b set payload = replace(payload, '\"review\"', '\"of_another_kind\"')
             from clawback.events e where e.event_id = b.event_id and e.object_id like 'prv_%'",
        )
        .await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(follow_ups(&app, "hold_fulfilment").await, Vec::<Value>::new());
    assert_eq!(follow_ups(&app, "release_fulfilment").await, [json!({ "state": "ready" })]);
    let told = app.attempt(&["doctor", "--json"]).await.stdout;
    let findings: Vec<Value> = serde_json::from_str(&told).expect("findings");
    let objects = findings.iter().find(|finding| finding["check"] == "objects");
    assert_eq!(objects.expect("looked at")["level"], "good", "{told}");
}

//! Rows that an older release derived otherwise: ordinary traffic mends them, and nothing fails on them.

use clawback::apply::{self, Batch, Take};
use clawback::cli::migrate::migrate;
use clawback::store::migrations::{migrator, required_version};
use clawback::stories::StoryEvent;
use serde_json::{Value, json};

use crate::harness::{Database, TestApp, options, tell};

/// Everything that services see and that is derived, but when it was written.
const STATE: [&str; 7] = [
    "select to_jsonb(o) - 'updated_at' as row from clawback_v1.orders o order by order_id, currency",
    "select to_jsonb(p) - 'updated_at' as row from clawback_v1.payments p order by payment_id",
    "select to_jsonb(r) - 'updated_at' as row from clawback_v1.refunds r order by refund_id",
    "select to_jsonb(d) - 'updated_at' as row from clawback_v1.disputes d order by dispute_id",
    "select to_jsonb(w) as row from clawback_v1.fraud_warnings w order by warning_id",
    "select kind, subject, round, order_id, payment_id, wanted from clawback_v1.follow_ups where wanted
     order by kind, subject, round",
    "select object_id, payment_id from clawback.payment_objects order by object_id",
];

async fn state(app: &TestApp) -> Vec<Vec<Value>> {
    let mut state = Vec::new();
    for query in STATE {
        state.push(app.db.rows(query).await);
    }
    state
}

/// An older sighting of the same object, which adds nothing to what is known.
fn again(event: &StoryEvent) -> String {
    let mut body: Value = serde_json::from_str(&event.body).expect("an event");
    body["id"] = format!("{}_again", event.id).into();
    body["created"] = (body["created"].as_i64().expect("a time") - 1).into();
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_an_older_release_derived_otherwise_are_mended_by_ordinary_traffic() {
    let app = TestApp::start().await;
    let mut first = Vec::new();
    for story in ["partial-refund", "full-refund", "chargeback-lost", "inquiry-escalated", "fraud-warning"] {
        let events = app.live(story, &format!("o-{story}")).await;
        first.push(again(&events[0]));
    }
    app.db.settle().await;
    let right = state(&app).await;
    // References unknown, refunds not counted, disputes in another phase, an object that is nobody's any more.
    app.db
        .execute(
            "update clawback.payments set order_id = null;
             delete from clawback.orders;
             update clawback.payments set amount_refunded = 0, state = 'paid' where state in ('refunded', 'partially_refunded');
             update clawback.disputes set phase = 'compliance', amount = amount + 1;
             insert into clawback.refunds
             select 're_misread', payment_id, charge_id, amount, currency, status, reason, failure_reason, request_key,
                    created_at, updated_at
             from clawback.refunds limit 1;
             delete from clawback.fraud_warnings;
             update clawback.follow_ups set wanted = false, state = 'cancelled', finished_at = now()
             where kind = 'cancel_fulfilment' and state = 'ready';",
        )
        .await;
    let history = "select coalesce(max(id), 0) from clawback_v1.order_history";
    let before = app.db.value(history).await;
    app.see(&first).await;
    app.db.settle().await;
    for ((query, now), right) in STATE.iter().zip(state(&app).await).zip(right) {
        assert_eq!(now, right, "{query}");
    }
    let unprocessed = "select event_id, state, attempts, last_error from clawback_v1.events
                       where state <> 'processed' or attempts > 1";
    assert_eq!(app.db.rows(unprocessed).await, Vec::<Value>::new());
    let told = format!("select count(*) from clawback_v1.order_history where id > {before} and to_state is not null");
    assert_eq!(app.db.value(&told).await, 5, "each order that is back is told of");
}

/// Facts as a reader that was wrong left them: a refund that never was, in a snapshot that would win every merge.
const MISREAD: &str = r#"
    update clawback.payments set rules = 0, facts = jsonb_set(facts, '{refunds}', coalesce(facts -> 'refunds', '{}') || jsonb_build_object(
        're_never', jsonb_build_object('best', jsonb_build_object(
            'stamp', jsonb_build_object('at', 9999999999, 'rank', 9, 'amount', 0, 'event_id', 'evt_z'),
            'value', jsonb_build_object('scope', jsonb_build_object('livemode', livemode), 'amount', 5, 'currency', currency,
                'status', 'succeeded', 'created', 1)))))"#;

async fn lives(app: &TestApp) -> Vec<StoryEvent> {
    let mut events = Vec::new();
    for story in ["partial-refund", "chargeback-lost", "inquiry-escalated", "two-disputes"] {
        events.extend(app.live(story, &format!("o-{story}")).await);
    }
    app.db.settle().await;
    events
}

async fn rebuilt(app: &TestApp) {
    app.db.until("select count(*) = 0 from clawback.rebuilds").await;
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_reader_misread_is_retracted_by_the_next_event() {
    let app = TestApp::start().await;
    let events = lives(&app).await;
    let right = state(&app).await;
    app.db.execute(MISREAD).await;
    app.see(&events.iter().map(again).collect::<Vec<_>>()).await;
    app.db.settle().await;
    assert_eq!(state(&app).await, right);
    assert_eq!(app.db.value("select bool_and(rules > 0) from clawback.payments").await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_makes_every_payment_again_while_events_arrive_and_does_no_harm_twice() {
    let app = TestApp::start().await;
    let events = lives(&app).await;
    let right = state(&app).await;
    app.db.execute(MISREAD).await;
    // A document of a newer release, or a damaged one: it cannot be read, and is made again too.
    app.db
        .execute("update clawback.payments set facts = '{\"charges\": 7}', rules = 99 where state = 'disputed'")
        .await;
    app.command(&["rebuild", "--all"]).await;
    app.see(&events.iter().map(again).collect::<Vec<_>>()).await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(state(&app).await, right);
    let unprocessed = "select event_id, last_error from clawback_v1.events where state <> 'processed'";
    assert_eq!(app.db.rows(unprocessed).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_tells_the_history_what_it_changed() {
    let app = TestApp::start().await;
    app.live("full-refund", "o-1").await;
    app.db.settle().await;
    app.db.execute("update clawback.orders set amount_refunded = 1, state = 'partially_refunded'").await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    let last =
        "select event_type, event_id, from_state, to_state from clawback_v1.order_history order by id desc limit 1";
    let told = json!({ "event_type": "clawback.rebuilt", "event_id": null, "from_state": "partially_refunded", "to_state": "refunded" });
    assert_eq!(app.db.rows(last).await, [told]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_payment_with_a_pruned_body_what_is_stored_is_kept_and_joined() {
    let app = TestApp::start().await;
    lives(&app).await;
    let right = state(&app).await;
    app.db
        .execute(
            "delete from clawback.event_payloads b using clawback.events e
             where e.event_id = b.event_id and e.type in ('refund.created', 'charge.dispute.closed');
             update clawback.payments set rules = 0",
        )
        .await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(state(&app).await, right);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_newer_reader_understands_is_read_by_a_rebuild() {
    let app = TestApp::start().await;
    lives(&app).await;
    let right = state(&app).await;
    app.db
        .execute(
            "update clawback.events set state = 'ignored', last_error = 'no handler reads it'
             where object_id in (select refund_id from clawback.refunds)",
        )
        .await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(state(&app).await, right);
    assert_eq!(app.db.value("select count(*) from clawback_v1.events where state = 'ignored'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_processor_stands_by_while_a_newer_one_lives() {
    let mut app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    app.deliver_all(&tell("chargeback-lost", "o-1")).await;
    app.stop().await.expect("a clean end");
    held.commit().await.expect("a commit");
    app.db.execute("insert into clawback.processors values (gen_random_uuid(), 1000, now() + interval '1 hour')").await;
    let mut conn = app.db.pool.acquire().await.expect("a connection");
    let batch = apply::batch(&mut conn, Take::Next, "order_id").await;
    assert!(matches!(batch, Ok(Batch::Busy)), "{batch:?}");
    app.db.execute("delete from clawback.processors where rules = 1000").await;
    let batch = apply::batch(&mut conn, Take::Next, "order_id").await;
    assert!(matches!(batch, Ok(Batch::Done(_))), "{batch:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_of_a_payment_that_somebody_holds_waits_its_turn() {
    let mut app = TestApp::start().await;
    app.live("full-refund", "o-1").await;
    app.db.settle().await;
    app.stop().await.expect("a clean end");
    let held = app.db.begin("select from clawback.payments for update").await;
    app.db.execute("insert into clawback.rebuilds (payment_id) select payment_id from clawback.payments").await;
    let mut conn = app.db.pool.acquire().await.expect("a connection");
    let batch = apply::batch(&mut conn, Take::Rebuilds, "order_id").await;
    assert!(matches!(batch, Ok(Batch::Done(_))), "{batch:?}");
    let batch = apply::batch(&mut conn, Take::Rebuilds, "order_id").await;
    assert!(matches!(batch, Ok(Batch::Idle)), "it is not tried again at once: {batch:?}");
    held.rollback().await.expect("the row is given back");
    assert_eq!(app.db.value("select count(*) from clawback.rebuilds where run_at > now()").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_change_is_not_written() {
    let app = TestApp::start().await;
    let events = app.live("chargeback-lost", "o-1").await;
    app.db.settle().await;
    let rows = "select 'order ' || order_id as id, xmin::text from clawback.orders
                union all select 'payment ' || payment_id, xmin::text from clawback.payments
                union all select 'dispute ' || dispute_id, xmin::text from clawback.disputes
                union all select 'object ' || object_id, xmin::text from clawback.payment_objects order by 1";
    let before = app.db.rows(rows).await;
    app.see(&[again(&events[0])]).await;
    app.db.settle().await;
    assert_eq!(app.db.rows(rows).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_for_a_lock_keeps_nobody_waiting_for_long() {
    let mut db = Database::empty().await;
    db.expect_errors(&["canceling statement due to lock timeout"]);
    let mut older = migrator();
    let before: Vec<_> = older.iter().filter(|migration| migration.version < 18).cloned().collect();
    older.migrations = before.into();
    older.run(&db.pool).await.expect("the migrations of an older release");
    // The next one replaces this view.
    let reader = db.begin("select from clawback_v1.refunds").await;
    let target = options(&db.url);
    let migrating = tokio::spawn(async move { migrate(&target).await });
    let waits = "select exists (select from pg_locks where relation = 'clawback_v1.refunds'::regclass and not granted)";
    // Three times it waits, and each time somebody else reads behind it, whose statement has a time limit.
    for _ in 0..3 {
        db.until(waits).await;
        let began = std::time::Instant::now();
        assert_eq!(db.value("select count(*) from clawback_v1.refunds").await, 0);
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    }
    reader.commit().await.expect("the reader ends");
    migrating.await.expect("no panic").expect("it is tried again");
    let done = db.value("select max(version) from clawback.migrations").await;
    assert_eq!(done, required_version());
}

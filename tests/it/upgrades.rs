//! Promise: rows that an older release derived differently are corrected by ordinary traffic, without failures.

use clawback::app::Service;
use clawback::app::migrate::migrate;
use clawback::apply::{self, Batch, Rules, Take};
use clawback::dev::stories::{Cast, StoryEvent};
use clawback::store::migrations::{migrator, required_version};
use serde_json::{Value, json};

use crate::binary::{Ended, run};
use crate::harness::{Database, SECRET, TestApp, options, tell, tell_with};

/// Everything derived that services see, except for the times of writing.
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

pub async fn state(db: &Database) -> Vec<Vec<Value>> {
    let mut state = Vec::new();
    for query in STATE {
        state.push(db.rows(query).await);
    }
    state
}

/// An older snapshot of the same object, which adds nothing.
pub fn again(event: &StoryEvent) -> String {
    let mut body: Value = serde_json::from_str(&event.body).expect("an event");
    body["id"] = format!("{}_again", event.id).into();
    body["created"] = (body["created"].as_i64().expect("a time") - 1).into();
    body.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_derived_differently_by_an_older_release_are_corrected_by_ordinary_traffic() {
    let app = TestApp::start().await;
    let mut first = Vec::new();
    for story in ["partial-refund", "full-refund", "chargeback-lost", "inquiry-escalated", "fraud-warning"] {
        let events = app.live(story, &format!("o-{story}")).await;
        first.push(again(&events[0]));
    }
    app.db.settle().await;
    let right = state(&app.db).await;
    // References unknown, refunds not counted, disputes in another phase, an orphaned object.
    app.db
        .execute(
            "update clawback.payments set order_id = null;
             delete from clawback.orders;
             update clawback.payments set amount_refunded = 0, state = 'paid' where state in ('refunded', 'partially_refunded');
             update clawback.disputes set phase = 'compliance', amount = amount + 1;
             insert into clawback.refunds (refund_id, payment_id, charge_id, amount, currency, status, created_at)
             select 're_misread', payment_id, charge_id, amount, currency, status, created_at
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
    for ((query, now), right) in STATE.iter().zip(state(&app.db).await).zip(right) {
        assert_eq!(now, right, "{query}");
    }
    let unprocessed = "select event_id, state, attempts, last_error from clawback_v1.events
                       where state <> 'processed' or attempts > 1";
    assert_eq!(app.db.rows(unprocessed).await, Vec::<Value>::new());
    let told = format!("select count(*) from clawback_v1.order_history where id > {before} and to_state is not null");
    assert_eq!(app.db.value(&told).await, 5, "each order that is back is told of");
}

/// Facts left by a faulty reader: a refund that never existed, in a snapshot that would win every join.
pub const MISREAD: &str = r#"
    update clawback.payments set rules = 0, facts = jsonb_set(facts::jsonb, '{refunds}', coalesce(facts::jsonb -> 'refunds', '{}') || jsonb_build_object(
        're_never', jsonb_build_object('best', jsonb_build_object(
            'stamp', jsonb_build_object('at', 9999999999, 'rank', 9, 'amount', 0, 'event_id', 'evt_z'),
            'value', jsonb_build_object('scope', jsonb_build_object('livemode', livemode), 'amount', 5, 'currency', currency,
                'status', 'succeeded', 'created', 1)))))"#;

pub async fn lives(app: &TestApp) -> Vec<StoryEvent> {
    let mut events = Vec::new();
    for story in ["partial-refund", "chargeback-lost", "inquiry-escalated", "two-disputes"] {
        events.extend(app.live(story, &format!("o-{story}")).await);
    }
    app.db.settle().await;
    events
}

pub async fn rebuilt(app: &TestApp) {
    app.db.until("select count(*) = 0 from clawback.rebuilds").await;
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_reader_misread_is_retracted_by_the_next_event() {
    let app = TestApp::start().await;
    let events = lives(&app).await;
    let right = state(&app.db).await;
    app.db.execute(MISREAD).await;
    app.see(&events.iter().map(again).collect::<Vec<_>>()).await;
    app.db.settle().await;
    assert_eq!(state(&app.db).await, right);
    assert_eq!(app.db.value("select bool_and(rules > 0) from clawback.payments").await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_facts_of_a_payment_with_a_pruned_body_are_kept_and_joined() {
    let app = TestApp::start().await;
    lives(&app).await;
    let right = state(&app.db).await;
    app.db
        .execute(
            "delete from clawback.event_payloads b using clawback.events e
             where e.event_id = b.event_id and e.type in ('refund.created', 'charge.dispute.closed');
             update clawback.payments set rules = 0",
        )
        .await;
    assert_eq!(app.db.value("select count(*) from clawback.payments where pruned").await, 3);
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(state(&app.db).await, right);
    let told = app.attempt(&["doctor"]).await.stdout;
    assert!(told.contains("3 payments with removed event bodies"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_an_event_of_our_own_cannot_be_removed() {
    let mut app = TestApp::start().await;
    app.live("paid", "o-1").await;
    app.db.execute("select clawback_v1.link_payment(payment_id, 'o-2') from clawback_v1.payments").await;
    app.db.settle().await;
    app.db.expect_errors(&["nobody can send an event of our own again"]);
    let refused = app.db.refusal("delete from clawback.event_payloads").await;
    assert!(refused.contains("nobody can send an event of our own again"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_no_longer_derived_is_deleted_and_its_follow_ups_stay_cancelled() {
    let app = TestApp::start().await;
    app.live("chargeback-open", "o-1").await;
    // As if no reader read it any more.
    app.db.execute("update clawback.event_payloads set payload = '{}'").await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(app.db.value("select count(*) from clawback.payments").await, 0);
    assert_eq!(app.db.value("select count(*) from clawback.orders").await, 0);
    let left = "select distinct state, wanted, payment_id from clawback.follow_ups";
    assert_eq!(app.db.rows(left).await, [json!({ "state": "cancelled", "wanted": false, "payment_id": null })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_processor_stands_by_while_a_newer_one_runs() {
    let mut app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    app.deliver_all(&tell("chargeback-lost", "o-1")).await;
    app.stop().await.expect("a clean end");
    held.commit().await.expect("a commit");
    app.db.execute("insert into clawback.processors values (gen_random_uuid(), 1000, now() + interval '1 hour')").await;
    let mut conn = app.db.pool.acquire().await.expect("a connection");
    let batch = apply::batch(&mut conn, Take::Next, &Rules::current("order_id")).await;
    assert!(matches!(batch, Ok(Batch::Busy)), "{batch:?}");
    app.db.execute("delete from clawback.processors where rules = 1000").await;
    let batch = apply::batch(&mut conn, Take::Next, &Rules::current("order_id")).await;
    assert!(matches!(batch, Ok(Batch::Done(_))), "{batch:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_rows_are_not_written() {
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
async fn a_service_with_another_order_key_refuses_to_start_unless_told_and_then_finds_every_order_by_it() {
    let mut app = TestApp::start().await;
    let told = tell_with("paid", Cast { order_key: "basket".to_owned(), ..Cast::new("o-1", 0) });
    app.deliver_all(&told).await;
    app.db.settle().await;
    assert_eq!(app.db.value("select count(*) from clawback.orders").await, 0);
    app.stop().await.expect("a clean end");

    let environment = [
        ("DATABASE_URL", app.db.url.as_str()),
        ("STRIPE_WEBHOOK_SECRETS", SECRET),
        ("CLAWBACK_LISTEN", "127.0.0.1:0"),
        ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("CLAWBACK_ORDER_KEY", "basket"),
    ];
    let Ended { code, stderr, .. } = run(&["serve"], &environment).await;
    assert!(stderr.contains("uses order_id") && stderr.contains("--order-key-changed"), "{stderr}");
    assert_eq!(code, Some(2));
    assert_eq!(app.db.value("select order_key from clawback.settings").await, "order_id");

    let change = |service: &mut Service| {
        service.order_key = "basket".to_owned();
        service.order_key_changed = true;
    };
    let mut changed = TestApp::start_on(app.db.again(), change).await;
    app.db.until("select exists (select from clawback.orders where order_id = 'o-1')").await;
    changed.stop().await.expect("a clean end");
    assert_eq!(app.db.value("select order_key from clawback.settings").await, "basket");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_violates_a_newer_constraint_waits_without_counting_an_attempt() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["of_a_newer_release"]);
    app.db.execute("alter table clawback.refunds add constraint of_a_newer_release check (amount <= 0)").await;
    app.deliver_all(&tell("partial-refund", "o-1")).await;
    app.db.until("select max(attempts) > 0 from clawback.events").await;

    app.db
        .execute(
            "insert into clawback.migrations (version, description, success, checksum, execution_time)
             values (9999, 'of a newer release', true, '', 0)",
        )
        .await;
    let last = app.db.value("select max(seq) from clawback.events").await;
    app.deliver_all(&tell("full-refund", "o-2")).await;
    app.db
        .until("select exists (select from clawback.pending_events where run_at > now() + interval '4 seconds')")
        .await;
    let tried = format!("select max(attempts) from clawback.events where state = 'pending' and seq > {last}");
    assert_eq!(app.db.value(&tried).await, 0);
    app.db.execute("alter table clawback.refunds drop constraint of_a_newer_release").await;
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waiting_for_a_lock_blocks_others_only_briefly() {
    let mut db = Database::empty().await;
    db.expect_errors(&["canceling statement due to lock timeout"]);
    let mut older = migrator();
    let before: Vec<_> = older.iter().filter(|migration| migration.version < 5).cloned().collect();
    older.migrations = before.into();
    older.run(&db.pool).await.expect("the migrations of an older release");
    // The next one creates a trigger on this table, which needs a lock that conflicts with writers.
    let write = "lock table clawback.event_payloads in row exclusive mode";
    let writer = db.begin(write).await;
    let target = options(&db.url);
    let migrating = tokio::spawn(async move { migrate(&target).await });
    let waits = "select exists (select from pg_locks
                 where relation = 'clawback.event_payloads'::regclass and not granted)";
    // It waits three times, and each time another session writes behind it.
    for _ in 0..3 {
        db.until(waits).await;
        let began = std::time::Instant::now();
        db.begin(write).await.commit().await.expect("a commit");
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    }
    writer.commit().await.expect("the writer ends");
    migrating.await.expect("no panic").expect("it is tried again");
    let done = db.value("select max(version) from clawback.migrations").await;
    assert_eq!(done, required_version());
}

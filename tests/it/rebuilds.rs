//! Promise: a rebuild derives payments again from their stored events beside running traffic, and loses nothing.

use clawback::apply::{self, Batch, Counts, Rules, Take};
use serde_json::{Value, json};

use crate::bodies::{charge, event, refund};
use crate::harness::TestApp;
use crate::upgrades::{MISREAD, again, lives, rebuilt, state};

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_covers_every_payment_while_events_arrive_and_is_idempotent() {
    let app = TestApp::start().await;
    let events = lives(&app).await;
    let right = state(&app.db).await;
    app.db.execute(MISREAD).await;
    // A document of a newer release, or a damaged one: it cannot be read, and is rebuilt too.
    app.db
        .execute("update clawback.payments set facts = '{\"charges\": 7}', rules = 99 where state = 'disputed'")
        .await;
    app.command(&["rebuild", "--all"]).await;
    app.see(&events.iter().map(again).collect::<Vec<_>>()).await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(state(&app.db).await, right);
    let unprocessed = "select event_id, last_error from clawback_v1.events where state <> 'processed'";
    assert_eq!(app.db.rows(unprocessed).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_records_its_changes_in_the_history() {
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
async fn an_event_that_a_newer_reader_understands_is_read_by_a_rebuild() {
    let app = TestApp::start().await;
    lives(&app).await;
    let right = state(&app.db).await;
    app.db
        .execute(
            "update clawback.events set state = 'ignored', last_error = 'no handler reads it'
             where object_id in (select refund_id from clawback.refunds)",
        )
        .await;
    app.command(&["rebuild", "--all"]).await;
    rebuilt(&app).await;
    assert_eq!(state(&app.db).await, right);
    assert_eq!(app.db.value("select count(*) from clawback_v1.events where state = 'ignored'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_of_a_locked_payment_waits() {
    let mut app = TestApp::start().await;
    app.live("full-refund", "o-1").await;
    app.db.settle().await;
    app.stop().await.expect("a clean end");
    let held = app.db.begin("select from clawback.payments for update").await;
    app.db.execute("insert into clawback.rebuilds (payment_id) select payment_id from clawback.payments").await;
    let mut conn = app.db.pool.acquire().await.expect("a connection");
    let batch = apply::batch(&mut conn, Take::Rebuilds, &Rules::current("order_id")).await;
    assert!(matches!(batch, Ok(Batch::Done(_))), "{batch:?}");
    let batch = apply::batch(&mut conn, Take::Rebuilds, &Rules::current("order_id")).await;
    assert!(matches!(batch, Ok(Batch::Idle)), "it is not tried again at once: {batch:?}");
    held.rollback().await.expect("the row is given back");
    assert_eq!(app.db.value("select count(*) from clawback.rebuilds where run_at > now()").await, 1);
}

/// Keeps events pending while the service that stored them stops; from then on the test runs batches itself.
async fn left_waiting(app: &mut TestApp, bodies: &[String]) {
    let held = app.db.hold_batches().await;
    app.take_in(bodies).await;
    app.stop().await.expect("a clean end");
    held.commit().await.expect("a commit");
}

async fn one_batch(app: &TestApp, take: Take) -> Counts {
    let mut conn = app.db.pool.acquire().await.expect("a connection");
    match apply::batch(&mut conn, take, &Rules::current("order_id")).await {
        Ok(Batch::Done(counts)) => counts,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_with_very_many_events_is_queued_and_its_events_wait_for_the_rebuild() {
    let mut app = TestApp::start().await;
    let events = app.live("partial-refund", "o-1").await;
    let right = state(&app.db).await;
    app.db.execute(MISREAD).await;
    app.db
        .execute(
            "with copy as (
                 insert into clawback.events (event_id, type, livemode, object_id, state, processed_at)
                 select 'evt_copy_' || n, type, livemode, object_id, state, processed_at
                 from generate_series(1, 501) n, (select * from clawback.events order by seq limit 1) e
                 returning event_id
             )
             insert into clawback.event_payloads select event_id, payload
             from copy, (select payload from clawback.event_payloads b join clawback.events e using (event_id)
                         order by e.seq limit 1) b",
        )
        .await;
    left_waiting(&mut app, &[again(&events[0])]).await;
    let counts = one_batch(&app, Take::Next).await;
    assert_eq!((counts.processed, counts.deferred), (0, 1));
    assert_eq!(app.db.value("select max(attempts) from clawback.events where state = 'pending'").await, 0);
    assert_eq!(app.db.value("select count(*) from clawback.rebuilds").await, 1);
    one_batch(&app, Take::Rebuilds).await;
    app.db.until("select bool_and(run_at <= now()) from clawback.pending_events").await;
    assert_eq!(one_batch(&app, Take::Next).await.processed, 1);
    assert_eq!(state(&app.db).await, right);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_rebuilds_twenty_payments_and_queues_the_others() {
    let mut app = TestApp::start().await;
    let mut events = Vec::new();
    for n in 0..25 {
        events.extend(app.live("paid", &format!("o-{n}")).await.into_iter().next());
    }
    app.db.execute(MISREAD).await;
    left_waiting(&mut app, &events.iter().map(again).collect::<Vec<_>>()).await;
    let counts = one_batch(&app, Take::Next).await;
    assert_eq!((counts.processed, counts.deferred), (20, 5));
    assert_eq!(app.db.value("select count(*) from clawback.rebuilds").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waiting_for_replay_counts_in_a_rebuild_of_its_payment() {
    let mut app = TestApp::start().await;
    app.live("chargeback-open", "o-1").await;
    let right = state(&app.db).await;
    app.stop().await.expect("a clean end");
    let disputes =
        "select clawback_v1.replay_event(event_id, 'a test') from clawback.events where type like 'charge.dispute%'";
    app.db.execute(disputes).await;
    app.db.execute("insert into clawback.rebuilds (payment_id) select payment_id from clawback.payments").await;
    one_batch(&app, Take::Rebuilds).await;
    assert_eq!(state(&app.db).await, right);
    let released =
        "select count(*) from clawback_v1.follow_ups where kind = 'release_fulfilment' or state = 'cancelled'";
    assert_eq!(app.db.value(released).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arriving_while_a_rebuild_is_queued_is_news() {
    let mut app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({ "metadata": { "order_id": "o-1" } })))]).await;
    left_waiting(&mut app, &[event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1", "amount": 10_000 })))]).await;
    let ask = "insert into clawback.rebuilds (payment_id, ask_since) select payment_id, now() from clawback.payments";
    for remade in [false, true] {
        app.db.execute(&format!("delete from clawback.rebuilds; {ask}")).await;
        // It is news even if the event itself causes the rebuild, as after an upgrade.
        let rules = if remade { "update clawback.payments set rules = 0" } else { "select 1" };
        app.db.execute(rules).await;
        one_batch(&app, Take::Next).await;
        let asked = "select count(*) from clawback_v1.follow_ups where state = 'ready'";
        assert_eq!(app.db.value(asked).await, 2, "made again: {remade}");
        app.db.execute("delete from clawback.follow_ups; delete from clawback.refunds").await;
        let first =
            "update clawback.payments set facts = facts::jsonb - 'refunds', amount_refunded = 0, state = 'paid';
                     update clawback.orders set amount_refunded = 0, state = 'paid';
                     select clawback_v1.replay_event('evt_2', 'a test');
                     update clawback.pending_events set counted = false";
        app.db.execute(first).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_rebuild_of_a_merged_payment_moves_to_its_successor() {
    let mut app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    let both = refund("re_1", json!({ "charge": "ch_1", "payment_intent": "pi_1" }));
    left_waiting(&mut app, &[event("evt_2", 2, &both)]).await;
    app.db.execute("insert into clawback.rebuilds (payment_id) values ('ch_1')").await;
    one_batch(&app, Take::Next).await;
    assert_eq!(app.db.value("select string_agg(payment_id, ' ') from clawback.rebuilds").await, "pi_1");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_facts_are_rebuilt_from_the_remaining_bodies() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    app.db
        .execute("delete from clawback.event_payloads; update clawback.payments set facts = '{\"charges\": 7}'")
        .await;
    app.see(&[event("evt_2", 2, &refund("re_1", json!({ "charge": "ch_1" })))]).await;
    assert_eq!(app.db.value("select count(*) from clawback_v1.refunds").await, 1);
    assert_eq!(app.db.value("select pruned from clawback.payments where payment_id = 'ch_1'").await, true);
}

//! Promise: any number of replicas share one database, and a restart loses nothing: every event is
//! processed once, and history is written in one order.

use std::collections::BTreeMap;

use clawback::dev::stories::{self, StoryEvent};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::bodies::{charge, event};
use crate::harness::{Database, TestApp, tell};

#[tokio::test(flavor = "multi_thread")]
async fn services_that_start_at_the_same_moment_all_run() {
    let mut databases = Vec::new();
    for _ in 0..8 {
        databases.push(Database::migrated().await);
    }
    let mut starting = JoinSet::new();
    for db in databases {
        starting.spawn(TestApp::start_on(db, |_| {}));
    }
    while let Some(app) = starting.join_next().await {
        app.expect("it starts").ready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processors_share_the_work_and_process_each_event_once() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    replica.ready().await;
    let all: Vec<StoryEvent> = stories::all().iter().flat_map(|story| tell(story.name, story.name)).collect();
    // Events of every payment arrive at both, so that their batches overlap.
    let (mine, theirs): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(place, _)| place % 2 == 0);
    tokio::join!(app.deliver_all(mine.iter().map(|(_, e)| *e)), replica.deliver_all(theirs.iter().map(|(_, e)| *e)));
    app.db.settle().await;
    let events = "select bool_and(state = 'processed' and attempts = 1 and last_error is null), count(*)
                  from clawback_v1.events";
    let [events] = <[Value; 1]>::try_from(app.db.rows(events).await).expect("one row");
    assert_eq!(events, serde_json::json!({ "bool_and": true, "count": all.len() }));
    history_is_a_chain(&app).await;
    let alone = TestApp::start().await;
    alone.deliver_all(&all).await;
    alone.db.settle().await;
    for query in [
        "select order_id, state, amount_paid, amount_refunded, amount_disputed, amount_lost, hold, open_disputes,
                evidence_due_by from clawback_v1.orders order by order_id",
        "select kind, subject, round, order_id, payment_id, payload, due_at, state from clawback_v1.follow_ups
         where wanted order by kind, subject, round",
    ] {
        assert_eq!(app.db.rows(query).await, alone.db.rows(query).await, "{query}");
    }
}

/// Each change of an order starts from the state the previous one ended in, and the last is the state shown.
async fn history_is_a_chain(app: &TestApp) {
    let rows = app.db.rows("select * from clawback_v1.order_history where order_id is not null order by id").await;
    let mut states: BTreeMap<String, Value> = BTreeMap::new();
    for row in rows {
        let order = row["order_id"].as_str().expect("an order").to_owned();
        let before = states.insert(order, row["to_state"].clone()).unwrap_or(Value::Null);
        assert_eq!(row["from_state"], before, "{row}");
    }
    for order in app.db.rows("select order_id, state from clawback_v1.orders").await {
        assert_eq!(states[order["order_id"].as_str().expect("an order")], order["state"]);
    }
    let in_order = "select bool_and(later) from
                        (select recorded_at >= lag(recorded_at, 1, recorded_at) over (order by id) as later
                         from clawback_v1.order_history) h";
    assert_eq!(app.db.value(in_order).await, true, "ids are given in the order of commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_processes_what_another_one_stored_before_it_stopped() {
    let mut app = TestApp::start().await;
    let held = app.db.hold_batches().await;
    app.deliver_all(&tell("chargeback-won", "o-1")).await;
    app.stop().await.expect("a clean end");
    held.commit().await.expect("a commit");
    assert_eq!(app.db.value("select bool_and(state = 'pending') from clawback_v1.events").await, true);
    let next = app.replica().await;
    next.db.settle().await;
    assert_eq!(next.db.value("select state from clawback_v1.orders").await, "paid");
    assert_eq!(
        next.db.value("select bool_and(state = 'processed' and attempts = 1) from clawback_v1.events").await,
        true
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_in_the_middle_of_the_work_loses_nothing() {
    let mut app = TestApp::start().await;
    let all: Vec<StoryEvent> = stories::all().iter().flat_map(|story| tell(story.name, story.name)).collect();
    for part in all.chunks(40) {
        app.deliver_all(part).await;
        app.stop().await.expect("a clean end");
        app = app.replica().await;
    }
    app.db.settle().await;
    assert_eq!(app.db.value("select count(*) from clawback_v1.events where state = 'processed'").await, all.len());
    assert_eq!(app.db.value("select count(*) from clawback_v1.orders").await, stories::all().len());
    history_is_a_chain(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_notifications_finds_events_stored_by_others() {
    let app = TestApp::start().await;
    app.ready().await;
    // As by another replica: stored without notifying this processor.
    let body = event("evt_1", 1, &charge("ch_1", serde_json::json!({})));
    app.db
        .execute(&format!(
            "with stored as (insert into clawback.events (event_id, type, object_id, created_at)
                                 values ('evt_1', 'charge.updated', 'ch_1', now()) returning seq, event_id),
                  bodies as (insert into clawback.event_payloads select event_id, '{body}' from stored)
             insert into clawback.pending_events (seq, event_id) select seq, event_id from stored"
        ))
        .await;
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback_v1.payments where payment_id = 'ch_1'").await, "paid");
}

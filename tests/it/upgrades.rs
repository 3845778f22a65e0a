//! Rows that an older release derived otherwise: ordinary traffic mends them, and nothing fails on them.

use clawback::stories::StoryEvent;
use serde_json::Value;

use crate::harness::TestApp;

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

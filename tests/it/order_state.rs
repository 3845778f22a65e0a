//! Promise: order state is a function of the set of events, not of the way they arrived.

use std::num::NonZeroUsize;

use clawback::stories::delivery::{Order, plan};
use clawback::stories::{self, Cast};

use crate::harness::{TestApp, tell_with};

/// What each story comes to, for a person to read and agree with.
#[tokio::test(flavor = "multi_thread")]
async fn every_story_ends_in_the_state_a_person_expects() {
    let app = TestApp::start().await;
    for story in stories::all() {
        app.live(story.name, story.name).await;
    }
    let rows = app
        .db
        .rows(
            "select order_id, state, amount_paid, amount_refunded, amount_disputed, amount_lost, hold
             from clawback_v1.orders order by order_id",
        )
        .await;
    let lines: Vec<String> = rows.iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn line(row: &serde_json::Value) -> String {
    let cell = |column: &str| row[column].as_str().map_or_else(|| row[column].to_string(), str::to_owned);
    let amounts = ["amount_paid", "amount_refunded", "amount_disputed", "amount_lost"];
    let amounts: Vec<String> = amounts.iter().map(|a| format!("{} {:>5}", &a["amount_".len()..], cell(a))).collect();
    let hold = if row["hold"] == true { " hold" } else { "" };
    format!("{:<24} {:<20} {}{hold}", cell("order_id"), cell("state"), amounts.join("  "))
}

#[tokio::test(flavor = "multi_thread")]
async fn order_and_repeats_of_arrival_change_nothing() {
    let in_order = TestApp::start().await;
    let reversed = TestApp::start().await;
    let shuffled = TestApp::start().await;
    let twice = NonZeroUsize::new(2).expect("two");
    let all: Vec<_> = stories::all().iter().flat_map(|s| tell_with(s.name, Cast::new(s.name, 0))).collect();
    for (app, order) in [(&in_order, Order::AsHappened), (&reversed, Order::Reversed), (&shuffled, Order::Shuffled(3))]
    {
        app.deliver_all(plan(all.len(), order, twice).into_iter().map(|place| &all[place])).await;
        app.db.settle().await;
    }
    for query in COMPARED {
        let expected = in_order.db.rows(query).await;
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(reversed.db.rows(query).await, expected, "{query}");
        assert_eq!(shuffled.db.rows(query).await, expected, "{query}");
    }
}

/// All that a service may read of state; times of our own clock and ids of our own making apart.
const COMPARED: [&str; 5] = [
    "select order_id, account, livemode, currency, state, amount_paid, amount_refunded, amount_disputed, amount_lost,
            hold, open_disputes, evidence_due_by from clawback_v1.orders order by order_id",
    "select payment_id, order_id, charge_id, account, livemode, currency, amount, amount_paid, amount_refunded,
            amount_disputed, amount_lost, state, hold, evidence_due_by from clawback_v1.payments order by payment_id",
    "select refund_id, payment_id, order_id, charge_id, amount, currency, status, reason, failure_reason, created_at
     from clawback_v1.refunds order by refund_id",
    "select dispute_id, payment_id, order_id, charge_id, amount, currency, reason, network_reason_code, status, phase,
            outcome, evidence_due_by, has_evidence, past_due, submission_count, is_charge_refundable, amount_withdrawn,
            amount_reinstated, fee, settlement_currency, created_at from clawback_v1.disputes order by dispute_id",
    "select kind, subject, round, order_id, payment_id, payload, due_at from clawback_v1.follow_ups
     where wanted order by kind, subject, round",
];

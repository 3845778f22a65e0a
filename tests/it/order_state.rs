//! Promise: order state is a function of the set of events, not of the way they arrived.

use std::num::NonZeroUsize;

use clawback::stories::delivery::{Order, plan};
use clawback::stories::{self, Cast};

use crate::harness::{STATE, TestApp, tell_with};

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
    for query in STATE {
        let expected = in_order.db.rows(query).await;
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(reversed.db.rows(query).await, expected, "{query}");
        assert_eq!(shuffled.db.rows(query).await, expected, "{query}");
    }
}

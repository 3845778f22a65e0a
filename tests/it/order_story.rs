//! Promise: an order's story, told to a person, adds up to the order: in each account, mode and currency.

use clawback::dev::stories;
use serde_json::{Value, json};

use crate::bodies::{DAY, T0, charge, dispute, event, event_with, intent, refund};
use crate::harness::TestApp;

const COLUMNS: [(&str, &str); 4] = [
    ("paid", "amount_paid"),
    ("refunded", "amount_refunded"),
    ("disputed", "amount_disputed"),
    ("lost", "amount_lost"),
];

impl TestApp {
    /// The orders of a reference with their statements, each of which must add up to its order.
    async fn orders_that_add_up(&self, order_id: &str) -> Vec<Value> {
        let story = self.json(&["orders", "show", order_id]).await;
        let orders = story["orders"].as_array().expect("orders").clone();
        for order in &orders {
            let lines = order["statement"].as_array().expect("lines");
            assert!(!lines.is_empty(), "{order_id}: {order}");
            for (column, amount) in COLUMNS {
                let sum: i64 = lines.iter().filter_map(|line| line[column].as_i64()).sum();
                // Unknown is 0 in a sum.
                assert_eq!(sum, order[amount].as_i64().unwrap_or(0), "{order_id} {column}: {order}");
                assert_eq!(order["total"][column], sum, "{order_id} {column}");
            }
            let times: Vec<&str> = lines.iter().filter_map(|line| line["at"].as_str()).collect();
            assert!(times.is_sorted() && times.iter().all(|at| at.ends_with('Z')), "{order_id}: {times:?}");
        }
        orders
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_story_adds_up() {
    let app = TestApp::start().await;
    for story in stories::all() {
        app.deliver_all(&crate::harness::tell(story.name, story.name)).await;
    }
    app.db.settle().await;
    let mut seen = [0; 4];
    for story in stories::all() {
        let orders = app.orders_that_add_up(story.name).await;
        assert_eq!(orders.len(), 1, "{}", story.name);
        for (seen, (column, _)) in seen.iter_mut().zip(COLUMNS) {
            *seen += orders[0]["total"][column].as_i64().expect("an amount");
        }
    }
    assert!(seen.iter().all(|sum| *sum > 0), "a column that shows nothing proves nothing: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_an_order_of_several_payments_is_one() {
    let app = TestApp::start().await;
    for story in ["lost-part-back", "two-disputes", "partial-capture", "refund-fails-later", "fraud-warning"] {
        app.live(story, "o_1").await;
    }
    let orders = app.orders_that_add_up("o_1").await;
    let lines = orders[0]["statement"].as_array().expect("lines");
    let mut kinds: Vec<&str> = lines.iter().filter_map(|line| line["what"].as_str()).collect();
    kinds.dedup();
    for kind in ["charge", "refund", "dispute", "dispute balance", "fraud warning", "notify_refund"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let story = app.json(&["orders", "show", "o_1"]).await;
    let follow_ups = lines.iter().filter(|line| line["follow_up"].is_i64()).count();
    assert_eq!(story["follow_ups"].as_array().map(Vec::len), Some(follow_ups), "each follow-up is a line");
    assert!(!story["history"].as_array().expect("history").is_empty());
    let text = app.command(&["orders", "show", "o_1"]).await.stdout;
    assert!(text.contains("total") && text.contains("dispute balance") && !text.contains("+00:00"), "{text}");
    let unknown = app.attempt(&["orders", "show", "o_2"]).await;
    assert_eq!((unknown.code, unknown.stderr.lines().count()), (Some(1), 1));
    assert!(unknown.stderr.contains("no order o_2"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reference_in_several_currencies_modes_and_accounts_is_several_orders() {
    let app = TestApp::start().await;
    let of = |changes: Value| crate::bodies::with(json!({ "metadata": { "order_id": "o_1" } }), changes);
    let elsewhere = json!({ "account": "acct_1", "livemode": true });
    app.see(&[
        event("evt_1", 1, &charge("ch_eur", of(json!({})))),
        event("evt_2", 2, &charge("ch_usd", of(json!({ "currency": "usd", "amount_captured": 7_000 })))),
        event("evt_3", 3, &refund("re_usd", json!({ "charge": "ch_usd", "currency": "usd" }))),
        event_with("evt_4", 4, &charge("ch_acct", of(json!({ "amount_captured": 500 }))), elsewhere),
    ])
    .await;
    let orders = app.orders_that_add_up("o_1").await;
    let told: Vec<_> = orders.iter().map(|o| (&o["account"], &o["currency"], &o["total"]["paid"])).collect();
    assert_eq!(
        told,
        [
            (&Value::Null, &json!("eur"), &json!(10_000)),
            (&Value::Null, &json!("usd"), &json!(7_000)),
            (&json!("acct_1"), &json!("eur"), &json!(500)),
        ]
    );
    let text = app.command(&["orders", "show", "o_1"]).await.stdout;
    for heading in ["100.00 EUR", "70.00 USD", "5.00 EUR", "test mode\n", "live mode, account acct_1\n"] {
        assert!(text.contains(heading), "{heading} is not in {text}");
    }
}

/// What no story tells: name, events, and what must be paid, refunded, disputed and lost.
fn oddities() -> Vec<(&'static str, Vec<String>, [i64; 4])> {
    let of = |order: &str, changes: Value| crate::bodies::with(json!({ "metadata": { "order_id": order } }), changes);
    let entry = json!({ "id": "txn_1", "created": T0 + DAY, "amount": -9_000, "fee": 1_500, "currency": "eur" });
    let foreign =
        json!({ "charge": "ch_foreign", "currency": "usd", "status": "lost", "balance_transactions": [entry] });
    let void = json!({ "amount_captured": 0, "amount_refunded": 10_000, "refunded": true, "captured": false });
    let part = json!({ "amount_captured": 4_000, "amount_refunded": 6_500 });
    vec![
        (
            "foreign",
            vec![
                event("evt_1", 1, &charge("ch_foreign", of("foreign", json!({})))),
                event("evt_2", 2, &dispute("dp_foreign", foreign)),
                event("evt_3", 3, &refund("re_foreign", json!({ "charge": "ch_foreign", "currency": "usd" }))),
            ],
            [10_000, 0, 0, 0],
        ),
        (
            "void",
            vec![
                event("evt_4", 4, &charge("ch_void", of("void", void))),
                event("evt_5", 5, &refund("re_void", json!({ "charge": "ch_void", "amount": 10_000 }))),
            ],
            [0, 0, 0, 0],
        ),
        (
            "part",
            vec![
                event("evt_6", 6, &charge("ch_part", of("part", part))),
                event(
                    "evt_7",
                    7,
                    &refund(
                        "re_release",
                        json!({ "charge": "ch_part", "amount": 6_000, "reason": "expired_uncaptured_charge" }),
                    ),
                ),
                event("evt_8", 8, &refund("re_part", json!({ "charge": "ch_part", "amount": 500 }))),
            ],
            [4_000, 500, 0, 0],
        ),
        ("intent", vec![event("evt_9", 9, &intent("pi_only", of("intent", json!({}))))], [10_000, 0, 0, 0]),
        (
            "unseen",
            vec![
                event("evt_10", 10, &refund("re_unseen", json!({ "charge": "ch_unseen" }))),
                event("evt_11", 11, &refund("re_failed", json!({ "charge": "ch_unseen", "status": "failed" }))),
                event("evt_12", 12, &dispute("dp_unseen", json!({ "charge": "ch_unseen", "amount": 300 }))),
            ],
            [0, 1_000, 300, 0],
        ),
        (
            "total only",
            vec![event("evt_13", 13, &charge("ch_total", of("total only", json!({ "amount_refunded": 2_500 }))))],
            [10_000, 2_500, 0, 0],
        ),
        (
            "beyond",
            vec![
                event("evt_14", 14, &charge("ch_beyond", of("beyond", json!({ "amount_captured": 800 })))),
                event("evt_15", 15, &refund("re_beyond", json!({ "charge": "ch_beyond" }))),
            ],
            [800, 800, 0, 0],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_story_tells_adds_up_too() {
    let app = TestApp::start().await;
    app.db.execute("select clawback_v1.link_payment('ch_unseen', 'unseen')").await;
    for (order_id, events, expected) in oddities() {
        app.see(&events).await;
        let orders = app.orders_that_add_up(order_id).await;
        assert_eq!(orders.len(), 1, "{order_id}");
        let total = &orders[0]["total"];
        assert_eq!(COLUMNS.map(|(column, _)| total[column].as_i64().expect("an amount")), expected, "{order_id}");
    }
}

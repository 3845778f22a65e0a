//! Promise: a payment without an order is kept, shown and counted until it is linked, by whoever and whenever.

use clawback::store::{gauges, health};
use serde_json::json;

use crate::bodies::{charge, event, refund};
use crate::harness::{Database, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_linked_late_and_anew_and_before_it_is_seen() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["is no payment"]);
    let app = TestApp::start_on(db, |_| {}).await;
    app.ready().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", json!({})))]).await;
    let link = async |payment: &str, order: &str| {
        app.db.execute(&format!("select clawback_v1.link_payment('{payment}', '{order}')")).await;
        app.db.settle().await;
    };
    let orders = async || app.db.rows("select order_id, amount_paid from clawback_v1.orders order by order_id").await;
    link("ch_1", "o_1").await;
    assert_eq!(orders().await, [json!({ "order_id": "o_1", "amount_paid": 10_000 })]);
    link("ch_1", "o_2").await;
    assert_eq!(orders().await, [json!({ "order_id": "o_2", "amount_paid": 10_000 })]);
    // What somebody says stands above metadata, whenever it comes.
    app.see(&[event("evt_2", 2, &charge("ch_1", json!({ "metadata": { "order_id": "o_3" } })))]).await;
    assert_eq!(orders().await.len(), 1);
    link("pi_later", "o_4").await;
    assert_eq!(orders().await.len(), 1, "a word alone makes no order");
    app.see(&[event("evt_3", 3, &charge("ch_later", json!({ "payment_intent": "pi_later" })))]).await;
    assert_eq!(orders().await[1], json!({ "order_id": "o_4", "amount_paid": 10_000 }));
    let linked = "select count(*) from clawback_v1.events where type = 'clawback.linked' and state = 'processed'";
    assert_eq!(app.db.value(linked).await, 3);
    app.see(&[event("evt_4", 4, &refund("re_orphan", json!({})))]).await;
    let refused = app.db.refusal("select clawback_v1.link_payment('re_orphan', 'o_5')").await;
    assert_eq!(refused, "link_payment: re_orphan is no payment");
    let feed = app.db.rows("select order_id, from_state, to_state from clawback_v1.order_history order by id").await;
    assert_eq!(feed[0], json!({ "order_id": null, "from_state": null, "to_state": "paid" }));
    assert_eq!(feed[1], json!({ "order_id": null, "from_state": "paid", "to_state": null }));
    assert_eq!(feed[3], json!({ "order_id": "o_1", "from_state": "paid", "to_state": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_without_an_order_is_told_of_until_it_is_linked() {
    let app = TestApp::start().await;
    let declined = json!({ "status": "failed", "captured": false, "failure_code": "card_declined" });
    app.see(&[
        event("evt_1", 1, &charge("ch_1", json!({ "metadata": { "order_id": "o_1" } }))),
        event("evt_2", 2, &charge("ch_2", json!({ "payment_method_details": { "type": "klarna" } }))),
        event("evt_3", 3, &refund("re_2", json!({ "charge": "ch_2", "amount": 1 }))),
        event("evt_4", 4, &charge("ch_3", declined)),
    ])
    .await;
    let listed = app.json(&["payments", "list", "--unlinked"]).await;
    let of = |id: &str| {
        listed.as_array().expect("rows").iter().find(|row| row["payment_id"] == id).expect("it is listed").clone()
    };
    assert_eq!((listed.as_array().map(Vec::len), &of("ch_2")["payment_method"]), (Some(2), &json!("klarna")));
    assert_eq!((&of("ch_3")["failure_code"], &of("ch_3")["state"]), (&json!("card_declined"), &json!("failed")));
    assert_eq!(app.json(&["payments", "list"]).await.as_array().map(Vec::len), Some(3));
    let told = async || {
        let mut conn = app.db.pool.acquire().await.expect("a connection");
        let gauge = gauges::read(&mut conn).await.expect("the gauges are read").unlinked;
        let backlog = health::backlog(&mut conn).await.expect("the backlog is read").unlinked;
        assert_eq!(gauge, backlog);
        gauge
    };
    assert_eq!(told().await, 1, "of the declined one nothing was paid");
    let doctor = app.attempt(&["doctor"]).await.stdout;
    assert!(doctor.contains("1 payment not linked to an order: see `clawback payments list --unlinked`"), "{doctor}");
    let shown = app.json(&["orders", "show", "re_2"]).await;
    let payment = &shown["unlinked"][0];
    assert_eq!((&payment["payment_id"], &payment["total"]["refunded"]), (&json!("ch_2"), &json!(1)), "{shown}");
    assert_eq!(shown["history"][0]["to_state"], "paid");
    let text = app.command(&["orders", "show", "re_2"]).await.stdout;
    assert!(text.contains("`clawback payments link ch_2 ORDER`") && text.contains("0.01 EUR"), "{text}");
    let swapped = app.attempt(&["payments", "link", "order9", "ch_2"]).await;
    assert_eq!(swapped.code, Some(2));
    assert!(swapped.stderr.contains("did you mean `clawback payments link ch_2 order9`?"), "{}", swapped.stderr);
    app.command(&["payments", "link", "ch_2", "o_2", "--by", "ada"]).await;
    app.db.settle().await;
    assert_eq!(told().await, 0);
    for term in ["o_2", "ch_2", "re_2", "evt_3"] {
        let shown = app.json(&["orders", "show", term]).await;
        assert_eq!(shown["orders"][0]["order_id"], "o_2", "{term}");
    }
    let written = app.db.rows("select actor, via, subject, detail from clawback_v1.actions").await;
    assert_eq!(written, [json!({ "actor": "ada", "via": "cli", "subject": "ch_2", "detail": { "order_id": "o_2" } })]);
    let taken = app.command(&["payments", "link", "ch_1", "o_9"]).await.stdout;
    assert!(taken.starts_with("payment ch_1 will be taken from order o_1 and linked to order o_9"), "{taken}");
    app.db.settle().await;
}

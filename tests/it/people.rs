//! Promise: payers are shown to roles that may read personal data, and stored nowhere else.

use serde_json::{Value, json};

use crate::bodies::{charge, event, intent, session, with};
use crate::harness::TestApp;

const PEOPLE: &str = "select payment_id, customer_id, email, name from clawback_v1.payment_people order by payment_id";

fn billed(email: &str) -> Value {
    json!({ "customer": "cus_1", "billing_details": { "email": email, "name": "Ada Lovelace" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_details_count_in_any_order_of_arrival() {
    let of_intent = |email: &str| charge("ch_1", with(json!({ "payment_intent": "pi_1" }), billed(email)));
    let told = [event("evt_1", 1, &of_intent("old@example.com")), event("evt_2", 2, &of_intent("new@example.com"))];
    let expected =
        [json!({ "payment_id": "pi_1", "customer_id": "cus_1", "email": "new@example.com", "name": "Ada Lovelace" })];
    for order in [[0, 1], [1, 0]] {
        let app = TestApp::start().await;
        for n in order {
            app.see(&[told[n].clone()]).await;
        }
        assert_eq!(app.db.rows(PEOPLE).await, expected);
        // A value that a later event omits is kept.
        app.see(&[event("evt_3", 3, &charge("ch_1", json!({ "payment_intent": "pi_1", "customer": "cus_1" })))]).await;
        assert_eq!(app.db.rows(PEOPLE).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payer_of_a_charge_becomes_the_payer_of_its_intent() {
    let app = TestApp::start().await;
    app.see(&[event("evt_1", 1, &charge("ch_1", billed("ada@example.com")))]).await;
    assert_eq!(app.db.value(&format!("select payment_id from ({PEOPLE}) p")).await, "ch_1");
    app.see(&[event(
        "evt_2",
        2,
        &intent("pi_1", json!({ "latest_charge": "ch_1", "receipt_email": "bo@example.com" })),
    )])
    .await;
    let [row] = <[Value; 1]>::try_from(app.db.rows(PEOPLE).await).expect("one payment");
    assert_eq!(
        row,
        json!({ "payment_id": "pi_1", "customer_id": "cus_1", "email": "bo@example.com", "name": "Ada Lovelace" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_is_in_no_view_that_every_reader_sees() {
    let app = TestApp::start().await;
    let details =
        json!({ "payment_intent": "pi_1", "customer_details": { "email": "ada@example.com", "name": "Ada" } });
    app.see(&[
        event("evt_1", 1, &session("cs_1", details)),
        event("evt_2", 2, &charge("ch_1", billed("bo@example.com"))),
    ])
    .await;
    assert_eq!(app.db.rows(PEOPLE).await.len(), 2);
    let told = "select string_agg(p::text, ' ') from clawback.payments p";
    let facts = app.db.value(told).await.to_string();
    assert!(facts.contains("cs_1") && !facts.contains("example.com") && !facts.contains("Ada"), "{facts}");
}

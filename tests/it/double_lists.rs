//! Promise: everything that an account did is read from the double's lists: paged, by time, expanded.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::double_world::{Form, World};

const DAY: i64 = 86_400;

fn ids(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    data.iter().map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
}

/// All pages of a list, two objects at a time, newest first.
async fn all(world: &World, path: &str, form: Form<'_>) -> Vec<String> {
    let mut found = Vec::new();
    loop {
        let after = found.last().cloned();
        let cursor = after.as_ref().map(|id: &String| ("starting_after", id.as_str()));
        let page = world.get(path, &[form, &[("limit", "2")], cursor.as_slice()].concat()).await.body;
        found.extend(ids(&page));
        if page["has_more"] == false {
            return found;
        }
    }
}

async fn happens(world: &World, what: &str, id: &str) -> Value {
    world.control("bank", json!({ "happens": what, "id": id })).await
}

/// Three days with a payment each, refunded in part, disputed in part, warned of and reviewed.
async fn three_days(world: &World) {
    let page = [
        ("mode", "payment"),
        ("line_items[0][price_data][currency]", "eur"),
        ("line_items[0][price_data][unit_amount]", "500"),
        ("line_items[0][price_data][product_data][name]", "Kettle"),
        ("line_items[0][quantity]", "2"),
    ];
    for _ in 0..3 {
        let session = world.post("/v1/checkout/sessions", &page).await;
        let paid = happens(world, "session_paid", &session.id()).await;
        assert_eq!((&paid["payment_status"], &paid["amount_total"]), (&json!("paid"), &json!(1_000)), "{paid}");
        let intent = paid["payment_intent"].as_str().unwrap();
        let intent = world.get(&format!("/v1/payment_intents/{intent}"), &[]).await.body;
        let charge = intent["latest_charge"].as_str().unwrap();
        world.post("/v1/refunds", &[("charge", charge), ("amount", "100")]).await;
        happens(world, "fraud_warning", charge).await;
        happens(world, "review", charge).await;
        let disputed = world.pay("700", "pm_card_visa").await;
        happens(world, "chargeback", &disputed).await;
        world.advance(DAY).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_is_paged_and_cut_by_time() {
    let world = World::start().await;
    three_days(&world).await;
    let now = world.look("clock").await["now"].as_i64().unwrap();
    let since = (now - 2 * DAY - DAY / 2).to_string();
    let until = (now - DAY - DAY / 2).to_string();
    let middle = [("created[gte]", since.as_str()), ("created[lt]", until.as_str())];
    for (path, each_day) in [
        ("/v1/charges", 2),
        ("/v1/payment_intents", 2),
        ("/v1/checkout/sessions", 1),
        ("/v1/refunds", 1),
        ("/v1/disputes", 1),
        ("/v1/radar/early_fraud_warnings", 1),
        ("/v1/reviews", 1),
        ("/v1/balance_transactions", 4),
    ] {
        let found = all(&world, path, &[]).await;
        assert_eq!(found.len(), 3 * each_day, "{path}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "{path}");
        let page = world.get(path, &[("limit", "100")]).await.body;
        let created = page["data"].as_array().unwrap().iter().map(|it| it["created"].as_i64().unwrap());
        assert!(created.rev().is_sorted(), "{path} is not newest first: {page}");
        let day = all(&world, path, &middle).await;
        assert_eq!(day, found[each_day..2 * each_day], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_the_balance_add_up_and_name_their_sources() {
    let world = World::start().await;
    three_days(&world).await;
    let form = [("limit", "100"), ("expand[]", "data.source")];
    let entries = world.get("/v1/balance_transactions", &form).await.body;
    let entries = entries["data"].as_array().unwrap();
    let sum: i64 = entries.iter().map(|entry| entry["amount"].as_i64().unwrap()).sum();
    assert_eq!(sum, 3 * (1_000 - 100), "what was disputed is gone");
    for entry in entries {
        let expected = match entry["type"].as_str().unwrap() {
            "charge" => "charge",
            "refund" => "refund",
            _ => "dispute",
        };
        assert_eq!(entry["source"]["object"], expected, "{entry}");
        let path = format!("/v1/balance_transactions/{}", entry["id"].as_str().unwrap());
        assert_eq!(world.get(&path, &[]).await.body["amount"], entry["amount"]);
    }
    let refunds = world.get("/v1/balance_transactions", &[("type", "refund")]).await.body;
    assert_eq!(ids(&refunds).len(), 3);
    let charges = world.get("/v1/charges", &[("expand[]", "data.balance_transaction")]).await.body;
    assert_eq!(charges["data"][0]["balance_transaction"]["amount"], 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_review_is_retrieved_and_no_longer_listed() {
    let world = World::start().await;
    let (approved, closed) = (world.pay("700", "pm_card_visa").await, world.pay("700", "pm_card_visa").await);
    let review = happens(&world, "review", &approved).await;
    let other = happens(&world, "review", &closed).await;
    assert_eq!(ids(&world.get("/v1/reviews", &[]).await.body).len(), 2);
    let path = format!("/v1/reviews/{}", review["id"].as_str().unwrap());
    assert_eq!(world.post(&format!("{path}/approve"), &[]).await.body["closed_reason"], "approved");
    assert_eq!(world.post(&format!("{path}/approve"), &[]).await.status, 400);
    let reason = json!({ "happens": "review_closes", "id": other["id"], "reason": "redacted" });
    assert_eq!(world.control("bank", reason).await["reason"], "redacted");
    assert_eq!(world.get("/v1/reviews", &[]).await.body["data"], json!([]));
    assert_eq!(world.get(&path, &[]).await.body["open"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_gone_after_30_days_and_objects_are_not() {
    let world = World::start().await;
    three_days(&world).await;
    world.advance(29 * DAY).await;
    let events = world.get("/v1/events", &[("type", "charge.succeeded")]).await.body;
    assert_eq!(ids(&events).len(), 2, "of the last day only");
    assert_eq!(all(&world, "/v1/charges", &[]).await.len(), 6);
}

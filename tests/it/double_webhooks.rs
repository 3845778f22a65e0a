//! Promise: what happens in the double is delivered, signed, and listed; and gets lost or disordered on request.

use serde_json::{Value, json};

use crate::double_world::{Receiver, World};
use crate::harness::SECRET;

const PAID: [&str; 3] = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"];

async fn with_receiver(refusals: u32, endpoint: Value) -> (World, Receiver) {
    let (world, receiver) = (World::start().await, Receiver::start(refusals).await);
    let mut all = json!({ "url": receiver.url, "secrets": ["whsec_old", SECRET] });
    all.as_object_mut().unwrap().extend(endpoint.as_object().unwrap().clone());
    world.control("webhooks", all).await;
    (world, receiver)
}

fn sorted(mut types: Vec<String>) -> Vec<String> {
    types.sort();
    types
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_happens_is_delivered_signed_and_names_the_request() {
    let (world, receiver) = with_receiver(0, json!({})).await;
    let charge = world.pay("1000", "pm_card_visa").await;
    let refund = world.keyed("k1", "/v1/refunds", &[("charge", &charge)]).await.unwrap();
    let types = sorted(receiver.settled(&world).await);
    assert_eq!(
        types,
        sorted(
            [&PAID[..], &["refund.created", "charge.refunded"]].concat().iter().map(|it| (*it).to_owned()).collect()
        )
    );
    let created = receiver.events().into_iter().find(|event| event["type"] == "refund.created").unwrap();
    assert_eq!(created["request"], json!({ "id": refund.header("Request-Id"), "idempotency_key": "k1" }));
    assert_eq!(created["data"]["object"], refund.body);
    let retrieved = world.get(&format!("/v1/events/{}", created["id"].as_str().unwrap()), &[]).await.body;
    assert_eq!(retrieved, created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_fails_is_made_again() {
    let (world, receiver) = with_receiver(3, json!({})).await;
    world.pay("1000", "pm_card_visa").await;
    let undelivered = world.get("/v1/events", &[("delivery_success", "false")]).await.body;
    assert!(!undelivered["data"].as_array().unwrap().is_empty() || !receiver.types().is_empty());
    assert_eq!(sorted(receiver.settled(&world).await), sorted(PAID.map(str::to_owned).into()));
    let undelivered = world.get("/v1/events", &[("delivery_success", "false")]).await.body;
    assert_eq!(undelivered["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_get_lost_and_are_listed_all_the_same() {
    let (world, receiver) = with_receiver(0, json!({})).await;
    world.control("webhooks/behaviour", json!({ "lose": 2 })).await;
    world.pay("1000", "pm_card_visa").await;
    assert_eq!(receiver.settled(&world).await, [PAID[2]]);
    let lost = world.get("/v1/events", &[("delivery_success", "false")]).await.body;
    let types: Vec<_> = lost["data"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, [PAID[1], PAID[0]], "newest first");
    let chosen = world.get("/v1/events", &[("types[0]", PAID[0]), ("types[1]", PAID[2])]).await.body;
    assert_eq!(chosen["data"].as_array().unwrap().len(), 2);
    let lost = lost["data"][0]["id"].clone();
    world.control("webhooks/resend", json!({ "event": lost })).await;
    assert!(receiver.settled(&world).await.contains(&PAID[1].to_owned()));
    world.advance(30 * 86_400 + 1).await;
    assert_eq!(world.get("/v1/events", &[]).await.body["data"], json!([]), "after 30 days");
}

#[tokio::test(flavor = "multi_thread")]
async fn held_deliveries_are_released_with_their_copies() {
    let (world, receiver) = with_receiver(0, json!({ "enabled_events": ["charge.succeeded"] })).await;
    world.control("webhooks/behaviour", json!({ "hold": true, "copies": 2 })).await;
    world.pay("1000", "pm_card_visa").await;
    assert_eq!((world.look("webhooks").await["pending"].clone(), receiver.types().len()), (json!(2), 0));
    world.control("webhooks/release", json!({ "shuffle": 3 })).await;
    receiver.settled(&world).await;
    let ids: Vec<_> = receiver.events().iter().map(|event| event["id"].clone()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thin_endpoint_gets_notifications_that_lead_to_the_object() {
    let (world, receiver) = with_receiver(0, json!({ "payload": "thin" })).await;
    let charge = world.pay("1000", "pm_card_visa").await;
    receiver.settled(&world).await;
    let events = receiver.events();
    let thin = events.iter().find(|event| event["type"] == "v1.charge.succeeded").unwrap();
    assert_eq!((&thin["object"], thin.get("data")), (&json!("v2.core.event"), None));
    let fetched = world.get(&format!("/v2/core/events/{}", thin["id"].as_str().unwrap()), &[]).await.body;
    assert_eq!(&fetched, thin);
    let related = world.get(thin["related_object"]["url"].as_str().unwrap(), &[]).await;
    assert_eq!(related.id(), charge);
}

#[tokio::test(flavor = "multi_thread")]
async fn connected_accounts_have_endpoints_of_their_own() {
    let (world, receiver) = with_receiver(0, json!({ "scope": "connect" })).await;
    world.control("accounts", json!({ "id": "acct_1" })).await;
    world.pay("1000", "pm_card_visa").await;
    let form = [("amount", "700"), ("currency", "eur")];
    let there = world.request("POST", "/v1/payment_intents", &form).header("Stripe-Account", "acct_1");
    assert_eq!(there.send().await.unwrap().status(), 200);
    assert_eq!(receiver.settled(&world).await, ["payment_intent.created"]);
    assert_eq!(receiver.events()[0]["account"], "acct_1");
}

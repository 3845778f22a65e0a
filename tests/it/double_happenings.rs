//! Promise: the control API of the double makes rare things happen: late failures, expiries, lost webhooks.
//! Also: Checkout Sessions, charges without intent.

use serde_json::{Value, json};

use crate::double_world::{Receiver, World, said};
use crate::harness::SECRET;

const DAY: i64 = 86_400;

async fn happens(world: &World, what: &str, id: &str) -> Value {
    world.control("bank", json!({ "happens": what, "id": id })).await
}

/// An intent with an authorization of 1000 that waits for its capture, and its charge.
async fn hold(world: &World) -> (String, String) {
    let form = [("amount", "1000"), ("currency", "eur"), ("confirm", "true"), ("capture_method", "manual")];
    let intent = world.post("/v1/payment_intents", &form).await;
    (intent.id(), intent.body["latest_charge"].as_str().unwrap().to_owned())
}

async fn types(world: &World) -> Vec<String> {
    let events = world.get("/v1/events", &[("limit", "100")]).await.body;
    events["data"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_page_is_paid_in_a_second_attempt_or_expires() {
    let world = World::start().await;
    let page = [
        ("mode", "payment"),
        ("line_items[0][price_data][currency]", "eur"),
        ("line_items[0][price_data][unit_amount]", "500"),
        ("payment_intent_data[metadata][order_id]", "o_1"),
    ];
    let (paid, left) =
        (world.post("/v1/checkout/sessions", &page).await, world.post("/v1/checkout/sessions", &page).await);
    let url = format!("{}/_double/bank", world.url);
    let declined =
        json!({ "happens": "session_paid", "id": paid.id(), "payment_method": "pm_card_chargeDeclined" }).to_string();
    assert_eq!(said(crate::harness::client().post(url).body(declined)).await.unwrap().status, 400);
    let session = happens(&world, "session_paid", &paid.id()).await;
    assert_eq!((&session["status"], &session["payment_status"]), (&json!("complete"), &json!("paid")));
    let intents = world.get("/v1/payment_intents", &[]).await.body;
    assert_eq!(intents["data"].as_array().map(Vec::len), Some(1), "one intent for both attempts");
    assert_eq!(intents["data"][0]["metadata"]["order_id"], "o_1");
    world.advance(DAY).await;
    let path = format!("/v1/checkout/sessions/{}", left.id());
    assert_eq!(world.get(&path, &[]).await.body["status"], "expired");
    assert_eq!(world.post(&format!("{path}/expire"), &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_expires_on_request_and_after_seven_days() {
    let world = World::start().await;
    let ((now, now_charge), (later, _)) = (hold(&world).await, hold(&world).await);
    let review = happens(&world, "review", &now_charge).await;
    happens(&world, "expiry", &now_charge).await;
    let intent = world.get(&format!("/v1/payment_intents/{now}"), &[]).await.body;
    assert_eq!((&intent["status"], &intent["cancellation_reason"]), (&json!("canceled"), &json!("expired")));
    let review = world.get(&format!("/v1/reviews/{}", review["id"].as_str().unwrap()), &[]).await.body;
    assert_eq!(review["closed_reason"], "canceled");
    world.advance(7 * DAY).await;
    assert_eq!(world.get(&format!("/v1/payment_intents/{later}"), &[]).await.body["status"], "canceled");
    assert_eq!(types(&world).await.iter().filter(|it| *it == "charge.expired").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_capture_makes_a_refund_of_the_rest_before_2025_only() {
    let world = World::start().await;
    for (version, refunded, refunds) in [("2026-10-28.endive", 0, 0), ("2024-06-20", 400, 1)] {
        let (intent, charge) = hold(&world).await;
        let path = format!("/v1/payment_intents/{intent}/capture");
        let capture = world.request("POST", &path, &[("amount_to_capture", "600")]).header("Stripe-Version", version);
        assert_eq!(said(capture).await.unwrap().body["amount_received"], 600, "{version}");
        let shown = world.get(&format!("/v1/charges/{charge}"), &[]).await.body;
        assert_eq!(
            (&shown["amount_captured"], &shown["amount_refunded"]),
            (&json!(600), &json!(refunded)),
            "{version}"
        );
        let listed = world.get("/v1/refunds", &[("charge", &charge)]).await.body;
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(refunds), "{version}");
        let over = world.post("/v1/refunds", &[("charge", &charge), ("amount", "601")]).await;
        assert_eq!(over.refusal().1, "amount_too_large", "{version}");
        assert_eq!(world.post("/v1/refunds", &[("charge", &charge)]).await.body["amount"], 600, "{version}");
    }
    world.control("settings", json!({ "api_version": "2024-06-20" })).await;
    let (_, charge) = hold(&world).await;
    happens(&world, "expiry", &charge).await;
    let released = world.get("/v1/refunds", &[("charge", &charge)]).await.body;
    assert_eq!(released["data"][0]["reason"], "expired_uncaptured_charge");
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_wait_for_money_ask_the_buyer_and_fail_weeks_later() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    let part = [("charge", charge.as_str()), ("amount", "100")];
    for (setting, status, reason) in [
        ("insufficient_funds", "pending", json!("insufficient_funds")),
        ("pending", "pending", json!("processing")),
        ("requires_action", "requires_action", json!(null)),
        ("by_method", "succeeded", json!(null)),
    ] {
        world.control("settings", json!({ "new_refunds": setting })).await;
        let refund = world.post("/v1/refunds", &part).await;
        let shown = (&refund.body["status"], refund.body.get("pending_reason").unwrap_or(&Value::Null));
        assert_eq!(shown, (&json!(status), &reason), "{setting}");
        world.advance(3_600).await;
        let path = format!("/v1/refunds/{}", refund.id());
        assert_eq!(world.get(&path, &[]).await.body["status"], status, "{setting}: nothing happens by itself");
        if status == "pending" {
            assert_eq!(happens(&world, "refund_settles", &refund.id()).await["status"], "succeeded");
        }
    }
    world.advance(25 * DAY).await;
    let refund = world.get("/v1/refunds", &part[..1]).await.body["data"][0].clone();
    let reason = json!({ "happens": "refund_fails", "id": refund["id"], "reason": "lost_or_stolen_card" });
    assert_eq!(world.control("bank", reason).await["failure_reason"], "lost_or_stolen_card");
    let entries = world.get("/v1/balance_transactions", &[("type", "refund_failure")]).await.body;
    let back = entries["data"][0]["created"].as_i64().unwrap();
    assert!(back - refund["created"].as_i64().unwrap() >= 25 * DAY, "{entries}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_or_a_full_refund_settles_warnings_and_reviews() {
    let world = World::start().await;
    for (ends, reason, closed) in
        [("refund", "", "refunded"), ("refund", "fraudulent", "refunded_as_fraud"), ("chargeback", "", "disputed")]
    {
        let charge = world.pay("1000", "pm_card_createIssuerFraudRecord").await;
        let warnings = world.get("/v1/radar/early_fraud_warnings", &[("charge", &charge)]).await.body;
        let warning = &warnings["data"][0];
        let review = happens(&world, "review", &charge).await;
        world.post("/v1/refunds", &[("charge", &charge), ("amount", "1")]).await;
        let warning = format!("/v1/radar/early_fraud_warnings/{}", warning["id"].as_str().unwrap());
        assert_eq!(world.get(&warning, &[]).await.body["actionable"], true, "a part settles nothing");
        match ends {
            "chargeback" => drop(happens(&world, "chargeback", &charge).await),
            _ => {
                let form = [("charge", charge.as_str()), ("reason", reason)];
                world.post("/v1/refunds", if reason.is_empty() { &form[..1] } else { &form }).await;
            }
        }
        assert_eq!(world.get(&warning, &[]).await.body["actionable"], false, "{closed}");
        let review = world.get(&format!("/v1/reviews/{}", review["id"].as_str().unwrap()), &[]).await.body;
        assert_eq!(review["closed_reason"], closed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_webhooks_are_lost_until_they_are_not_and_are_sent_again_on_request() {
    let (world, receiver) = (World::start().await, Receiver::start(0).await);
    let endpoint = json!({ "url": receiver.url, "secrets": [SECRET], "enabled_events": ["charge.succeeded"] });
    world.control("webhooks", endpoint).await;
    world.control("webhooks/behaviour", json!({ "lose_all": true })).await;
    for _ in 0..3 {
        world.pay("1000", "pm_card_visa").await;
    }
    assert_eq!(receiver.settled(&world).await, [""; 0]);
    world.control("webhooks/behaviour", json!({})).await;
    world.pay("1000", "pm_card_visa").await;
    assert_eq!(receiver.settled(&world).await.len(), 1);
    world.control("webhooks/resend", json!({})).await;
    assert_eq!(receiver.settled(&world).await.len(), 4, "what was lost, and no more");
    let undelivered = world.get("/v1/events", &[("delivery_success", "false")]).await.body;
    assert_eq!(undelivered["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_without_intent_is_captured_voided_or_expires() {
    let world = World::start().await;
    let form = [("amount", "1000"), ("currency", "eur"), ("source", "tok_visa"), ("capture", "false")];
    let mut held = Vec::new();
    for _ in 0..3 {
        let charge = world.post("/v1/charges", &form).await;
        assert_eq!((&charge.body["payment_intent"], &charge.body["captured"]), (&json!(null), &json!(false)));
        held.push(charge.id());
    }
    let captured = world.post(&format!("/v1/charges/{}/capture", held[0]), &[("amount", "700")]).await.body;
    assert_eq!((&captured["amount_captured"], &captured["amount_refunded"]), (&json!(700), &json!(0)));
    let refund = world.post("/v1/refunds", &[("charge", &held[0])]).await.body;
    assert_eq!((&refund["amount"], &refund["payment_intent"]), (&json!(700), &json!(null)));
    let voided = world.post("/v1/refunds", &[("charge", &held[1]), ("expand[]", "charge")]).await.body;
    assert_eq!((&voided["balance_transaction"], &voided["charge"]["refunded"]), (&json!(null), &json!(true)));
    world.advance(7 * DAY).await;
    assert_eq!(types(&world).await.iter().filter(|it| *it == "charge.expired").count(), 1);
    for id in &held {
        assert_eq!(world.post(&format!("/v1/charges/{id}/capture"), &[]).await.status, 400);
    }
    let declined = [&form[..2], &[("source", "tok_chargeDeclined")]].concat();
    assert_eq!(world.post("/v1/charges", &declined).await.refusal(), (402, "card_declined", ""));
}

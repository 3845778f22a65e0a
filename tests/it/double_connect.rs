//! Promise: the double shares payments over Connect, undoes the sharing by refunds, and keeps accounts apart.

use serde_json::json;

use crate::double_world::{Form, Receiver, World, said};
use crate::harness::SECRET;

const PAID: Form<'_> = &[("amount", "1000"), ("currency", "eur"), ("confirm", "true")];

async fn pay(world: &World, more: Form<'_>) -> String {
    let intent = world.post("/v1/payment_intents", &[PAID, more].concat()).await.body;
    intent["latest_charge"].as_str().unwrap_or_else(|| panic!("{intent}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_charge_shows_its_transfer_and_fee_and_refunds_undo_both_in_proportion() {
    let world = World::start().await;
    let charge = pay(&world, &[("transfer_data[destination]", "acct_1"), ("application_fee_amount", "101")]).await;
    let expand = [("expand[]", "transfer"), ("expand[]", "application_fee")];
    let shown = world.get(&format!("/v1/charges/{charge}"), &expand).await.body;
    assert_eq!(shown["transfer_data"], json!({ "amount": null, "destination": "acct_1" }), "{shown}");
    assert_eq!((&shown["destination"], &shown["application_fee_amount"]), (&json!("acct_1"), &json!(101)));
    assert_eq!((&shown["transfer"]["amount"], &shown["application_fee"]["amount"]), (&json!(1_000), &json!(101)));
    let kept = world.post("/v1/refunds", &[("charge", &charge), ("amount", "100")]).await.body;
    assert_eq!(kept["transfer_reversal"], json!(null));
    let undo = [("charge", charge.as_str()), ("reverse_transfer", "true"), ("refund_application_fee", "true")];
    let half = world.post("/v1/refunds", &[&undo[..], &[("amount", "500")]].concat()).await.body;
    assert!(half["transfer_reversal"].as_str().is_some_and(|id| id.starts_with("trr_")), "{half}");
    let shown = world.get(&format!("/v1/charges/{charge}"), &expand).await.body;
    let (transfer, fee) = (&shown["transfer"], &shown["application_fee"]);
    assert_eq!((&transfer["amount_reversed"], &transfer["reversed"]), (&json!(500), &json!(false)));
    assert_eq!((&fee["amount_refunded"], &fee["refunded"]), (&json!(50), &json!(false)));
    let events = world.get("/v1/events", &[("types[]", "transfer.reversed"), ("types[]", "application_fee.refunded")]);
    assert_eq!(events.await.body["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_capture_shares_what_was_captured() {
    let world = World::start().await;
    let held = [("capture_method", "manual"), ("transfer_data[destination]", "acct_1")];
    let intent = world.post("/v1/payment_intents", &[PAID, &held].concat()).await;
    let path = format!("/v1/charges/{}", intent.body["latest_charge"].as_str().unwrap());
    assert_eq!(world.get(&path, &[]).await.body.get("transfer"), None, "nothing is transferred before the capture");
    world.post(&format!("/v1/payment_intents/{}/capture", intent.id()), &[("amount_to_capture", "600")]).await;
    let shown = world.get(&path, &[("expand[]", "transfer")]).await.body;
    assert_eq!(shown["transfer"]["amount"], 600, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_or_undone_is_refused() {
    let world = World::start().await;
    for (more, param) in [
        (&[("application_fee_amount", "10")][..], "application_fee_amount"),
        (&[("application_fee_amount", "1001"), ("transfer_data[destination]", "acct_1")], "application_fee_amount"),
        (&[("transfer_data[amount]", "10")], "transfer_data[destination]"),
        (&[("transfer_data[amount]", "1001"), ("transfer_data[destination]", "acct_1")], "transfer_data[amount]"),
        (&[("transfer_data[account]", "acct_1")], "transfer_data[account]"),
    ] {
        let refused = world.post("/v1/payment_intents", &[PAID, more].concat()).await;
        assert_eq!((refused.status, refused.refusal().2), (400, param), "{}", refused.body);
    }
    let plain = pay(&world, &[]).await;
    for param in ["reverse_transfer", "refund_application_fee"] {
        let refused = world.post("/v1/refunds", &[("charge", &plain), (param, "true")]).await;
        assert_eq!((refused.status, refused.refusal().2), (400, param), "{}", refused.body);
        let without = world.post("/v1/refunds", &[("charge", &plain), ("amount", "10"), (param, "false")]).await;
        assert_eq!(without.status, 200, "{}", without.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_a_connected_account_are_seen_with_its_header_only() {
    let (world, receiver) = (World::start().await, Receiver::start(0).await);
    world.control("accounts", json!({ "id": "acct_1" })).await;
    world.control("webhooks", json!({ "url": receiver.url, "secrets": [SECRET], "scope": "connect" })).await;
    let there = async |method: &str, path: &str, form: Form<'_>| {
        said(world.request(method, path, form).header("Stripe-Account", "acct_1")).await.expect("an answer")
    };
    let fee = [PAID, &[("application_fee_amount", "30")]].concat();
    let charge = there("POST", "/v1/payment_intents", &fee).await.body["latest_charge"].as_str().unwrap().to_owned();
    let refund = [("charge", charge.as_str()), ("refund_application_fee", "true")];
    assert_eq!(world.post("/v1/refunds", &refund).await.refusal(), (404, "resource_missing", "charge"));
    assert_eq!(there("POST", "/v1/refunds", &refund).await.body["amount"], 1_000);
    for path in ["/v1/charges", "/v1/refunds", "/v1/payment_intents", "/v1/events"] {
        assert_eq!(world.get(path, &[]).await.body["data"], json!([]), "{path}");
        assert_ne!(there("GET", path, &[]).await.body["data"], json!([]), "{path}");
    }
    receiver.settled(&world).await;
    let events = receiver.events();
    assert!(events.iter().any(|event| event["type"] == "refund.created"));
    assert!(events.iter().all(|event| event["account"] == "acct_1"), "{events:?}");
}

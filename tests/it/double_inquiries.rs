//! Promise: inquiries in the double end as those of cards and of Klarna do, and chargebacks block refunds.

use serde_json::{Value, json};

use crate::double_world::World;

const DAY: i64 = 86_400;

async fn happens(world: &World, what: &str, id: &str, more: Value) -> Value {
    let mut all = json!({ "happens": what, "id": id });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.control("bank", all).await
}

async fn status(world: &World, dispute: &Value) -> Value {
    world.get(&format!("/v1/disputes/{}", dispute["id"].as_str().unwrap()), &[]).await.body["status"].clone()
}

async fn refund(world: &World, charge: &str, amount: &str) -> u16 {
    world.post("/v1/refunds", &[("charge", charge), ("amount", amount)]).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disputed_amount_ends_an_inquiry_of_klarna_and_all_that_is_left_one_of_a_card() {
    let world = World::start().await;
    let klarna = world.pay("1000", "pm_double_klarna").await;
    assert_eq!(refund(&world, &klarna, "300").await, 200, "refunded before, and so not for the inquiry");
    let inquiry = happens(&world, "inquiry", &klarna, json!({ "amount": 400, "reason": "credit_not_processed" })).await;
    let details = json!({ "klarna": { "reason_code": "return" }, "type": "klarna" });
    assert_eq!((&inquiry["payment_method_details"], &inquiry["amount"]), (&details, &json!(400)), "{inquiry}");
    let card = world.pay("1000", "pm_card_visa").await;
    let asked = happens(&world, "inquiry", &card, json!({ "amount": 400 })).await;
    for (amount, of_klarna, of_card) in [("399", "needs_response", "needs_response"), ("1", "closed", "needs_response")]
    {
        assert_eq!((refund(&world, &klarna, amount).await, refund(&world, &card, amount).await), (200, 200));
        assert_eq!(status(&world, &inquiry).await, format!("warning_{of_klarna}"));
        assert_eq!(status(&world, &asked).await, format!("warning_{of_card}"));
    }
    assert_eq!(refund(&world, &card, "600").await, 200);
    assert_eq!(status(&world, &asked).await, "warning_closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inquiry_of_klarna_takes_no_evidence_and_becomes_a_chargeback_after_21_days() {
    let world = World::start().await;
    let klarna = world.pay("1000", "pm_double_klarna").await;
    let inquiry = happens(&world, "inquiry", &klarna, json!({ "reason": "product_not_received" })).await;
    let path = format!("/v1/disputes/{}", inquiry["id"].as_str().unwrap());
    let answer = [("evidence[uncategorized_text]", "Shipped"), ("submit", "true")];
    assert_eq!(world.post(&path, &answer).await.status, 400);
    world.advance(20 * DAY).await;
    assert_eq!(status(&world, &inquiry).await, "warning_needs_response");
    world.advance(2 * DAY).await;
    let chargeback = world.get(&path, &[]).await.body;
    assert_eq!((&chargeback["status"], &chargeback["is_charge_refundable"]), (&json!("needs_response"), &json!(false)));
    assert_eq!(chargeback["balance_transactions"][0]["amount"], -1_000);
    let refused = world.post("/v1/refunds", &[("charge", &klarna)]).await;
    assert_eq!(refused.refusal(), (400, "charge_disputed", ""));
    assert_eq!(world.post(&path, &answer).await.body["status"], "under_review");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chargeback_of_klarna_for_fraud_is_to_be_answered_within_five_days() {
    let world = World::start().await;
    for (reason, open_after) in [("fraudulent", 5), ("general", 12)] {
        let charge = world.pay("1000", "pm_double_klarna").await;
        let chargeback = happens(&world, "chargeback", &charge, json!({ "reason": reason })).await;
        assert_eq!(refund(&world, &charge, "1").await, 400, "{reason}");
        world.advance(open_after * DAY).await;
        assert_eq!(status(&world, &chargeback).await, "needs_response", "{reason}");
        world.advance(2 * DAY).await;
        assert_eq!(status(&world, &chargeback).await, "lost", "{reason}");
    }
}

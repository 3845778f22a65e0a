//! Promise: with an API key, an endpoint of thin events gives the same state as one of snapshots.

use serde_json::{Value, json};

use crate::bodies::with;
use crate::harness::{Database, STATE, TestApp, until};
use crate::reads::{deliver_to, open, reads_end};
use crate::refund_shop::{Shop, acting};

/// A second service, of the same double, that gets thin events only.
async fn thin_service(shop: &Shop, endpoint: Value) -> TestApp {
    let acting = acting(&shop.world);
    let app = TestApp::start_on(Database::migrated().await, |service| service.acting = acting).await;
    app.ready().await;
    app.db.until("select exists (select from clawback.api_keys)").await;
    deliver_to(&shop.world, &app, with(endpoint, json!({ "payload": "thin" }))).await;
    app
}

/// Both services have the same state once nothing is left to read.
async fn end_in_one_state(shop: &Shop, thin: &TestApp) {
    for app in [thin, &shop.app] {
        reads_end(&shop.world, app).await;
    }
    for query in STATE {
        let expected = shop.app.db.rows(query).await;
        assert_eq!(thin.db.rows(query).await, expected, "{query}");
        assert!(!expected.is_empty(), "nothing to compare: {query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_lives_end_in_the_state_that_snapshots_give() {
    let shop = open(json!({})).await;
    let thin = thin_service(&shop, json!({})).await;
    let bank = async |what: &str, id: &str| shop.world.control("bank", json!({ "happens": what, "id": id })).await;
    let refund = async |charge: &str, amount| {
        shop.world.post("/v1/refunds", &[("charge", charge), ("amount", amount)]).await.id()
    };
    let refunded = shop.pay("o_1", "1000", "pm_card_visa").await;
    refund(&refunded, "400").await;
    let failed = shop.pay("o_2", "2000", "pm_card_visa").await;
    let failing = refund(&failed, "2000").await;
    bank("refund_fails", &failing).await;
    let won = shop.pay("o_3", "3000", "pm_card_visa").await;
    let dispute = bank("chargeback", &won).await;
    bank("win", dispute["id"].as_str().expect("an id")).await;
    let lost = shop.pay("o_4", "4000", "pm_card_visa").await;
    let dispute = bank("inquiry", &lost).await;
    bank("escalate", dispute["id"].as_str().expect("an id")).await;
    let warned = shop.pay("o_5", "5000", "pm_card_visa").await;
    bank("fraud_warning", &warned).await;
    end_in_one_state(&shop, &thin).await;
    let ignored = "select bool_and(state = 'ignored') and bool_and(last_error like '%is fetched from Stripe')
                   from clawback_v1.events where type like 'v1.%'";
    assert_eq!(thin.db.value(ignored).await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_authorization_is_void_though_its_charge_does_not_show_it() {
    let shop = open(json!({})).await;
    // No event of the intent tells it.
    let types = json!(["charge.succeeded", "charge.expired"]);
    let thin = thin_service(&shop, json!({ "enabled_events": types })).await;
    let form = [
        ("amount", "1000"),
        ("currency", "eur"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
        ("capture_method", "manual"),
        ("metadata[order_id]", "o_1"),
    ];
    let intent = shop.world.post("/v1/payment_intents", &form).await;
    let charge = intent.body["latest_charge"].as_str().expect("a charge");
    until("the authorization is seen", async || {
        reads_end(&shop.world, &thin).await;
        let state = "select exists (select from clawback_v1.payments where state = 'authorized')";
        thin.db.value(state).await == true
    })
    .await;
    shop.world.control("bank", json!({ "happens": "expiry", "id": charge })).await;
    reads_end(&shop.world, &thin).await;
    thin.db.until("select state = 'canceled' from clawback_v1.payments").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thin_events_of_a_connected_account_are_read_in_its_context() {
    let shop = open(json!({})).await;
    shop.world.control("accounts", json!({ "id": "acct_1" })).await;
    let thin = thin_service(&shop, json!({ "scope": "connect" })).await;
    let form = [
        ("amount", "1000"),
        ("currency", "eur"),
        ("confirm", "true"),
        ("payment_method", "pm_card_visa"),
        ("metadata[order_id]", "o_1"),
    ];
    let request = shop.world.request("POST", "/v1/payment_intents", &form).header("Stripe-Account", "acct_1");
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    until("the payment is seen", async || {
        reads_end(&shop.world, &thin).await;
        let seen = "select exists (select from clawback_v1.orders where account = 'acct_1' and amount_paid = 1000)";
        thin.db.value(seen).await == true
    })
    .await;
    assert_eq!(thin.db.value("select count(*) from clawback.api_calls where account <> 'acct_1'").await, 0);
}

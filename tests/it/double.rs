//! Promise: the double answers as Stripe is documented to: refunds, payments, lists, errors, idempotency.

use serde_json::{Value, json};

use crate::double_world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_refunded_up_to_what_is_left_and_no_further() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    let part = [("charge", charge.as_str()), ("amount", "400"), ("metadata[order]", "o_1"), ("reason", "duplicate")];
    let refund = world.post("/v1/refunds", &part).await.body;
    assert_eq!((&refund["amount"], &refund["status"]), (&json!(400), &json!("succeeded")), "{refund}");
    assert_eq!((&refund["metadata"], &refund["reason"]), (&json!({ "order": "o_1" }), &json!("duplicate")));
    let over = world.post("/v1/refunds", &[("charge", &charge), ("amount", "601")]).await;
    assert_eq!(over.refusal(), (400, "amount_too_large", "amount"));
    let rest = world.post("/v1/refunds", &[("charge", &charge), ("expand[]", "charge")]).await.body;
    assert_eq!((&rest["amount"], &rest["charge"]["amount_refunded"]), (&json!(600), &json!(1_000)));
    let again = world.post("/v1/refunds", &[("charge", &charge)]).await;
    assert_eq!(again.refusal(), (400, "charge_already_refunded", ""));
    assert_eq!(world.refunds_of(&charge).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_refunded_is_refused_with_stripes_code() {
    let world = World::start().await;
    let unknown = world.post("/v1/refunds", &[("charge", "ch_none")]).await;
    assert_eq!(unknown.refusal(), (404, "resource_missing", "charge"));
    assert_eq!(world.post("/v1/refunds", &[]).await.refusal().1, "parameter_missing");
    let misspelt = world.post("/v1/refunds", &[("charge", "ch_none"), ("amuont", "1")]).await;
    assert_eq!(misspelt.refusal(), (400, "parameter_unknown", "amuont"));
    let disputed = world.pay("1000", "pm_card_createDispute").await;
    assert_eq!(world.post("/v1/refunds", &[("charge", &disputed)]).await.refusal().1, "charge_disputed");
    let manual = [("amount", "500"), ("currency", "eur"), ("confirm", "true"), ("capture_method", "manual")];
    let intent = world.post("/v1/payment_intents", &manual).await.body;
    let (intent, charge) = (intent["id"].as_str().unwrap(), intent["latest_charge"].as_str().unwrap());
    let by_intent = world.post("/v1/refunds", &[("payment_intent", intent)]).await;
    assert_eq!(by_intent.refusal().1, "payment_intent_unexpected_state");
    assert_eq!(world.post("/v1/refunds", &[("charge", charge)]).await.refusal().1, "charge_not_refundable");
    world.post(&format!("/v1/payment_intents/{intent}/capture"), &[("amount_to_capture", "300")]).await;
    let rest = world.post("/v1/refunds", &[("payment_intent", intent)]).await.body;
    assert_eq!(rest["amount"], 300, "no more than was captured: {rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_settle_and_fail_when_the_clock_says_so() {
    let world = World::start().await;
    for (token, at_first, later) in
        [("pm_card_pendingRefund", "pending", "succeeded"), ("pm_card_refundFail", "succeeded", "failed")]
    {
        let charge = world.pay("1000", token).await;
        let refund = world.post("/v1/refunds", &[("charge", &charge)]).await;
        assert_eq!(refund.body["status"], at_first, "{token}");
        world.advance(61).await;
        let refund = world.get(&format!("/v1/refunds/{}", refund.id()), &[]).await.body;
        assert_eq!(refund["status"], later, "{token}");
    }
    let charge = world.pay("1000", "pm_double_bankTransfer").await;
    let refund = world.post("/v1/refunds", &[("charge", &charge)]).await;
    assert_eq!(refund.body["status"], "requires_action");
    let cancel = format!("/v1/refunds/{}/cancel", refund.id());
    assert_eq!(world.post(&cancel, &[]).await.body["status"], "canceled");
    assert_eq!(world.post(&cancel, &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_newest_first_and_pages_both_ways() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, world.post("/v1/refunds", &[("charge", &charge), ("amount", "10")]).await.id());
    }
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let page = async |cursor: &str, id: &str| {
        let form = [("limit", "2"), ("charge", charge.as_str()), (cursor, id)];
        world.get("/v1/refunds", &form[..if cursor.is_empty() { 2 } else { 3 }]).await.body
    };
    let first = page("", "").await;
    assert_eq!((ids(&first), &first["has_more"]), (made[..2].to_vec(), &json!(true)));
    let last = page("starting_after", &made[3]).await;
    assert_eq!((ids(&last), &last["has_more"]), (made[4..].to_vec(), &json!(false)));
    let back = page("ending_before", &made[3]).await;
    assert_eq!((ids(&back), &back["has_more"]), (made[1..3].to_vec(), &json!(true)));
    let unknown = world.get("/v1/refunds", &[("starting_after", "re_none")]).await;
    assert_eq!(unknown.refusal(), (400, "resource_missing", "starting_after"));
    let future = world.get("/v1/refunds", &[("created[gte]", "99999999999")]).await.body;
    assert_eq!(future["data"], json!([]));
    assert_eq!(world.get("/v1/refunds", &[("limit", "101")]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gives_the_same_answer_for_a_day_and_refuses_other_parameters() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    let form = [("charge", charge.as_str()), ("amount", "100")];
    let first = world.keyed("k1", "/v1/refunds", &form).await.unwrap();
    let again = world.keyed("k1", "/v1/refunds", &form).await.unwrap();
    assert_eq!((again.id(), again.header("Idempotent-Replayed")), (first.id(), "true"));
    assert_eq!(first.header("Idempotent-Replayed"), "");
    let other = world.keyed("k1", "/v1/refunds", &[("charge", &charge), ("amount", "101")]).await.unwrap();
    assert_eq!((other.status, &other.body["error"]["type"]), (400, &json!("idempotency_error")));
    assert_eq!(world.refunds_of(&charge).await, 1);
    world.advance(86_401).await;
    let forgotten = world.keyed("k1", "/v1/refunds", &form).await.unwrap();
    assert_ne!(forgotten.id(), first.id());
    assert_eq!(world.refunds_of(&charge).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_keeps_what_was_executed_and_not_what_was_invalid() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    let invalid = [("charge", charge.as_str()), ("amount", "x")];
    assert_eq!(world.keyed("k1", "/v1/refunds", &invalid).await.unwrap().refusal().1, "parameter_invalid_integer");
    assert_eq!(world.keyed("k1", "/v1/refunds", &[("charge", &charge)]).await.unwrap().status, 200);
    let refused = world.keyed("k2", "/v1/refunds", &[("charge", &charge)]).await.unwrap();
    let replayed = world.keyed("k2", "/v1/refunds", &[("charge", &charge)]).await.unwrap();
    assert_eq!((refused.status, replayed.header("Idempotent-Replayed")), (400, "true"));
    assert_eq!(replayed.body, refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_accounts_are_checked_first() {
    let world = World::start().await;
    let with = async |header: &'static str, value: &'static str| {
        let url = format!("{}/v1/charges", world.url);
        let request = crate::harness::client().get(url).header(header, value);
        let request = if header == "Authorization" { request } else { request.bearer_auth("sk_test_1") };
        crate::double_world::said(request).await.expect("an answer")
    };
    assert_eq!(with("X-None", "1").await.status, 200);
    assert_eq!(with("Authorization", "Basic c2tfdGVzdF8xOg==").await.status, 200, "as of curl -u sk_test_1:");
    for refused in ["Bearer nonsense", "Basic bm9uc2Vuc2U6", "Basic %", "Digest sk_test_1"] {
        assert_eq!(with("Authorization", refused).await.status, 401, "{refused}");
    }
    assert_eq!(with("Authorization", "Bearer sk_live_1").await.refusal().1, "livemode_mismatch");
    let key = json!({ "key": "rk_test_1", "standing": "restricted", "permissions": ["rak_dispute_read"] });
    world.control("keys", key).await;
    assert_eq!(with("Authorization", "Bearer rk_test_1").await.status, 403);
    world.control("keys", json!({ "key": "sk_test_old", "standing": "expired" })).await;
    assert_eq!(with("Authorization", "Bearer sk_test_old").await.refusal().1, "api_key_expired");
    assert_eq!(with("Stripe-Account", "acct_none").await.refusal().1, "account_invalid");
    let charge = world.pay("100", "pm_card_visa").await;
    world.control("accounts", json!({ "id": "acct_1" })).await;
    assert_eq!(with("Stripe-Account", "acct_1").await.body["data"], json!([]), "{charge} is the platform's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_shows_where_its_payment_intent_says_that_it_is_sent() {
    let world = World::start().await;
    let paid = [("amount", "500"), ("currency", "eur"), ("confirm", "true")];
    let shipping = [
        ("shipping[name]", "Jane"),
        ("shipping[address][line1]", "2 Side Street"),
        ("shipping[address][city]", "Berlin"),
        ("shipping[carrier]", "DHL"),
        ("shipping[tracking_number]", "JD0146"),
    ];
    let intent = world.post("/v1/payment_intents", &[paid.as_slice(), &shipping].concat()).await.body;
    let charge = intent["latest_charge"].as_str().unwrap_or_else(|| panic!("{intent}"));
    let charge = world.get(&format!("/v1/charges/{charge}"), &[]).await.body;
    let shown = json!({ "name": "Jane", "phone": null, "carrier": "DHL", "tracking_number": "JD0146", "address": {
        "line1": "2 Side Street", "line2": null, "city": "Berlin", "state": null, "postal_code": null, "country": null } });
    assert_eq!((&charge["shipping"], &intent["shipping"]), (&shown, &shown));
    let unshipped = world.post("/v1/payment_intents", &paid).await.body;
    assert_eq!(unshipped["shipping"], json!(null));
    for (at, code, name) in [
        (0, "parameter_missing", "shipping[address]"),
        (1, "parameter_missing", "shipping[name]"),
        (2, "parameter_unknown", "shipping[colour]"),
    ] {
        let given = [
            [("shipping[name]", "Jane")].as_slice(),
            &[("shipping[address][city]", "Berlin")],
            &[("shipping[name]", "Jane"), ("shipping[address][city]", "Berlin"), ("shipping[colour]", "red")],
        ][at];
        let refused = world.post("/v1/payment_intents", &[paid.as_slice(), given].concat()).await;
        assert_eq!(refused.refusal(), (400, code, name));
    }
}

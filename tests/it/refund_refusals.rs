//! Promise: what cannot be refunded is refused at once, with the reason and what to do; what Stripe refuses ends in a row
//! that says why, and asks a person.

use clawback::store::refund_requests;
use serde_json::json;

use crate::bodies::{charge, dispute, event, event_with, intent, refund};
use crate::harness::{Database, TestApp};
use crate::refund_shop::{REFUSALS, Shop};

/// A service with a test key that sends nothing: what the functions decide is looked at.
struct Counter {
    app: TestApp,
}

impl Counter {
    async fn open() -> Self {
        let mut db = Database::migrated().await;
        db.expect_errors(REFUSALS);
        let app = TestApp::start_on(db, |_| {}).await;
        app.ready().await;
        // At its start the service removes the modes that it has no key for.
        app.db.until("select exists (select from clawback.processors)").await;
        app.db.execute("insert into clawback.api_keys (livemode) values (false)").await;
        Self { app }
    }

    /// A charge of 10,000 with these fields, of an order of its own: `o_` and the charge's id.
    async fn charged(&self, id: &str, fields: serde_json::Value) {
        let mut object = charge(id, json!({ "metadata": { "order_id": format!("o_{id}") } }));
        object.as_object_mut().expect("an object").extend(fields.as_object().expect("fields").clone());
        self.app.see(&[event(&format!("evt_{id}"), 10, &object)]).await;
    }

    async fn refusal(&self, call: &str) -> String {
        self.app.db.refusal(&format!("select clawback_v1.{call}")).await
    }

    async fn request(&self, call: &str) -> String {
        let id = self.app.db.value(&format!("select clawback_v1.{call}")).await;
        id.as_str().expect("an id").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_has_its_own_words() {
    let counter = Counter::open().await;
    counter.charged("ch_paid", json!({})).await;
    counter.charged("ch_held", json!({ "captured": false, "amount_captured": 0 })).await;
    counter.app.see(&[event_with("evt_live", 10, &charge("ch_live", json!({})), json!({ "livemode": true }))]).await;
    counter.charged("ch_disputed", json!({})).await;
    counter.app.see(&[event("evt_dp", 11, &dispute("dp_1", json!({ "charge": "ch_disputed" })))]).await;
    for (call, reason) in [
        ("request_refund('o_none', 'k')", "order o_none is unknown"),
        ("request_payment_refund('ch_none', 'k')", "payment ch_none is unknown"),
        ("request_refund('o_ch_paid', '')", "request_key must have 1 to 255 bytes"),
        ("request_refund('o_ch_paid', 'k', 0)", "amount must be above 0"),
        ("request_refund('o_ch_paid', 'k', 1, 'bad luck')", "reason must be null"),
        ("request_refund('o_ch_paid', 'k', 10001)", "10000 is left, and at most 10000 of a single charge"),
        ("request_refund('o_ch_held', 'k')", "ch_held is not captured"),
        ("request_refund('o_ch_disputed', 'k')", "ch_disputed has an open chargeback"),
        ("request_payment_refund('ch_live', 'k')", "no API key for live mode"),
    ] {
        let said = counter.refusal(call).await;
        assert!(said.contains(reason), "{call}: {said}");
    }
    assert_eq!(counter.app.db.value("select count(*) from clawback.api_calls").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_request_and_other_arguments_are_an_error() {
    let counter = Counter::open().await;
    counter.charged("ch_1", json!({})).await;
    let all = counter.request("request_refund('o_ch_1', 'k')").await;
    assert_eq!(counter.request("request_refund('o_ch_1', 'k')").await, all);
    assert_eq!(counter.request("request_payment_refund('ch_1', 'k')").await, all, "one key for the payment");
    let other = counter.refusal("request_refund('o_ch_1', 'k', 500)").await;
    assert!(other.contains("request k of payment ch_1 was made with other arguments: amount null"), "{other}");
    let nothing = counter.refusal("request_refund('o_ch_1', 'k2')").await;
    assert!(nothing.contains("nothing is left to refund") && nothing.contains("requested 10000"), "{nothing}");
    let cancelled = format!("select clawback_v1.cancel_refund_request('{all}', 'a mistake')");
    assert_eq!(counter.app.db.value(&cancelled).await, true);
    assert_eq!(counter.app.db.value(&cancelled).await, false, "it is cancelled already");
    counter.request("request_refund('o_ch_1', 'k2')").await;
    let acts = "select action, subject from clawback_v1.actions order by id";
    let acts: Vec<_> = counter.app.db.rows(acts).await.iter().map(|row| row["action"].clone()).collect();
    assert_eq!(acts, ["request_refund", "cancel_refund_request", "request_refund"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_services_that_race_for_the_last_of_the_money_one_gets_it() {
    let counter = Counter::open().await;
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let id = format!("ch_{}", isolation.replace(' ', "_"));
        counter.charged(&id, json!({})).await;
        let begin = format!("set transaction isolation level {isolation}; select 1");
        let (mut a, mut b) = (counter.app.db.begin(&begin).await, counter.app.db.begin(&begin).await);
        let call = |key: &str| format!("select clawback_v1.request_refund('o_{id}', '{key}', 6000)");
        sqlx::query(sqlx::AssertSqlSafe(call("a"))).execute(&mut *a).await.expect("the first gets it");
        let second = async {
            let refused = sqlx::query(sqlx::AssertSqlSafe(call("b"))).execute(&mut *b).await;
            refused.expect_err("the second gets an error").to_string()
        };
        let (said, committed) = tokio::join!(second, a.commit());
        committed.expect("committed");
        assert!(said.contains("4000 is left") || said.contains("could not serialize"), "{isolation}: {said}");
        let requests = format!("select count(*) from clawback_v1.refund_requests where payment_id = '{id}'");
        assert_eq!(counter.app.db.value(&requests).await, 1, "{isolation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_charges_bear_what_each_of_them_can() {
    let counter = Counter::open().await;
    let of = |amount: i64| json!({ "payment_intent": "pi_1", "amount": amount, "amount_captured": amount });
    counter
        .app
        .see(&[
            event(
                "evt_pi",
                5,
                &intent(
                    "pi_1",
                    json!({ "amount": 10_000, "amount_received": 10_000,
                "status": "succeeded", "metadata": { "order_id": "o_1" } }),
                ),
            ),
            event("evt_a", 6, &charge("ch_a", of(4_000))),
            event("evt_b", 6, &charge("ch_b", of(6_000))),
        ])
        .await;
    let both = counter.refusal("request_refund('o_1', 'k')").await;
    assert!(both.contains("cannot refund 10000") && both.contains("at most 6000 of a single charge"), "{both}");
    counter.request("request_refund('o_1', 'k1', 5000)").await;
    counter.request("request_refund('o_1', 'k2', 4000)").await;
    let source = "select source_id, amount from clawback.refund_requests order by amount";
    let sources = counter.app.db.rows(source).await;
    assert_eq!((&sources[0]["source_id"], &sources[1]["source_id"]), (&json!("ch_a"), &json!("ch_b")));
    let rest = counter.refusal("request_payment_refund('ch_a', 'k3', 1001)").await;
    assert!(rest.contains("1000 is left, and at most 1000"), "{rest}");
    counter.request("request_payment_refund('pi_1', 'k3', 1000)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_several_payments_names_them() {
    let counter = Counter::open().await;
    for id in ["ch_1", "ch_2"] {
        counter
            .app
            .see(&[event(&format!("evt_{id}"), 5, &charge(id, json!({ "metadata": { "order_id": "o_1" } })))])
            .await;
    }
    let several = counter.refusal("request_refund('o_1', 'k')").await;
    assert!(several.contains("several payments with something left: ch_1, ch_2"), "{several}");
    counter.request("request_payment_refund('ch_1', 'k')").await;
    counter.request("request_refund('o_1', 'k2')").await;
    let of = "select payment_id from clawback_v1.refund_requests where request_key = 'k2'";
    assert_eq!(counter.app.db.value(of).await, "ch_2", "the other has nothing left");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_charge_shows_more_than_its_refunds_explain_all_that_is_left_is_not_known() {
    let counter = Counter::open().await;
    counter.charged("ch_1", json!({})).await;
    counter.request("request_refund('o_ch_1', 'k1', 3000)").await;
    // The charge's event overtakes the refund's.
    counter.app.see(&[event("evt_2", 20, &charge("ch_1", json!({ "amount_refunded": 3_000 })))]).await;
    let moment = counter.refusal("request_refund('o_ch_1', 'k2')").await;
    assert!(moment.contains("has just been made"), "{moment}");
    let id = counter.app.db.value("select id from clawback_v1.refund_requests").await;
    let made = refund(
        "re_1",
        json!({ "charge": "ch_1", "amount": 3_000, "created": 1_000,
        "metadata": { "clawback_request": id, "clawback_request_key": "k1" } }),
    );
    counter.app.see(&[event("evt_3", 21, &made)]).await;
    let row = counter.app.db.rows("select * from clawback_v1.refund_requests").await.remove(0);
    assert_eq!((&row["state"], &row["refund_id"]), (&json!("succeeded"), &json!("re_1")), "the webhook tells: {row}");
    counter.request("request_refund('o_ch_1', 'k2')").await;
    let rest = "select amount from clawback_v1.refund_requests where request_key = 'k2'";
    assert_eq!(counter.app.db.value(rest).await, 7_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_bears_a_transfer_and_a_fee_is_decided_first_and_frozen() {
    let counter = Counter::open().await;
    let connect = json!({ "transfer_data": { "destination": "acct_1" }, "application_fee_amount": 100 });
    counter.charged("ch_1", connect).await;
    let transfer = counter.refusal("request_refund('o_ch_1', 'k1', 100)").await;
    assert!(transfer.contains("ch_1 has a transfer: who bears"), "{transfer}");
    counter.app.db.execute("update clawback.settings set refund_transfers = 'reverse'").await;
    let fee = counter.refusal("request_refund('o_ch_1', 'k1', 100)").await;
    assert!(fee.contains("ch_1 has an application fee: who bears"), "{fee}");
    counter.app.db.execute("update clawback.settings set refund_fees = 'keep'").await;
    counter.request("request_refund('o_ch_1', 'k1', 100)").await;
    counter.app.db.execute("update clawback.settings set refund_fees = 'refund'").await;
    let frozen = "select reverse_transfer and not refund_application_fee from clawback.refund_requests";
    assert_eq!(counter.app.db.value(frozen).await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_merges_keeps_its_requests_under_both_ids() {
    let counter = Counter::open().await;
    counter.charged("ch_1", json!({})).await;
    let id = counter.request("request_payment_refund('ch_1', 'k')").await;
    let linked = charge("ch_1", json!({ "payment_intent": "pi_1", "metadata": { "order_id": "o_ch_1" } }));
    counter.app.see(&[event("evt_2", 20, &linked)]).await;
    let moved = "select payment_id from clawback_v1.refund_requests";
    assert_eq!(counter.app.db.value(moved).await, "pi_1");
    assert_eq!(counter.request("request_payment_refund('ch_1', 'k')").await, id);
    assert_eq!(counter.request("request_payment_refund('pi_1', 'k')").await, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_of_several_accounts_names_the_payments() {
    let counter = Counter::open().await;
    let order = json!({ "metadata": { "order_id": "o_1" } });
    for account in ["acct_1", "acct_2"] {
        let paid = charge(&format!("ch_{account}"), order.clone());
        counter.app.see(&[event_with(&format!("evt_{account}"), 5, &paid, json!({ "account": account }))]).await;
    }
    let several = counter.refusal("request_refund('o_1', 'k')").await;
    assert!(several.contains("payments in several accounts: ch_acct_1, ch_acct_2"), "{several}");
    counter.request("request_payment_refund('ch_acct_1', 'k')").await;
    let still = counter.refusal("request_refund('o_1', 'k2')").await;
    assert!(still.contains("in several accounts"), "the other account's payment is not taken for it: {still}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_known_answers_a_refused_request_and_another_amount_is_an_error() {
    let counter = Counter::open().await;
    counter.charged("ch_1", json!({})).await;
    let id = counter.request("request_refund('o_ch_1', 'k1', 400)").await;
    let conn = &mut counter.app.db.pool.acquire().await.expect("a connection");
    let refused = refund_requests::refused(conn, id.parse().expect("an id"), "refused", None).await;
    refused.expect("recorded");
    let made = |id: &str, key: &str| {
        refund(id, json!({ "charge": "ch_1", "amount": 400, "metadata": { "clawback_request_key": key } }))
    };
    counter.app.see(&[event("evt_made", 20, &made("re_1", "k1")), event("evt_lost", 20, &made("re_2", "k2"))]).await;
    let rows = counter.app.db.rows("select state, refund_id from clawback_v1.refund_requests").await;
    assert_eq!(rows, [json!({ "state": "succeeded", "refund_id": "re_1" })]);
    let asked = "select state from clawback_v1.follow_ups where kind = 'resolve_refused_request'";
    assert_eq!(counter.app.db.value(asked).await, "cancelled", "nobody needs to resolve it");
    let other = counter.refusal("request_refund('o_ch_1', 'k2', 700)").await;
    assert!(other.contains("exists at Stripe as refund re_2 of 400"), "{other}");
    counter.request("request_refund('o_ch_1', 'k2', 400)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_refuses_fails_with_its_code_and_asks_a_person_once() {
    let shop = Shop::open().await;
    shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.fault(json!({ "method": "POST", "path": "/v1/refunds", "kind": "refuse", "count": 1, "status": 400,
        "code": "balance_insufficient" }))
        .await;
    let id = shop.request("o_1", "k1", "400").await;
    let row = shop.until(&id, "failed").await;
    let error = row["error"].as_str().expect("why");
    assert!(error.contains("400 balance_insufficient") && error.contains("(request req_"), "{error}");
    let ask = "select kind, subject, order_id, state, payload from clawback_v1.follow_ups where kind = 'resolve_refused_request'";
    let asked = shop.app.db.rows(ask).await.remove(0);
    assert_eq!((&asked["subject"], &asked["order_id"], &asked["state"]), (&json!(id), &json!("o_1"), &json!("ready")));
    assert_eq!(asked["payload"]["code"], "balance_insufficient");
    let again = shop.request("o_1", "k2", "400").await;
    shop.until(&again, "succeeded").await;
    assert_eq!(shop.app.db.rows(ask).await[0]["state"], "cancelled", "the new request replaces it");
    let posts = shop.world.look("requests?method=POST&path=/v1/refunds").await;
    assert_eq!(posts.as_array().expect("requests").len(), 2, "a refusal is not repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_pending_until_it_succeeds_and_fails_weeks_later() {
    let shop = Shop::open().await;
    for (order, token, first, later) in [
        ("o_pending", "pm_card_pendingRefund", "pending", "succeeded"),
        ("o_fails", "pm_card_refundFail", "succeeded", "failed"),
    ] {
        shop.pay(order, "1000", token).await;
        let id = shop.request(order, "k", "null").await;
        shop.until(&id, first).await;
        shop.world.advance(61).await;
        shop.until(&id, later).await;
    }
    shop.app.db.until("select exists (select from clawback_v1.follow_ups where kind = 'resolve_failed_refund')").await;
    let charge = shop.pay("o_transfer", "1000", "pm_double_bankTransfer").await;
    let id = shop.request("o_transfer", "k", "null").await;
    let row = shop.until(&id, "pending").await;
    let cancel = format!("/v1/refunds/{}/cancel", row["refund_id"].as_str().expect("an id"));
    assert_eq!(shop.world.post(&cancel, &[]).await.status, 200);
    assert_eq!(shop.until(&id, "failed").await["error"], "the refund was canceled: merchant_request");
    let again = shop.request("o_transfer", "k2", "null").await;
    shop.until(&again, "pending").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 2, "its money was free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stops_all_calls_with_one_alert_until_it_is_mended() {
    let shop = Shop::open().await;
    shop.pay("o_1", "10000", "pm_card_visa").await;
    shop.world.control("keys", json!({ "key": "sk_test_1", "standing": "expired" })).await;
    let requests = "select count(clawback_v1.request_refund('o_1', 'k' || n, 100)) from generate_series(1, 20) n";
    shop.app.db.value(requests).await;
    shop.app.db.until("select exists (select from clawback.api_accounts where problem like '%401%')").await;
    let problems = async || {
        shop.app
            .client
            .get(format!("{}/metrics", shop.app.admin_url))
            .send()
            .await
            .expect("metrics")
            .text()
            .await
            .expect("text")
    };
    assert!(problems().await.contains("clawback_stripe_problems 1"));
    let waiting = "select count(*) from clawback_v1.refund_requests where state in ('requested', 'sent')";
    assert_eq!(shop.app.db.value(waiting).await, 20, "nothing fails for it");
    let tried = shop.world.look("requests?path=/v1/refunds").await.as_array().expect("requests").len();
    assert!(tried <= 10, "no storm: {tried} calls for 20 requests");
    shop.world.control("keys", json!({ "key": "sk_test_1", "standing": "unrestricted" })).await;
    shop.app.db.until("select count(*) = 20 from clawback_v1.refund_requests where state = 'succeeded'").await;
    assert!(problems().await.contains("clawback_stripe_problems 0"));
}

//! Promise: whenever the executor dies, one refund is made, and the row of its request says so.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Database, SECRET, TestApp, until};
use crate::refund_shop::{REFUSALS, Shop, acting};

const ONE: &str = "one refund for one request";

/// Requests a refund of 400 while calls fail in this way; waits until it has succeeded.
async fn refunded_despite(fault: Value) -> (Shop, String, Value) {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.world.control("webhooks/behaviour", json!({ "hold": true })).await;
    shop.fault(fault).await;
    let id = shop.request("o_1", "return-1", "400").await;
    let row = shop.until(&id, "succeeded").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
    (shop, charge, row)
}

fn on_create(kind: &str, count: u32) -> Value {
    json!({ "method": "POST", "path": "/v1/refunds", "kind": kind, "count": count })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_dies_before_the_call_leaves_it_to_the_next() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    // As a killed executor leaves it: leased and committed, not called.
    let mut held = shop.app.db.begin("select clawback_v1.request_refund('o_1', 'return-1', 400)").await;
    sqlx::raw_sql(
        "update clawback.api_calls set state = 'leased', attempts = 1, lease_token = gen_random_uuid(),
             leased_until = now() + interval '1 hour';
         update clawback.refund_requests set state = 'sent', sent_at = now()",
    )
    .execute(&mut *held)
    .await
    .expect("leased");
    held.commit().await.expect("committed");
    assert_eq!(shop.world.refunds_of(&charge).await, 0);
    shop.expire_leases().await;
    shop.app.db.until("select state = 'succeeded' from clawback_v1.refund_requests").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_is_looked_up() {
    for kind in ["cut_after", "cut_body", "error_after"] {
        let (shop, _, row) = refunded_despite(on_create(kind, 1)).await;
        assert!(row["refund_id"].is_string() && row["error"].is_null(), "{kind}: {row}");
        shop.app.db.settle().await;
        let seen = "select type = 'clawback.fetched' from clawback_v1.events where object_id like 're_%'";
        assert_eq!(shop.app.db.value(seen).await, true, "{kind}: what was found is in the ledger");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_not_made_is_made_again() {
    for kind in ["cut_before", "rate_limit", "conflict", "unavailable"] {
        refunded_despite(on_create(kind, 2)).await;
    }
    // The look-up fails first.
    refunded_despite(json!({ "method": "GET", "path": "/v1/refunds", "kind": "error_before", "count": 4 })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_500_is_looked_up_until_the_key_is_forgotten() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.fault(on_create("error_before", 1)).await;
    let id = shop.request("o_1", "return-1", "400").await;
    let row = shop.until(&id, "unknown").await;
    assert!(row["error"].as_str().expect("an error").contains("500"), "{row}");
    let replayed = async || {
        let requests = shop.world.look("requests?method=POST&path=/v1/refunds").await;
        requests.as_array().expect("requests").len() >= 3
    };
    until("the stored 500 is replayed", replayed).await;
    assert_eq!(shop.world.refunds_of(&charge).await, 0);
    shop.world.advance(25 * 3_600).await;
    shop.until(&id, "succeeded").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_key_is_forgotten_is_found() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.world.control("webhooks/behaviour", json!({ "hold": true })).await;
    shop.fault(on_create("error_after", 1)).await;
    // Nothing is listed yet, so that every look-up but the last finds nothing.
    shop.world.control("settings", json!({ "list_lag": 3_600 })).await;
    let id = shop.request("o_1", "return-1", "400").await;
    shop.until(&id, "unknown").await;
    shop.world.advance(25 * 3_600).await;
    shop.until(&id, "succeeded").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_dies_before_it_records_the_answer_is_followed_by_one_that_finds_it() {
    let mut shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
    shop.fault(json!({ "method": "POST", "path": "/v1/refunds", "kind": "slow", "count": 1, "millis": 500 })).await;
    let id = shop.request("o_1", "return-1", "400").await;
    shop.until(&id, "sent").await;
    // It cannot record the answer, and is gone before it can.
    let held = shop.app.db.begin(&format!("select from clawback.refund_requests where id = '{id}' for update")).await;
    until("the refund is made", async || shop.world.refunds_of(&charge).await == 1).await;
    shop.app.kill().await;
    held.rollback().await.expect("released");
    shop.app.db.end_connections().await;
    assert_eq!(shop.row(&id).await["state"], "sent");
    let acting = acting(&shop.world);
    let next = TestApp::start_on(shop.app.db.again(), |service| service.acting = acting).await;
    shop.expire_leases().await;
    shop.until(&id, "succeeded").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
    drop(next);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_runs_out_during_the_call_makes_no_second_refund() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let acting = acting(&shop.world);
    let replica = TestApp::start_on(shop.app.db.again(), |service| service.acting = acting).await;
    shop.fault(json!({ "method": "POST", "path": "/v1/refunds", "kind": "slow", "count": 2, "millis": 600 })).await;
    let id = shop.request("o_1", "return-1", "400").await;
    shop.until(&id, "sent").await;
    shop.expire_leases().await;
    shop.until(&id, "succeeded").await;
    shop.app.db.until("select not exists (select from clawback.api_calls where state <> 'done')").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
    drop(replica);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_executors_share_the_work_and_repeat_none_of_it() {
    let shop = Shop::open().await;
    let acting = acting(&shop.world);
    let replica = TestApp::start_on(shop.app.db.again(), |service| service.acting = acting).await;
    let charge = shop.pay("o_1", "10000", "pm_card_visa").await;
    let requests = "select count(clawback_v1.request_refund('o_1', 'return-' || n, 100)) from generate_series(1, 60) n";
    shop.app.db.value(requests).await;
    shop.app.db.until("select count(*) = 60 from clawback_v1.refund_requests where state = 'succeeded'").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 60);
    let distinct = "select count(distinct refund_id) from clawback_v1.refund_requests";
    assert_eq!(shop.app.db.value(distinct).await, 60);
    shop.app.db.until("select amount_refunded = 6000 from clawback_v1.orders").await;
    drop(replica);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_that_is_asked_again_adopts_the_refund_of_before() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    let id = shop.request("o_1", "return-1", "400").await;
    let before = shop.until(&id, "succeeded").await;
    // Yesterday's database: it knows the payment, and nothing of the request or its refund.
    let mut db = Database::migrated().await;
    db.expect_errors(REFUSALS);
    let acting = acting(&shop.world);
    let restored = TestApp::start_on(db, |service| service.acting = acting).await;
    restored.ready().await;
    restored.db.until("select exists (select from clawback.api_keys)").await;
    let paid = "select payload from clawback_v1.event_payloads b join clawback_v1.events e using (event_id)
                where e.type in ('charge.succeeded', 'payment_intent.succeeded')";
    for row in shop.app.db.rows(paid).await {
        assert_eq!(restored.deliver(row["payload"].as_str().expect("a body")).await.status(), 200);
    }
    restored.db.until("select exists (select from clawback_v1.orders where amount_paid = 1000)").await;
    let again = restored.db.value("select clawback_v1.request_refund('o_1', 'return-1', 400)").await;
    assert_eq!(again, Value::String(id.clone()), "the same request has the same id");
    restored.db.until("select state = 'succeeded' from clawback_v1.refund_requests").await;
    let row = restored.db.rows("select * from clawback_v1.refund_requests").await.remove(0);
    assert_eq!((&row["refund_id"], &row["amount"]), (&before["refund_id"], &json!(400)));
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_of_stripes_changes_nothing() {
    let shop = Shop::open().await;
    shop.world.advance(-90).await;
    let charge = shop.pay("o_1", "1000", "pm_card_refundFail").await;
    let id = shop.request("o_1", "return-1", "400").await;
    shop.until(&id, "succeeded").await;
    // The webhook may have brought the success before the answer is recorded.
    shop.app.db.until("select exists (select from clawback_v1.events where type = 'clawback.fetched')").await;
    let late = "select bool_or(created_at > now() - interval '85 seconds') from clawback_v1.events
                where type = 'clawback.fetched'";
    assert_eq!(shop.app.db.value(late).await, false, "stamped by Stripe's clock");
    shop.world.advance(61).await;
    assert!(shop.until(&id, "failed").await["error"].as_str().expect("why").contains("failed"));
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
    shop.app.db.until("select amount_refunded = 0 from clawback_v1.orders").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_while_it_refunds_makes_each_refund_once() {
    let mut shop = Shop::open().await;
    let charge = shop.pay("o_1", "10000", "pm_card_visa").await;
    let requests = "select count(clawback_v1.request_refund('o_1', 'return-' || n, 100)) from generate_series(1, 40) n";
    shop.app.db.value(requests).await;
    for done in [5, 15, 25] {
        shop.app
            .db
            .until(&format!("select count(*) >= {done} from clawback_v1.refund_requests where refund_id is not null"))
            .await;
        shop.app.kill().await;
        let acting = acting(&shop.world);
        shop.app = TestApp::start_on(shop.app.db.again(), |service| service.acting = acting).await;
        shop.expire_leases().await;
    }
    let endpoint = json!({ "url": format!("{}/webhooks/stripe", shop.app.url), "secrets": [SECRET], "scope": "account",
        "payload": "snapshot", "enabled_events": ["*"] });
    shop.world.control("webhooks", endpoint).await;
    until("all are made", async || {
        shop.expire_leases().await;
        tokio::time::timeout(Duration::from_secs(5), shop.world.refunds_of(&charge)).await == Ok(40)
    })
    .await;
    shop.app.db.until("select count(*) = 40 from clawback_v1.refund_requests where state = 'succeeded'").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_may_have_had_an_effect_is_not_forgotten_for_a_later_one_that_had_none() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
    // Look-ups show it later, as Stripe's lists may.
    shop.world.control("settings", json!({ "list_lag": 3_600 })).await;
    shop.fault(
        json!({ "method": "POST", "path": "/v1/refunds", "kind": "error_after", "count": 1, "should_retry": true }),
    )
    .await;
    shop.fault(on_create("rate_limit", 20)).await;
    let id = shop.request("o_1", "return-1", "400").await;
    shop.until(&id, "unknown").await;
    let cancel = format!("select clawback_v1.cancel_refund_request('{id}', 'impatient')");
    assert_eq!(shop.app.db.value(&cancel).await, false, "it may exist");
    shop.world.control("settings", json!({ "list_lag": 0 })).await;
    shop.until(&id, "succeeded").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_is_refused_leaves_the_outcome_unknown() {
    let shop = Shop::open().await;
    let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
    shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
    shop.fault(on_create("cut_after", 1)).await;
    let refuse = json!({ "method": "GET", "path": "/v1/refunds", "kind": "refuse", "status": 404,
        "code": "resource_missing", "skip": 1, "count": 3 });
    shop.fault(refuse).await;
    let id = shop.request("o_1", "return-1", "400").await;
    shop.until(&id, "succeeded").await;
    let asked = "select count(*) from clawback_v1.follow_ups where kind = 'resolve_refused_request'";
    assert_eq!(shop.app.db.value(asked).await, 0);
    assert_eq!(shop.world.refunds_of(&charge).await, 1, "{ONE}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_doubt_is_looked_up_before_it_is_cancelled() {
    for (kind, end, refunds) in [("error_before", "cancelled", 0), ("error_after", "succeeded", 1)] {
        let shop = Shop::open().await;
        let charge = shop.pay("o_1", "1000", "pm_card_visa").await;
        shop.world.control("webhooks/behaviour", json!({ "lose": 100 })).await;
        shop.world.control("settings", json!({ "list_lag": 3_600 })).await;
        shop.fault(on_create(kind, 1)).await;
        let id = shop.request("o_1", "return-1", "400").await;
        shop.until(&id, "unknown").await;
        let cancel = format!("select clawback_v1.cancel_refund_request('{id}', 'gave up')");
        assert_eq!(shop.app.db.value(&cancel).await, false, "{kind}: too early");
        shop.app.db.execute("update clawback.refund_requests set first_sent_at = now() - interval '25 hours'").await;
        until("it is cancelled between two calls", async || shop.app.db.value(&cancel).await == true).await;
        let posts =
            async || shop.world.look("requests?method=POST&path=/v1/refunds").await.as_array().expect("a list").len();
        let before = posts().await;
        shop.world.control("settings", json!({ "list_lag": 0 })).await;
        shop.app.db.execute("update clawback.api_calls set run_at = now() where kind = 'refund'").await;
        shop.until(&id, end).await;
        assert_eq!((shop.world.refunds_of(&charge).await, posts().await), (refunds, before), "{kind}");
    }
}

//! Promise: the double fails on request, before or after the effect, and tells what happened.

use serde_json::{Value, json};

use crate::double_world::{Said, World};

async fn refund(world: &World, key: &str, charge: &str) -> Result<Said, reqwest::Error> {
    world.keyed(key, "/v1/refunds", &[("charge", charge), ("amount", "10")]).await
}

async fn fail(world: &World, fault: Value) {
    let mut all = json!({ "method": "POST", "path": "/v1/refunds" });
    all.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
    world.control("faults", all).await;
}

/// What a fault does to the answer, to the money, and to a second request with the same key.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_hits_before_or_after_the_effect() {
    let world = World::start().await;
    for (kind, status, effect_first, status_again, effect_again) in [
        ("rate_limit", 429, 0, 200, 1),
        ("conflict", 409, 0, 200, 1),
        ("unavailable", 503, 0, 200, 1),
        ("error_before", 500, 0, 500, 0),
        ("error_after", 500, 1, 500, 1),
        ("cut_before", 0, 0, 200, 1),
        ("cut_after", 0, 1, 200, 1),
        ("cut_body", 0, 1, 200, 1),
        ("slow_body", 200, 1, 200, 1),
    ] {
        let charge = world.pay("1000", "pm_card_visa").await;
        fail(&world, json!({ "kind": kind, "millis": 5 })).await;
        let first = refund(&world, kind, &charge).await.map_or(0, |said| said.status);
        assert_eq!((first, world.refunds_of(&charge).await), (status, effect_first), "{kind}");
        let again = refund(&world, kind, &charge).await.expect("an answer");
        assert_eq!((again.status, world.refunds_of(&charge).await), (status_again, effect_again), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_answer_leaves_the_effect_and_the_log() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    fail(&world, json!({ "kind": "silence" })).await;
    let form = [("charge", charge.as_str())];
    let request = world.request("POST", "/v1/refunds", &form).header("Idempotency-Key", "k1");
    let waiting = tokio::spawn(request.send());
    crate::harness::until("the effect", async || world.refunds_of(&charge).await == 1).await;
    assert!(!waiting.is_finished());
    waiting.abort();
    let again = world.keyed("k1", "/v1/refunds", &form).await.expect("an answer");
    assert_eq!((again.status, again.header("Idempotent-Replayed")), (200, "true"));
    let log = world.look("requests?method=POST&path=/v1/refunds").await;
    assert_eq!((&log[0]["status"], &log[0]["fault"]), (&json!(200), &json!("Silence")));
    assert_eq!((&log[1]["replayed"], log[1]["id"] == log[0]["id"]), (&json!(true), false));
    assert!(!log.to_string().contains("sk_test"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_in_use_while_its_request_runs() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    fail(&world, json!({ "kind": "slow", "millis": 2000 })).await;
    let form = [("charge", charge.as_str())];
    let slow = tokio::spawn(world.request("POST", "/v1/refunds", &form).header("Idempotency-Key", "k1").send());
    crate::harness::until("the first request", async || {
        world.look("requests?path=/v1/refunds").await.as_array().is_some_and(|log| !log.is_empty())
    })
    .await;
    let second = world.keyed("k1", "/v1/refunds", &form).await.expect("an answer");
    assert_eq!(second.refusal(), (409, "idempotency_key_in_use", ""));
    assert_eq!(slow.await.expect("no panic").expect("an answer").status(), 200);
    assert_eq!(world.refunds_of(&charge).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_skips_counts_and_sets_headers() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    let refusal = json!({ "kind": "refuse", "status": 400, "code": "balance_insufficient", "skip": 1, "count": 2,
        "should_retry": true, "retry_after": 3 });
    fail(&world, refusal).await;
    let mut codes = Vec::new();
    for key in ["k1", "k2", "k3", "k4"] {
        let said = refund(&world, key, &charge).await.expect("an answer");
        assert!(said.header("Request-Id").starts_with("req_"), "{said:?}");
        codes.push((said.refusal().1.to_owned(), said.header("Stripe-Should-Retry").to_owned()));
    }
    let refused = ("balance_insufficient".to_owned(), "true".to_owned());
    let passed = (String::new(), String::new());
    assert_eq!(codes, [passed.clone(), refused.clone(), refused, passed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_hits_every_request_until_it_is_over() {
    let world = World::start().await;
    let charge = world.pay("1000", "pm_card_visa").await;
    for (outage, status) in [
        (json!({ "kind": "unavailable" }), 503),
        (json!({ "kind": "refuse", "status": 500 }), 500),
        (json!({ "kind": "cut_before" }), 0),
    ] {
        let mut all = json!({ "seconds": 1800 });
        all.as_object_mut().unwrap().extend(outage.as_object().unwrap().clone());
        world.control("faults", all).await;
        for attempt in ["first", "second", "third"] {
            let key = format!("{attempt}{status}");
            let answer = refund(&world, &key, &charge).await;
            assert_eq!(answer.map_or(0, |said| said.status), status, "{outage}");
            assert!(crate::double_world::said(world.request("GET", "/v1/charges", &[])).await.is_ok() != (status == 0));
        }
        world.advance(1_801).await;
        assert_eq!(refund(&world, &format!("first{status}"), &charge).await.unwrap().status, 200, "nothing was stored");
    }
    assert_eq!(world.refunds_of(&charge).await, 3);
    let error = json!({ "kind": "refuse", "status": 500, "seconds": 60 });
    world.control("faults", error).await;
    assert_eq!(world.get("/v1/charges", &[]).await.body["error"]["type"], "api_error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_refuses_what_is_too_fast_and_the_rates_tell() {
    let world = World::start().await;
    world.control("accounts", json!({ "id": "acct_1" })).await;
    world.control("settings", json!({ "rate_limit": 5 })).await;
    let mut limited = 0;
    while limited == 0 {
        let said = world.get("/v1/charges", &[]).await;
        limited += u64::from(said.refusal() == (429, "rate_limit", ""));
    }
    let there = world.request("GET", "/v1/charges", &[]).header("Stripe-Account", "acct_1");
    assert_eq!(crate::double_world::said(there).await.unwrap().status, 200, "each account has a rate of its own");
    let rates = world.look("rates").await;
    let platform = &rates["platform"];
    assert_eq!((&platform["most_in_a_second"], &platform["rate_limited"]), (&json!(6), &json!(limited)), "{rates}");
    assert_eq!(rates["acct_1"], json!({ "requests": 1, "most_in_a_second": 1, "rate_limited": 0 }));
}

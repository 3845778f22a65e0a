//! Promise: after an outage of Stripe the calls go on by themselves, never faster than their rate.

use std::time::Duration;

use clawback::executor::Pace;
use clawback::stripe_api::Limits;
use serde_json::json;

use crate::harness::until;
use crate::refund_shop::Shop;

/// An hour of waiting passes in six seconds; the rate is not compressed.
const COMPRESSION: u32 = 600;
/// As many calls are tried in more than ten minutes of waiting.
const TRIED: usize = 15;

fn compressed() -> Pace {
    let usual = Pace::default();
    Pace {
        poll: Duration::from_millis(10),
        shortest_wait: usual.shortest_wait / COMPRESSION,
        longest_wait: usual.longest_wait / COMPRESSION,
        longest_doubt: usual.longest_doubt / COMPRESSION,
        pause: usual.pause / COMPRESSION,
        key_pause: usual.key_pause / COMPRESSION,
        ..usual
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_outage_the_calls_go_on_within_their_rate() {
    let shop = Shop::open_with_limits(Limits::default(), |service| service.acting.pace = compressed()).await;
    let charge = shop.pay("o_1", "10000", "pm_card_visa").await;
    // What Stripe allows a sandbox.
    shop.world.control("settings", json!({ "rate_limit": 25 })).await;
    shop.world.forget_requests().await;
    shop.fault(json!({ "path": "/v1/*", "kind": "unavailable", "seconds": 3_600 })).await;
    let requests = "select count(clawback_v1.request_refund('o_1', 'k' || n, 100)) from generate_series(1, 20) n";
    shop.app.db.value(requests).await;
    let tried = async || shop.world.look("requests?path=/v1/refunds").await.as_array().expect("requests").len();
    until("it was tried", async || tried().await > TRIED).await;
    assert_eq!(shop.world.refunds_of(&charge).await, 0, "Stripe is away");
    shop.world.end_faults().await;
    shop.app.db.until("select count(*) = 20 from clawback_v1.refund_requests where state = 'succeeded'").await;
    assert_eq!(shop.world.refunds_of(&charge).await, 20);
    let rates = shop.world.look("rates").await;
    let seen = &rates["platform"];
    assert_eq!(seen["rate_limited"], 0, "no call was above Stripe's limit: {rates}");
    assert!(
        seen["most_in_a_second"].as_u64().expect("a number") <= 20,
        "a full bucket and a second of the rate: {rates}"
    );
}

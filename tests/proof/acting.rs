//! What the proofs of refunds, evidence and whole worlds share: a service that acts at the double of Stripe, how its calls
//! fail, and waiting until nothing is left to send.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::TestRng;
use serde_json::{Value, json};

use crate::binary::Serving;
use crate::double_world::World;
use crate::harness::{Database, SECRET, client, until};

/// The shortest stop time-out of an orchestrator.
pub const GRACE: Duration = Duration::from_secs(10);
/// How calls fail, and one of how many requests is hit; an answer that never comes costs a time-out.
pub const FAULTS: [(&str, u64); 11] = [
    ("rate_limit", 50),
    ("conflict", 50),
    ("error_before", 50),
    ("error_after", 50),
    ("unavailable", 50),
    ("slow", 20),
    ("slow_body", 50),
    ("cut_before", 50),
    ("cut_after", 50),
    ("cut_body", 50),
    ("silence", 2_000),
];

pub fn environment(world: &World) -> [(&'static str, &str); 5] {
    [
        ("STRIPE_API_KEYS", "sk_test_1"),
        ("STRIPE_API_BASE", &world.url),
        ("STRIPE_FILES_BASE", &world.url),
        ("CLAWBACK_STRIPE_RATE", "100"),
        ("RUST_LOG", "error,clawback::app=info"),
    ]
}

/// Sends the webhooks of all accounts to a service.
pub async fn register(world: &World, serving: &Serving) {
    for scope in ["account", "connect"] {
        let endpoint = json!({ "url": format!("http://{}/webhooks/stripe", serving.address), "secrets": [SECRET],
            "scope": scope, "payload": "snapshot", "enabled_events": ["*"] });
        world.control("webhooks", endpoint).await;
    }
}

pub fn below(rng: &mut TestRng, limit: u64) -> u64 {
    rng.next_u64() % limit
}

/// Waits until a number is reached, as long as it rises.
pub async fn progress(db: &Database, query: &str, goal: u64) {
    loop {
        let reached = db.value(query).await.as_u64().expect("a number");
        if reached >= goal {
            return;
        }
        db.until(&format!("select ({query}) > {reached}")).await;
    }
}

pub async fn end_faults(world: &World) {
    let ended = client().delete(format!("{}/_double/faults", world.url)).send().await.expect("an answer");
    assert_eq!(ended.status(), 200);
}

/// Waits until nothing is left to send or process; waiting calls are due at once.
pub async fn finish(db: &Database) {
    const LEFT: &str = "select count(*) from clawback.api_calls where state in ('ready', 'leased')";
    // A killed process may have been recording an answer, so that its lease was passed over.
    const DUE: &str = "update clawback.api_calls set run_at = now() where state = 'ready' and run_at > now();
                       update clawback.api_calls set leased_until = now() where id in (
                           select id from clawback.api_calls
                           where state = 'leased' and leased_until < now() + interval '90 seconds' for update skip locked);
                       update clawback.api_accounts set paused_until = null where paused_until is not null";
    const PENDING: &str = "select count(*) from clawback.pending_events";
    // What is processed may ask for calls, and what a call answers is processed.
    while db.value(LEFT).await != 0 || db.value(PENDING).await != 0 {
        while let Some(left @ 1..) = db.value(LEFT).await.as_u64() {
            until("a call ends", async || {
                db.execute(DUE).await;
                db.value(LEFT).await.as_u64() < Some(left)
            })
            .await;
        }
        while let Some(left @ 1..) = db.value(PENDING).await.as_u64() {
            db.until(&format!("select count(*) < {left} from clawback.pending_events")).await;
        }
    }
}

/// The ids of all refunds, by the request that their metadata names.
pub async fn refunds_by_request(world: &World) -> BTreeMap<String, Vec<Value>> {
    let mut made: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut last = String::new();
    loop {
        let form = [("limit", "100"), ("starting_after", last.as_str())];
        let page = world.get("/v1/refunds", &form[..if last.is_empty() { 1 } else { 2 }]).await.body;
        for refund in page["data"].as_array().unwrap_or_else(|| panic!("a list: {page}")) {
            let request = refund["metadata"]["clawback_request"].as_str().unwrap_or_default().to_owned();
            made.entry(request).or_default().push(refund["id"].clone());
            last = refund["id"].as_str().expect("an id").to_owned();
        }
        if page["has_more"] != true {
            return made;
        }
    }
}

//! Promise: a service that received every event of random activity in the double agrees with the double on all payments.

use clawback::dev::double::Life;
use serde_json::{Value, json};

use crate::double_world::{World, expected, said, shown};
use crate::harness::{TestApp, unix_now};

const DAY: i64 = 86_400;

/// Bodies of all events of an account, oldest first.
async fn events(world: &World, account: Option<&str>) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let after = found.last().map(|it| it["id"].as_str().expect("an id").to_owned());
        let cursor = after.as_ref().map(|id| ("starting_after", id.as_str()));
        let request = world.request("GET", "/v1/events", &[&[("limit", "100")], cursor.as_slice()].concat());
        let request = account.iter().fold(request, |request, id| request.header("Stripe-Account", *id));
        let page = said(request).await.expect("an answer").body;
        found.extend(page["data"].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
        if page["has_more"] == false {
            found.reverse();
            return found;
        }
    }
}

async fn check(seed: u64, order: impl Fn(&mut Vec<Value>)) {
    let (world, app) = (World::start().await, TestApp::start().await);
    world.control("clock", json!({ "stop_at": unix_now() - 20 * DAY })).await;
    world.control("accounts", json!({ "id": "acct_1" })).await;
    world.double.live(Life { seed, steps: 250, pace: 3 * 3_600 });
    let mut bodies = [events(&world, None).await, events(&world, Some("acct_1")).await].concat();
    order(&mut bodies);
    app.see(&bodies.iter().map(Value::to_string).collect::<Vec<_>>()).await;
    let shown = shown(&app.db).await;
    let truth = world.double.truth();
    assert!(truth.len() > 60, "{} payments", truth.len());
    for (id, truth) in &truth {
        assert_eq!(shown.get(id), Some(&expected(truth)), "seed {seed}, {id}: {truth:?}");
    }
    assert_eq!(shown.len(), truth.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_order_lead_to_the_true_state() {
    check(1, |_| ()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_reverse_order_lead_to_the_true_state() {
    check(2, |bodies| bodies.reverse()).await;
}

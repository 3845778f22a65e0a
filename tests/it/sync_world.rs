//! Promise: after any mixture of webhooks, losses, disorder and `sync`, the state is that of all events.

use serde_json::{Value, json};

use crate::double_world::said;
use crate::harness::{STATE, TestApp};
use crate::refund_shop::Shop;
use crate::sync::{first_pass, synced};

/// Numbers that a seed decides.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        (!all.is_empty()).then(|| &all[self.roll(all.len())])
    }
}

const TOKENS: [&str; 5] = [
    "pm_card_visa",
    "pm_card_refundFail",
    "pm_card_pendingRefund",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
];

async fn pay(shop: &Shop, order: usize, token: &str) -> Option<String> {
    let order = format!("o_{order}");
    let form = [
        ("amount", "1000"),
        ("currency", "eur"),
        ("confirm", "true"),
        ("payment_method", token),
        ("metadata[order_id]", order.as_str()),
    ];
    shop.world.post("/v1/payment_intents", &form).await.body["latest_charge"].as_str().map(str::to_owned)
}

/// Something happens to a dispute, unless it cannot.
async fn bank(shop: &Shop, happens: &str, charge: &str) {
    let dispute = shop.world.dispute_of(charge).await;
    let body = json!({ "happens": happens, "id": dispute["id"] }).to_string();
    drop(said(shop.app.client.post(format!("{}/_double/bank", shop.world.url)).body(body)).await);
}

/// Some of what happens at a shop whose webhooks are lost, held, repeated and shuffled.
async fn live(shop: &Shop, dice: &mut Dice) {
    let mut charges: Vec<String> = Vec::new();
    for step in 0..50 {
        let webhooks = match dice.roll(9) {
            0 => Some(json!({ "lose": dice.roll(12) })),
            1 => Some(json!({ "hold": true, "copies": 1 + dice.roll(2) })),
            _ => None,
        };
        if let Some(behaviour) = webhooks {
            shop.world.control("webhooks/behaviour", behaviour).await;
        }
        let charge = dice.pick(&charges).cloned();
        match (dice.roll(8), charge) {
            (0 | 1, Some(charge)) => {
                shop.world.post("/v1/refunds", &[("charge", &charge), ("amount", "200")]).await;
            }
            (2, Some(charge)) => bank(shop, ["win", "lose", "escalate"][dice.roll(3)], &charge).await,
            (3, _) => drop(shop.world.control("webhooks/release", json!({ "shuffle": dice.roll(100) })).await),
            (4, _) if step % 10 == 0 => drop(synced(shop, &[]).await),
            _ => charges.extend(pay(shop, dice.roll(12), TOKENS[dice.roll(5)]).await),
        }
    }
}

/// A service that gets every event of the account by webhook.
async fn told_everything(shop: &Shop) -> TestApp {
    let app = TestApp::start().await;
    let mut after: Option<String> = None;
    loop {
        let cursor = after.iter().map(|id| ("starting_after", id.as_str()));
        let form: Vec<_> = [("limit", "100")].into_iter().chain(cursor).collect();
        let page = shop.world.get("/v1/events", &form).await.body;
        let events = page["data"].as_array().expect("events");
        app.take_in(&events.iter().map(Value::to_string).collect::<Vec<_>>()).await;
        after = events.last().and_then(|event| event["id"].as_str()).map(str::to_owned);
        if page["has_more"] != true {
            app.db.settle().await;
            return app;
        }
    }
}

async fn state(app: &TestApp) -> Vec<Vec<Value>> {
    let mut state = Vec::new();
    for query in STATE {
        state.push(app.db.rows(query).await);
    }
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_that_of_all_events_however_they_came() {
    let mut missed = 0;
    for seed in [1, 2, 3] {
        let shop = Shop::open().await;
        first_pass(&shop).await;
        live(&shop, &mut Dice(seed)).await;
        shop.world.control("webhooks/behaviour", json!({ "lose": 1_000_000 })).await;
        let found = synced(&shop, &[]).await;
        missed += found[0]["new"].as_object().expect("types").len();
        let all = told_everything(&shop).await;
        assert!(all.db.rows(STATE[0]).await.len() > 5, "a world with orders in it");
        assert_eq!(state(&shop.app).await, state(&all).await, "seed {seed}, found {found}");
    }
    assert!(missed > 0, "worlds in which webhooks are lost");
}

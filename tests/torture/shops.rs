//! Services that act: they request refunds and respond to disputes of payments at the double of Stripe, each thing twice,
//! while its calls fail in every way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::acting::FAULTS;
use crate::chance::Dice;
use crate::consumers::Gate;
use crate::double_world::World;

/// How often a payment is made, and something is asked for.
const PACE: Duration = Duration::from_millis(400);
/// What each payment is paid, in minor units.
const PAID: usize = 1_000;
const TOKENS: [&str; 4] =
    ["pm_card_visa", "pm_card_visa", "pm_card_createDispute", "pm_card_createDisputeProductNotReceived"];
const IMPATIENCE: Duration = Duration::from_secs(5);

/// What was accepted, with the call that asked for it.
#[derive(Debug, Default)]
pub struct Orders {
    /// Refund requests by key: the ids that were returned, when first, and the call.
    pub refunds: BTreeMap<String, (Vec<String>, Instant, String)>,
    /// Calls about disputes, and when.
    pub responses: Vec<(Instant, String)>,
}

pub struct Shops {
    pub orders: Arc<Mutex<Orders>>,
    working: JoinHandle<()>,
}

impl Shops {
    /// `gate`: closed by whoever locks it for writing.
    pub fn start(world: Arc<World>, pool: PgPool, gate: Gate, seed: u64) -> Self {
        let orders = Arc::<Mutex<Orders>>::default();
        let working = tokio::spawn(work(world, pool, Arc::clone(&orders), gate, Dice(seed)));
        Self { orders, working }
    }

    /// Nothing new is asked for.
    pub async fn end(&mut self) {
        self.working.abort();
        drop((&mut self.working).await);
    }

    /// Asks again, with the same keys, for what was asked for since: a restored database has lost that.
    pub async fn ask_again_since(&self, pool: &PgPool, since: Instant) {
        let calls: Vec<String> = {
            let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            let refunds = orders.refunds.values().filter(|(_, at, _)| *at >= since).map(|(_, _, call)| call.clone());
            let responses = orders.responses.iter().filter(|(at, _)| *at >= since).map(|(_, call)| call.clone());
            refunds.chain(responses).collect()
        };
        for call in calls {
            drop(ask(pool, &call).await);
        }
    }
}

async fn work(world: Arc<World>, pool: PgPool, orders: Arc<Mutex<Orders>>, gate: Gate, mut dice: Dice) {
    let mut ticks = interval(PACE);
    for number in 0.. {
        ticks.tick().await;
        let _open = gate.read().await;
        disturb(&world, &mut dice).await;
        let (order, token) = (format!("o_{number}"), TOKENS[dice.roll(TOKENS.len())]);
        let amount = PAID.to_string();
        let form = [
            ("amount", amount.as_str()),
            ("currency", "eur"),
            ("confirm", "true"),
            ("payment_method", token),
            ("metadata[order_id]", &order),
        ];
        world.post("/v1/payment_intents", &form).await;
        let earlier = dice.roll(number + 1);
        refund(&pool, &orders, earlier, &mut dice).await;
        respond(&pool, &orders, &mut dice).await;
    }
}

/// Calls of the next seconds fail.
async fn disturb(world: &World, dice: &mut Dice) {
    if dice.roll(4) > 0 {
        return;
    }
    // Without the answer that never comes: a scenario would wait for its time-out.
    let (kind, _) = FAULTS[dice.roll(FAULTS.len() - 1)];
    let path = ["/v1/refunds", "/v1/disputes/*", "/v1/files"][dice.roll(3)];
    world.control("faults", json!({ "path": path, "kind": kind, "count": 1, "millis": 20 })).await;
}

/// The same request twice, with one key.
async fn refund(pool: &PgPool, orders: &Mutex<Orders>, order: usize, dice: &mut Dice) {
    let (key, amount) = (format!("k_{order}_{}", dice.roll(3)), 1 + dice.roll(PAID / 2));
    if orders.lock().unwrap_or_else(PoisonError::into_inner).refunds.contains_key(&key) {
        return;
    }
    let call = format!("request_refund('o_{order}', '{key}', {amount})::text");
    for _ in 0..2 {
        if let Some(id) = ask(pool, &call).await {
            let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || (Vec::new(), Instant::now(), call.clone());
            orders.refunds.entry(key.clone()).or_insert_with(new).0.push(id);
        }
    }
}

/// What two people do about a dispute that has no draft: they submit, leave it to the service, or accept it.
async fn respond(pool: &PgPool, orders: &Mutex<Orders>, dice: &mut Dice) {
    let open = "select dispute_id from clawback_v1.disputes d where can_respond and not exists (
                    select from clawback_v1.dispute_responses r where r.dispute_id = d.dispute_id)
                order by dispute_id limit 1";
    let Ok(Ok(Some(dispute))) = timeout(IMPATIENCE, sqlx::query_scalar::<_, String>(open).fetch_optional(pool)).await
    else {
        return;
    };
    let fields = json!({ "product_kind": "digital", "customer_name": format!("draft of {dispute}") });
    let mut calls = vec![format!("stage_evidence('{dispute}', '{fields}')::text")];
    match dice.roll(3) {
        0 => {
            calls.extend([format!("submit_evidence('{dispute}')::text"), format!("submit_evidence('{dispute}')::text")])
        }
        1 => calls.extend([
            format!("accept_dispute('{dispute}', {PAID})::text"),
            format!("accept_dispute('{dispute}', {PAID})::text"),
        ]),
        _ => {}
    }
    for call in calls {
        orders.lock().unwrap_or_else(PoisonError::into_inner).responses.push((Instant::now(), call.clone()));
        drop(ask(pool, &call).await);
    }
}

/// Calls a function; none: it was refused, or the database did not answer.
async fn ask(pool: &PgPool, call: &str) -> Option<String> {
    let statement = AssertSqlSafe(format!("select clawback_v1.{call}"));
    timeout(IMPATIENCE, sqlx::query_scalar(statement).fetch_one(pool)).await.ok()?.ok()
}

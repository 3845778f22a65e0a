//! The proof of catching up: whatever mixture of webhooks, losses, refunds of our own, killed processes and `clawback sync`
//! a random world of the double sees, the service ends with the double's truth.

use std::collections::BTreeSet;

use proptest::prelude::Rng;
use proptest::test_runner::TestRng;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::acting::{below, environment, finish, register};
use crate::binary::{self, Serving};
use crate::chance::{number, rng};
use crate::double_world::{World, expected, shown};
use crate::harness::{Database, until};
use crate::refunds::EXPECTED;

/// The default of `WORLDS`.
const WORLDS: u64 = 1;
/// Acts of each world; after each, a process may be killed.
const ACTS: u64 = 5;
/// Steps of random activity in each act, and the longest time between two, in seconds: all of it happens within the hour
/// that each listing reaches back behind the one before.
const STEPS: u64 = 25;
const PACE: i64 = 25;
const BEGIN: i64 = -3_000;

/// `WORLDS` is the number of worlds, `SEED` selects them.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_the_truth_of_random_worlds_however_their_events_come() {
    let (worlds, seed) = (number("WORLDS", WORLDS), number("SEED", 1));
    let mut counts = (0, 0, 0);
    for n in 0..worlds {
        let (payments, requests, found) = one_world(seed * 1_000 + n).await;
        counts = (counts.0 + payments, counts.1 + requests, counts.2 + found);
    }
    let (payments, requests, found) = counts;
    println!(
        "worlds {worlds}, payments {payments}, refunds requested {requests}, events found by sync {found}, wrong: 0"
    );
    assert!(found > 0, "webhooks were lost");
}

/// Lives through one world; its payments, refund requests, and events that only `sync` found.
async fn one_world(seed: u64) -> (usize, usize, u64) {
    let mut rng = rng(seed);
    let mut db = Database::migrated().await;
    db.expect_errors(&EXPECTED);
    let world = World::start().await;
    world.control("clock", json!({ "advance": BEGIN })).await;
    world.control("accounts", json!({ "id": "acct_1" })).await;
    let environment = environment(&world);
    let mut serving = Serving::start(&db.url, &environment).await;
    register(&world, &serving).await;
    for act in 0..ACTS {
        // What happens last is left to the command.
        let is_last = act + 1 == ACTS;
        let behaviour = if is_last { json!({ "lose_all": true }) } else { behaviour(&mut rng) };
        world.control("webhooks/behaviour", behaviour).await;
        world.control("live", json!({ "seed": seed * ACTS + act, "steps": STEPS, "pace": PACE })).await;
        world.control("webhooks/release", json!({ "shuffle": seed })).await;
        until("what is delivered has arrived", async || world.look("webhooks").await["pending"] == 0).await;
        finish(&db).await;
        request_some(&db, &mut rng).await;
        if !is_last && below(&mut rng, 2) == 0 {
            serving.kill().await;
            serving = Serving::start(&db.url, &environment).await;
            register(&world, &serving).await;
            // What the dead process held is free at once.
            db.execute("update clawback.syncs set held_by = null, held_until = null").await;
            db.execute("update clawback.api_calls set leased_until = now() where state = 'leased'").await;
        }
    }
    finish(&db).await;
    // An account of which no webhook ever arrived is not known, and must be named.
    let named = ["sync", "--json", "--account", "acct_1"];
    let found = sync(&db, &environment, &["sync", "--json"]).await + sync(&db, &environment, &named).await;
    finish(&db).await;
    let (payments, requests) = compare(&db, &world, seed).await;
    serving.kill().await;
    (payments, requests, found)
}

/// Webhooks are lost, held back or repeated.
fn behaviour(rng: &mut TestRng) -> Value {
    match below(rng, 4) {
        0 => json!({ "lose": below(rng, 60) }),
        1 => json!({ "hold": true, "copies": 1 + below(rng, 2) }),
        2 => json!({ "lose_all": true }),
        _ => json!({ "copies": 2 }),
    }
}

/// Requests refunds of payments that are known; what cannot be refunded is refused.
async fn request_some(db: &Database, rng: &mut TestRng) {
    let payments = db.rows("select payment_id from clawback_v1.payments order by payment_id").await;
    for payment in payments.iter().filter(|_| below(rng, 3) == 0).collect::<Vec<_>>() {
        let (id, key) = (payment["payment_id"].as_str().expect("an id"), rng.next_u64());
        let amount = if below(rng, 2) == 0 { "null".to_owned() } else { (1 + below(rng, 500)).to_string() };
        let call = format!("select clawback_v1.request_payment_refund('{id}', 'k_{key}', {amount})");
        drop(sqlx::query(AssertSqlSafe(call)).execute(&db.pool).await);
    }
}

/// Runs `clawback sync`; how many events it found.
async fn sync(db: &Database, environment: &[(&str, &str)], command: &[&str]) -> u64 {
    let database = [("DATABASE_URL", db.url.as_str())];
    let ended = binary::run(command, &[environment, &database].concat()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let found: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
    let new = found.iter().filter_map(|pass| pass["new"].as_object());
    new.flat_map(|types| types.values().filter_map(Value::as_u64)).sum()
}

/// The service and the double agree on every payment, and each request has at most one refund.
async fn compare(db: &Database, world: &World, seed: u64) -> (usize, usize) {
    let truth = world.double.truth();
    let shown = shown(db).await;
    for (id, truth) in &truth {
        assert_eq!(shown.get(id), Some(&expected(truth)), "seed {seed}, payment {id}: {truth:?}");
    }
    assert_eq!(shown.len(), truth.len(), "seed {seed}");
    let requests = db.rows("select id, state, refund_id from clawback_v1.refund_requests").await;
    let mut refunds = BTreeSet::new();
    for request in &requests {
        let is_over = ["succeeded", "pending", "failed"].contains(&request["state"].as_str().expect("a state"));
        let is_own = request["refund_id"].is_null() || refunds.insert(request["refund_id"].to_string());
        assert!(is_over && is_own, "seed {seed}: {request}");
    }
    let twice = "select count(*) from (select metadata ->> 'clawback_request' as id from clawback_v1.refunds
                 where metadata ? 'clawback_request' group by 1 having count(*) > 1) twice";
    assert_eq!(db.value(twice).await, 0, "seed {seed}");
    (truth.len(), requests.len())
}

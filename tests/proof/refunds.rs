//! The proof of refunds: two processes of the real binary make the refunds that two services request twice each, while
//! calls fail in every way, webhooks are lost and repeated, and a process is killed again and again. At the end each
//! request has one refund, and the orders show what the double of Stripe holds.

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::test_runner::TestRng;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::acting::{FAULTS, GRACE, below, end_faults, environment, finish, progress, refunds_by_request, register};
use crate::binary::Serving;
use crate::chance::{number, rng};
use crate::double_world::World;
use crate::harness::Database;

/// The default of `REFUNDS`.
const REFUNDS: u64 = 100;
/// Requests for each payment.
const EACH: u64 = 5;
/// What each payment is paid, in minor units.
const PAID: u64 = 1_000;
/// How often a process is killed.
const KILLS: u64 = 4;
/// What the database logs when services ask for too much, and when a client is killed.
pub const EXPECTED: [&str; 7] = [
    "is left, and at most",
    "nothing is left to refund",
    "has just been made",
    "connection to client lost",
    "has an open chargeback",
    "is not captured",
    "must be configured first",
];

/// A refund that services request.
struct Request {
    order: String,
    key: String,
    amount: u64,
}

/// `REFUNDS` is the number of requests, `SEED` selects them.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_the_truth_of_refunds_while_calls_fail_and_a_process_dies() {
    let (count, mut rng) = (number("REFUNDS", REFUNDS), rng(number("SEED", 1)));
    let began = Instant::now();
    let mut db = Database::migrated().await;
    db.expect_errors(&EXPECTED);
    let world = World::start().await;
    let environment = environment(&world);
    let one = Serving::start(&db.url, &environment).await;
    pay(&world, &db, &one, count.div_ceil(EACH)).await;

    disturb(&world, count, &mut rng).await;
    let requests = requests(count, &mut rng);
    let (refused, ()) = tokio::join!(request_twice(&db, &requests), kill_again_and_again(&db, &environment, count));
    end_faults(&world).await;
    let one = a_day_later(one, &world, &db, &environment).await;
    finish(&db).await;
    let wrong = compare(&db, &world, requests.len() - refused).await;
    println!(
        "refunds: requested {}, refused {refused}, made {}, seconds {:.1}, doubled and lost: {}",
        requests.len(),
        requests.len() - refused,
        began.elapsed().as_secs_f64(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ended = one.terminate(GRACE).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
}

/// Payments of an order each, seen by the service.
async fn pay(world: &World, db: &Database, serving: &Serving, payments: u64) {
    register(world, serving).await;
    let amount = PAID.to_string();
    for n in 0..payments {
        let order = format!("o_{n}");
        let form = [
            ("amount", amount.as_str()),
            ("currency", "eur"),
            ("confirm", "true"),
            ("payment_method", "pm_card_visa"),
            ("metadata[order_id]", &order),
        ];
        world.post("/v1/payment_intents", &form).await;
    }
    let paid = "select count(*) from clawback_v1.orders where amount_paid > 0";
    progress(db, paid, payments).await;
}

/// Every kind of fault at random moments, and webhooks that are repeated or lost.
async fn disturb(world: &World, count: u64, rng: &mut TestRng) {
    world.control("webhooks/behaviour", json!({ "copies": 2, "lose": count / 2 })).await;
    for (kind, share) in FAULTS {
        for _ in 0..(count / share).max(1) {
            let fault = json!({ "path": "/v1/refunds", "kind": kind, "count": 1, "skip": below(rng, count * 2),
                "millis": 20 });
            world.control("faults", fault).await;
        }
    }
}

/// Requests that may ask for more than there is, in an order of their own.
fn requests(count: u64, rng: &mut TestRng) -> Vec<Request> {
    let mut requests: Vec<_> = (0..count)
        .map(|n| Request {
            order: format!("o_{}", n / EACH),
            key: format!("k_{n}"),
            amount: 1 + below(rng, PAID * 3 / (EACH * 2)),
        })
        .collect();
    for n in (1..requests.len()).rev() {
        requests.swap(n, usize::try_from(below(rng, n as u64 + 1)).expect("an index"));
    }
    requests
}

/// Two services make each request; both get the same answer. How many were refused.
async fn request_twice(db: &Database, requests: &[Request]) -> usize {
    let (first, second) = tokio::join!(request_all(db, requests), request_all(db, requests));
    let mut refused = 0;
    for ((request, first), second) in requests.iter().zip(first).zip(second) {
        // Between the two, another request may have been refused or failed; an id never changes.
        assert!(first.is_none() || second.is_none() || first == second, "{} has two ids", request.key);
        refused += usize::from(first.is_none() && second.is_none());
    }
    refused
}

async fn request_all(db: &Database, requests: &[Request]) -> Vec<Option<String>> {
    let mut ids = Vec::new();
    for Request { order, key, amount } in requests {
        let call = format!("select clawback_v1.request_refund('{order}', '{key}', {amount})::text");
        ids.push(sqlx::query_scalar(AssertSqlSafe(call)).fetch_one(&db.pool).await.ok());
    }
    ids
}

/// Kills one of two processes while refunds are made, and starts another.
async fn kill_again_and_again(db: &Database, environment: &[(&str, &str)], count: u64) {
    let made = "select count(*) from clawback_v1.refund_requests where refund_id is not null";
    for kill in 1..=KILLS {
        let other = Serving::start(&db.url, environment).await;
        progress(db, made, count * kill / (KILLS * 4)).await;
        other.kill().await;
        // What the dead process held is free at once, and so is what the living one holds: the worst case.
        // Those that are being recorded are not: an executor locks its account first.
        db.execute(
            "update clawback.api_calls set leased_until = now() - interval '1 second'
             where id in (select id from clawback.api_calls where state = 'leased' for update skip locked)",
        )
        .await;
    }
}

/// Stored failures are repeated until Stripe forgets the key, after a day. No call lasts that long, though here some have
/// outlived their lease and may be about to be sent again: they end with their process, and another takes its place.
async fn a_day_later(one: Serving, world: &World, db: &Database, environment: &[(&str, &str)]) -> Serving {
    let address = one.address.to_string();
    let ended = one.terminate(GRACE).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    world.advance(25 * 3_600).await;
    Serving::start(&db.url, &[environment, &[("CLAWBACK_LISTEN", &address)]].concat()).await
}

/// Requests without exactly one refund, and orders that do not show what the double holds.
async fn compare(db: &Database, world: &World, expected: usize) -> Vec<String> {
    let made = refunds_by_request(world).await;
    let rows = db.rows("select id, state, refund_id, order_id, amount from clawback_v1.refund_requests").await;
    let mut wrong = Vec::new();
    let mut refunded: BTreeMap<String, i64> = BTreeMap::new();
    if rows.len() != expected || made.len() != expected {
        wrong.push(format!("{expected} requests were accepted, {} are stored, {} were made", rows.len(), made.len()));
    }
    for row in &rows {
        let refunds = made.get(row["id"].as_str().expect("an id")).map(Vec::as_slice).unwrap_or_default();
        let is_right = matches!(refunds, [one] if row["state"] == "succeeded" && row["refund_id"] == *one);
        if !is_right {
            wrong.push(format!("{row}: {refunds:?}"));
        }
        *refunded.entry(row["order_id"].as_str().expect("an order").to_owned()).or_default() +=
            row["amount"].as_i64().expect("an amount");
    }
    for order in db.rows("select order_id, amount_refunded from clawback_v1.orders").await {
        let truth = refunded.get(order["order_id"].as_str().expect("an order")).copied().unwrap_or(0);
        if order["amount_refunded"] != truth {
            wrong.push(format!("{order}: {truth} was refunded"));
        }
    }
    wrong
}

//! Promise: the double plays random lives in which everything happens, and tells what is true after them.

use std::collections::{BTreeMap, BTreeSet};

use clawback::dev::double::{Life, Truth};
use serde_json::{Value, json};

use crate::double_world::{World, said};

const START: i64 = 1_790_000_000;

/// A life in the platform's account and a connected one, which began long ago.
async fn lived(seed: u64, steps: usize) -> World {
    let world = World::start().await;
    world.control("clock", json!({ "stop_at": START })).await;
    world.control("accounts", json!({ "id": "acct_1" })).await;
    world.double.live(Life { seed, steps, pace: 4 * 3_600 });
    world
}

/// All objects of a list of an account, oldest first.
async fn all(world: &World, path: &str, account: Option<&str>) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    loop {
        let after = found.last().map(|it| it["id"].as_str().expect("an id").to_owned());
        let cursor = after.as_ref().map(|id| ("starting_after", id.as_str()));
        let request = world.request("GET", path, &[&[("limit", "100")], cursor.as_slice()].concat());
        let request = account.iter().fold(request, |request, id| request.header("Stripe-Account", *id));
        let page = said(request).await.expect("an answer").body;
        found.extend(page["data"].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
        if page["has_more"] == false {
            found.reverse();
            return found;
        }
    }
}

fn number(object: &Value, field: &str) -> i64 {
    object[field].as_i64().unwrap_or_else(|| panic!("{field} of {object}"))
}

/// Captured, refunded and lost by payment, as the lists of an account tell it.
async fn told(world: &World, account: Option<&str>) -> BTreeMap<String, (i64, i64, i64)> {
    let mut told: BTreeMap<String, (i64, i64, i64)> = BTreeMap::new();
    // A charge without intent is a payment of its own.
    let intent = |object: &Value| {
        let charge = if object["object"] == "charge" { &object["id"] } else { &object["charge"] };
        object["payment_intent"].as_str().or(charge.as_str()).expect("a payment").to_owned()
    };
    for it in all(world, "/v1/payment_intents", account).await {
        told.insert(it["id"].as_str().unwrap().to_owned(), (0, 0, 0));
    }
    let mut charges = BTreeMap::new();
    for charge in all(world, "/v1/charges", account).await {
        told.entry(intent(&charge)).or_default();
        if charge["captured"] == true && charge["status"] == "succeeded" {
            let id = charge["id"].as_str().unwrap().to_owned();
            charges.insert(id, (number(&charge, "amount_captured"), intent(&charge)));
            told.get_mut(&intent(&charge)).unwrap().0 += number(&charge, "amount_captured");
        }
    }
    // More came in than was captured, and the rest was given back: that is no refund of what was paid.
    for entry in all(world, "/v1/balance_transactions", account).await {
        if let Some((captured, payment)) = entry["source"].as_str().and_then(|charge| charges.get(charge)) {
            told.get_mut(payment).unwrap().1 -= number(&entry, "amount") - captured;
        }
    }
    for refund in all(world, "/v1/refunds", account).await {
        let gone = refund["status"] == "succeeded" && !refund["balance_transaction"].is_null();
        if gone || ["pending", "requires_action"].contains(&refund["status"].as_str().unwrap()) {
            told.get_mut(&intent(&refund)).unwrap().1 += number(&refund, "amount");
        }
    }
    for dispute in all(world, "/v1/disputes", account).await {
        let status = dispute["status"].as_str().unwrap();
        if ["won", "lost", "warning_closed", "prevented"].contains(&status) {
            let entries = dispute["balance_transactions"].as_array().unwrap();
            let moved: i64 = entries.iter().map(|entry| number(entry, "amount")).sum();
            told.get_mut(&intent(&dispute)).unwrap().2 -= moved;
        }
    }
    for (captured, refunded, lost) in told.values_mut() {
        *lost = (*lost).clamp(0, (*captured - *refunded).max(0));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_truth_is_what_the_lists_tell() {
    for seed in 1..=4 {
        let world = lived(seed, 400).await;
        let truth = world.double.truth();
        for account in [None, Some("acct_1")] {
            let of_account = truth.iter().filter(|(_, truth)| truth.account.as_deref() == account);
            let sums: BTreeMap<_, _> =
                of_account.map(|(id, it)| (id.clone(), (it.captured, it.refunded, it.lost))).collect();
            assert!(sums.len() > 50, "seed {seed}: {} payments", sums.len());
            assert_eq!(sums, told(&world, account).await, "seed {seed}, {account:?}");
        }
        let fits = |it: &Truth| it.refunded >= 0 && it.lost >= 0 && it.refunded + it.lost <= it.captured;
        assert_eq!(truth.iter().find(|(_, truth)| !fits(truth)), None, "seed {seed}");
        assert_eq!(world.look("truth").await, json!(truth));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_long_life_everything_happens_in_the_order_of_time() {
    let world = lived(3, 1_500).await;
    let now = number(&world.look("clock").await, "now");
    assert!(now - START > 80 * 86_400, "{now}");
    let mut types = BTreeSet::new();
    // Events are listed for 30 days.
    for (days, account) in [90, 60, 30].iter().flat_map(|days| [(days, None), (days, Some("acct_1"))]) {
        world.control("clock", json!({ "stop_at": START + days * 86_400 })).await;
        let events = all(&world, "/v1/events", account).await;
        assert!(events.is_sorted_by_key(|event| number(event, "created")), "{account:?}");
        types.extend(events.iter().map(|event| event["type"].as_str().unwrap().to_owned()));
    }
    for kind in [
        "application_fee.refunded",
        "charge.captured",
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.expired",
        "charge.failed",
        "charge.refunded",
        "charge.succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.canceled",
        "radar.early_fraud_warning.created",
        "radar.early_fraud_warning.updated",
        "refund.failed",
        "refund.updated",
        "review.closed",
        "review.opened",
        "transfer.reversed",
    ] {
        assert!(types.contains(kind), "no {kind} in {types:?}");
    }
    let truth = world.double.truth();
    let statuses: BTreeSet<_> = truth.values().flat_map(|truth| truth.disputes.values().copied()).collect();
    for status in
        ["needs_response", "under_review", "won", "lost", "warning_needs_response", "warning_closed", "prevented"]
    {
        assert!(statuses.contains(status), "no {status} in {statuses:?}");
    }
    let disputes = world.double.disputes();
    let submissions: Vec<_> = disputes.values().flat_map(|it| &it.submissions).collect();
    for phase in ["inquiry", "chargeback", "compliance", "appeal"] {
        assert!(submissions.iter().any(|it| it.phase == phase), "no answer to {phase}");
    }
    let refunds: BTreeSet<_> =
        truth.values().flat_map(|truth| truth.refunds.values()).map(|refund| json!(refund).to_string()).collect();
    for refund in ["[\"requires_action\",\"captured\"]", "[\"canceled\",\"captured\"]", "[\"succeeded\",\"released\"]"]
    {
        assert!(refunds.contains(refund), "no {refund} in {refunds:?}");
    }
    assert!(truth.values().any(|truth| truth.status.is_none() && truth.captured > 0));
    assert!(truth.values().any(|truth| truth.lost > 0 && truth.refunded > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_is_the_same_life() {
    let (one, same, other) = (lived(7, 100).await, lived(7, 100).await, lived(8, 100).await);
    let (truth, events) = (one.double.truth(), one.get("/v1/events", &[]).await.body);
    assert_eq!((&truth, &events), (&same.double.truth(), &same.get("/v1/events", &[]).await.body));
    assert_ne!(truth, other.double.truth());
}

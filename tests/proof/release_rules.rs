//! Rules for the release of an authorization, or of the rest of one, each on the few events that show it.
//!
//! Stripe has shown it in two ways: until 2025-03-31.basil counted as refunded, since then not at all
//! (docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow).

use clawback::domain::{Derived, State};
use serde_json::{Value, json};

use crate::bodies::{DAY, T0, charge, event_with, intent, refund, with};
use crate::rules::{kinds, payment};

const OLD: &str = "2020-08-27";
const NEW: &str = "2025-09-30.clover";

/// An event of an object, this many seconds after the first, in an API version.
fn shown(version: &str, at: i64, object: &Value) -> String {
    let kind = format!("{}.updated", object["object"].as_str().expect("a word"));
    typed(&kind, version, at, object)
}

fn typed(kind: &str, version: &str, at: i64, object: &Value) -> String {
    let id = format!("evt_{at}_{}_{}", object["id"].as_str().expect("an id"), object["amount_refunded"]);
    event_with(&id, at, object, json!({ "api_version": version, "type": kind }))
}

/// An authorization of 120.00, captured in part, that shows this amount as refunded.
fn part(captured: i64, refunded: i64) -> Value {
    charge("ch_1", json!({ "amount": 12_000, "amount_captured": captured, "amount_refunded": refunded }))
}

/// A refund without reason or metadata, as Stripe creates it for what a capture releases.
fn silent(amount: i64, made: i64) -> Value {
    refund("re_1", json!({ "charge": "ch_1", "amount": amount, "reason": null, "created": T0 + made }))
}

/// Paid, refunded, the state, and whether the first refund is a release.
fn ends(events: &[String]) -> (Option<i64>, i64, State, Option<bool>) {
    let end = payment(events);
    let release = end.refunds.first().map(|refund| refund.is_release);
    (end.payment.balance.amount_paid, end.payment.balance.amount_refunded, end.payment.state, release)
}

fn asks_nothing(end: &Derived) -> bool {
    kinds(end).is_empty()
}

#[test]
fn the_released_rest_that_old_versions_show_as_refunded_is_not_a_refund() {
    let events = [shown(OLD, 0, &part(6_000, 6_000)), shown(OLD, 0, &silent(6_000, 0))];
    assert_eq!(ends(&events), (Some(6_000), 0, State::Paid, Some(true)));
    assert!(asks_nothing(&payment(&events)));
}

#[test]
fn the_same_where_an_intent_nests_all_of_it() {
    let nested =
        with(part(6_000, 6_000), json!({ "payment_intent": "pi_1", "refunds": { "data": [silent(6_000, 0)] } }));
    let paid = intent("pi_1", json!({ "amount": 12_000, "amount_received": 6_000, "charges": { "data": [nested] } }));
    let events = [typed("payment_intent.succeeded", OLD, 0, &paid)];
    assert_eq!(ends(&events), (Some(6_000), 0, State::Paid, Some(true)));
    assert!(asks_nothing(&payment(&events)));
}

#[test]
fn a_total_below_the_rest_is_all_refunds() {
    assert_eq!(ends(&[shown(NEW, 0, &part(8_000, 3_000))]), (Some(8_000), 3_000, State::PartiallyRefunded, None));
    // The version of the capture decides, not that of the event.
    assert_eq!(ends(&[shown(OLD, 0, &part(8_000, 3_000))]).1, 3_000);
}

#[test]
fn a_snapshot_with_a_smaller_total_decides_for_every_later_one() {
    let events = [shown(OLD, 0, &part(8_000, 0)), shown(OLD, DAY, &part(8_000, 4_000))];
    assert_eq!(ends(&events).1, 4_000);
}

#[test]
fn a_charge_that_is_refunded_below_its_amount_counts_no_release() {
    let all = with(part(4_000, 9_000), json!({ "refunded": true }));
    assert_eq!(ends(&[shown(OLD, 0, &all)]).1, 4_000);
}

#[test]
fn a_refund_of_the_rest_with_a_reason_is_not_a_release() {
    let of_buyer = with(silent(4_000, 9 * DAY), json!({ "reason": "requested_by_customer" }));
    let events = [shown(NEW, 9 * DAY, &part(8_000, 4_000)), shown(NEW, 9 * DAY, &of_buyer)];
    assert_eq!(ends(&events), (Some(8_000), 4_000, State::PartiallyRefunded, Some(false)));
}

#[test]
fn the_version_decides_only_without_other_evidence() {
    assert_eq!(ends(&[shown(NEW, 0, &part(8_000, 6_000))]).1, 6_000);
    assert_eq!(ends(&[shown(OLD, 0, &part(8_000, 6_000))]).1, 2_000);
    assert_eq!(ends(&[event_with("evt_1", 0, &part(8_000, 6_000), json!({ "api_version": null }))]).1, 2_000);
}

#[test]
fn the_charges_balance_transaction_takes_precedence() {
    let settled = |gross: i64| {
        let entry = json!({ "id": "txn_1", "object": "balance_transaction", "amount": gross, "fee": 0,
                            "currency": "usd", "created": T0, "exchange_rate": 1.1 });
        with(part(8_000, 6_000), json!({ "balance_transaction": entry }))
    };
    assert_eq!(ends(&[shown(NEW, 0, &settled(13_200))]).1, 2_000, "old: all of it moved, and the rest back");
    assert_eq!(ends(&[shown(OLD, 0, &settled(8_800))]).1, 6_000, "new: only what was captured moved");
}

#[test]
fn only_one_refund_of_the_rest_is_the_release_and_the_next_is_money() {
    let next = with(silent(4_000, DAY), json!({ "id": "re_2" }));
    let events = [
        shown(OLD, 0, &part(8_000, 4_000)),
        shown(OLD, 0, &silent(4_000, 0)),
        shown(OLD, DAY, &part(8_000, 8_000)),
        shown(OLD, DAY, &next),
    ];
    let end = payment(&events);
    assert_eq!(end.payment.balance.amount_refunded, 4_000);
    assert_eq!(end.refunds.iter().map(|refund| refund.is_release).collect::<Vec<_>>(), [true, false]);
    assert_eq!(kinds(&end), ["notify_refund"]);
}

#[test]
fn a_release_is_known_by_the_intent_alone() {
    let paid = intent("pi_1", json!({ "amount": 12_000, "amount_received": 8_000 }));
    let of_intent = |refund: Value| with(refund, json!({ "charge": null, "payment_intent": "pi_1" }));
    let events = [shown(OLD, 0, &paid), shown(OLD, 0, &of_intent(silent(4_000, 0)))];
    assert_eq!(ends(&events), (Some(8_000), 0, State::Paid, Some(true)));
    let later = [shown(OLD, 0, &paid), shown(OLD, DAY, &of_intent(silent(4_000, DAY)))];
    assert_eq!(ends(&later), (Some(8_000), 4_000, State::PartiallyRefunded, Some(false)));
}

#[test]
fn a_refund_of_a_canceled_intent_that_received_nothing_is_a_release() {
    let canceled = intent("pi_1", json!({ "status": "canceled", "amount_received": 0 }));
    let refund = refund("re_1", json!({ "amount": 5_000, "charge": "ch_1", "payment_intent": "pi_1" }));
    let events = [shown(NEW, 0, &refund), shown(NEW, 1, &canceled)];
    assert_eq!(ends(&events), (Some(0), 0, State::Canceled, Some(true)));
    assert!(asks_nothing(&payment(&events)));
}

#[test]
fn an_authorization_that_expired_is_canceled_though_nothing_in_it_changed() {
    let held = charge("ch_1", json!({ "amount_captured": 0, "captured": false }));
    for kind in ["charge.expired", "v1.charge.expired"] {
        let events = [typed("charge.succeeded", NEW, 0, &held), typed(kind, NEW, 7 * DAY, &held)];
        assert_eq!(ends(&events).2, State::Canceled, "{kind}");
    }
}

#[test]
fn only_the_object_of_the_event_expired_not_what_it_nests() {
    let other = charge("ch_2", json!({ "amount_captured": 0, "captured": false, "payment_intent": "pi_1" }));
    let nesting = json!({ "id": "pi_1", "object": "payment_intent", "status": "requires_capture", "amount": 10_000,
                          "amount_received": 0, "currency": "eur", "charges": { "data": [other] } });
    let expired = charge(
        "ch_1",
        json!({ "amount_captured": 0, "captured": false, "payment_intent": nesting, "created": T0 - 9 }),
    );
    assert_eq!(ends(&[typed("charge.expired", NEW, 0, &expired)]).2, State::Authorized);
}

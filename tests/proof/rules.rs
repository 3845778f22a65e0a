//! Rules of money and time that are too rare in lives, each on the few events that show it, in memory.

use std::collections::BTreeMap;

use clawback::domain::{Derived, Facts, Phase, State, derive};
use clawback::handlers::{Reading, read};
use serde_json::{Value, json};

use crate::bodies::{charge, dispute, event, event_with, intent, refund, review};

/// The payments derived from these events, by id; the same in both orders.
fn payments(events: &[String]) -> BTreeMap<String, Derived> {
    let fold = |events: Vec<&String>| {
        let mut facts = Facts::default();
        events.into_iter().for_each(|body| facts.join(reading(body).expect("readable")));
        facts.by_payment().into_iter().map(|(id, facts)| (id.clone(), derive(&id, &facts))).collect::<BTreeMap<_, _>>()
    };
    let end = fold(events.iter().collect());
    assert_eq!(end, fold(events.iter().rev().collect()), "backwards");
    end
}

/// The only payment of these events.
pub fn payment(events: &[String]) -> Derived {
    let end = payments(events);
    assert_eq!(end.len(), 1, "{:?}", end.keys());
    end.into_values().next().expect("one")
}

fn reading(body: &str) -> Result<Facts, String> {
    let event: Value = serde_json::from_str(body).expect("JSON");
    match read(event["id"].as_str().expect("an id"), body, "order_id") {
        Ok(Reading::Facts(facts, ..)) => Ok(facts),
        Ok(Reading::Ignored(reason)) => panic!("ignored: {reason}"),
        Err(unreadable) => Err(unreadable.to_string()),
    }
}

pub fn kinds(derived: &Derived) -> Vec<&str> {
    derived.desired.iter().map(|wanted| wanted.kind).collect()
}

#[test]
fn refunds_of_a_charge_are_capped_at_its_captured_amount_without_affecting_others() {
    let of_intent = |amount: i64| json!({ "payment_intent": "pi_1", "amount": amount, "amount_captured": amount });
    let end = payment(&[
        event("evt_1", 1, &charge("ch_1", of_intent(10_000))),
        event("evt_2", 1, &charge("ch_2", of_intent(5_000))),
        event(
            "evt_3",
            2,
            &refund("re_1", json!({ "charge": "ch_2", "amount": 9_000, "created": crate::bodies::T0 + 2 })),
        ),
    ]);
    let balance = &end.payment.balance;
    assert_eq!((balance.amount_paid, balance.amount_refunded), (Some(15_000), 5_000));
    let unnamed = refund("re_1", json!({ "payment_intent": "pi_1", "amount": 90_000 }));
    let end = payment(&[event("evt_1", 1, &charge("ch_1", of_intent(10_000))), event("evt_2", 2, &unnamed)]);
    assert_eq!((end.payment.balance.amount_refunded, end.payment.state), (10_000, State::Refunded));
}

#[test]
fn the_order_is_read_from_the_captured_charge_before_a_newer_one() {
    let of = |order: &str, captured: i64, created: i64| {
        json!({ "payment_intent": "pi_1", "amount_captured": captured, "created": crate::bodies::T0 + created,
                "status": if captured > 0 { "succeeded" } else { "failed" }, "metadata": { "order_id": order } })
    };
    let end = payment(&[
        event("evt_1", 1, &charge("ch_paid", of("o-paid", 10_000, 0))),
        event("evt_2", 5, &charge("ch_newer", of("o-newer", 0, 5))),
    ]);
    assert_eq!(end.payment.order_id.as_deref(), Some("o-paid"));
}

#[test]
fn a_balance_transaction_counts_once_and_one_in_a_second_currency_is_not_added() {
    let entry = |id: &str, amount: i64, currency: &str, created: i64| json!({ "id": id, "amount": amount, "fee": 0, "currency": currency, "created": crate::bodies::T0 + created });
    let seen = |id: &str, at: i64, entries: Value| {
        let shown = json!({ "charge": "ch_1", "status": "lost", "balance_transactions": entries });
        event(id, at, &dispute("dp_1", shown))
    };
    let taken = entry("txn_1", -10_000, "eur", 1);
    let end = payment(&[
        seen("evt_1", 1, json!([taken])),
        seen("evt_2", 2, json!([taken, entry("txn_2", 4_000, "eur", 2), entry("txn_3", 3_000, "usd", 3)])),
        seen("evt_3", 3, json!([])),
    ]);
    let dispute = &end.disputes[0];
    assert_eq!((dispute.amount_withdrawn, dispute.amount_reinstated), (10_000, 4_000));
    assert_eq!((end.payment.balance.amount_lost, dispute.settlement_currency.as_deref()), (6_000, Some("eur")));
}

#[test]
fn a_review_that_ended_badly_releases_nothing() {
    let paid = event("evt_1", 1, &charge("ch_1", json!({})));
    let closed = |reason: &str| {
        let review = json!({ "charge": "ch_1", "open": false, "closed_reason": reason });
        payment(&[paid.clone(), event("evt_2", 2, &self::review("prv_1", review))])
    };
    assert!(kinds(&closed("approved")).contains(&"release_fulfilment"));
    for reason in ["refunded_as_fraud", "disputed", "never_heard_of"] {
        assert!(!kinds(&closed(reason)).contains(&"release_fulfilment"), "{reason}");
    }
}

#[test]
fn the_release_of_an_authorization_is_not_a_refund() {
    let part = json!({ "amount_captured": 7_000, "amount_refunded": 3_000 });
    let release = json!({ "charge": "ch_1", "amount": 3_000, "reason": "expired_uncaptured_charge" });
    let end = payment(&[event("evt_1", 1, &charge("ch_1", part)), event("evt_2", 2, &refund("re_1", release))]);
    assert_eq!((end.payment.balance.amount_refunded, end.payment.state), (0, State::Paid));
    assert_eq!(kinds(&end), Vec::<&str>::new());
}

#[test]
fn a_dispute_that_allows_no_response_needs_no_evidence() {
    let silent = json!({ "charge": "ch_1", "evidence_details": { "due_by": 0 } });
    let end = payment(&[event("evt_1", 1, &dispute("dp_1", silent))]);
    assert_eq!((kinds(&end), end.payment.state), (vec!["hold_fulfilment"], State::Disputed));
}

#[test]
fn a_dispute_in_an_unknown_status_gets_its_phase_from_its_case_type() {
    for (case, phase) in [("chargeback", Phase::Chargeback), ("inquiry", Phase::Inquiry), ("block", Phase::Prevention)]
    {
        let card = json!({ "type": "card", "card": { "case_type": case } });
        let shown = json!({ "charge": "ch_1", "status": "warning_escalating", "payment_method_details": card });
        let end = payment(&[event("evt_1", 1, &dispute("dp_1", shown))]);
        assert_eq!((end.disputes[0].phase, end.payment.balance.amount_disputed), (phase, 0), "{case}");
        assert_eq!(kinds(&end), ["hold_fulfilment"], "{case}");
    }
}

/// The only charge seen was declined, but the intent shows that money was received.
#[test]
fn a_refund_that_names_the_intent_is_not_of_a_declined_charge() {
    let declined = json!({ "payment_intent": "pi_1", "status": "failed", "amount_captured": 0, "paid": false });
    let refund = refund("re_1", json!({ "payment_intent": "pi_1", "amount": 10_000 }));
    let end = payment(&[
        event("evt_1", 1, &charge("ch_failed", declined)),
        event("evt_2", 2, &intent("pi_1", json!({}))),
        event("evt_3", 3, &refund),
    ]);
    assert_eq!((end.payment.balance.amount_refunded, end.payment.state), (10_000, State::Refunded));
    assert_eq!(kinds(&end), ["notify_refund", "cancel_fulfilment"]);
}

#[test]
fn a_missing_required_field_is_named() {
    let mute = review("prv_1", json!({ "open": null }));
    assert_eq!(reading(&event("evt_1", 1, &mute)), Err("data.object.open: is missing".to_owned()));
    let body = event_with("evt_1", 1, &charge("ch_1", json!({})), json!({ "created": null }));
    assert_eq!(reading(&body), Err("created: is missing".to_owned()));
}

/// Recorded deliveries show a refund's own `created` up to seconds after the event of the charge that counts it.
#[test]
fn a_refund_created_a_second_after_the_charge_that_shows_it_counts_and_is_notified_once() {
    let moment = crate::bodies::T0 + 2;
    let made = refund("re_1", json!({ "charge": "ch_1", "amount": 4_000, "created": moment }));
    let shown = charge("ch_1", json!({ "amount_refunded": 4_000, "refunds": { "data": [made.clone()] } }));
    let end = payment(&[event("evt_1", 1, &shown), event("evt_2", 2, &made)]);
    assert_eq!(end.payment.balance.amount_refunded, 4_000);
    assert_eq!(kinds(&end).iter().filter(|kind| **kind == "notify_refund").count(), 1);
}

//! Rules of disputes, warnings and reviews, each on the few events that show it, in memory.

use clawback::domain::{Derived, OrderKey, Phase, RunAt, State, Tally, order};
use serde_json::{Value, json};

use crate::bodies::{DAY, T0, charge, dispute, event, refund, review, warning, with};
use crate::rules::{kinds, payment};

/// A dispute of a bank debit lacks the payment method.
#[test]
fn a_dispute_of_a_bank_debit_known_only_by_its_charge_needs_no_evidence() {
    for (method, asked) in [("sepa_debit", false), ("us_bank_account", false), ("card", true)] {
        for link in [json!({ "charge": "ch_1" }), json!({ "payment_intent": "pi_1" })] {
            let paid = json!({ "payment_intent": "pi_1", "payment_method_details": { "type": method } });
            let disputed = dispute("dp_1", link);
            let end = payment(&[event("evt_1", 1, &charge("ch_1", paid)), event("evt_2", 2, &disputed)]);
            let state = &end.disputes[0];
            assert_eq!((state.can_respond, state.dispute.payment_method.as_deref()), (asked, Some(method)));
            assert_eq!(is_asked(&end, "collect_evidence", "dp_1", "chargeback"), asked, "{method}");
            assert_eq!(end.payment.balance.evidence_due_by.is_some(), asked, "{method}");
        }
    }
    let klarna = json!({ "payment_method_details": { "type": "klarna" } });
    let inquiry = dispute("dp_1", json!({ "charge": "ch_1", "status": "warning_needs_response" }));
    let end = payment(&[event("evt_1", 1, &charge("ch_1", klarna)), event("evt_2", 2, &inquiry)]);
    assert!(is_asked(&end, "consider_refund", "dp_1", "inquiry") && !kinds(&end).contains(&"collect_evidence"));
}

fn entry(id: &str, amount: i64, currency: &str, rate: Option<f64>) -> Value {
    json!({ "id": id, "amount": amount, "fee": 0, "currency": currency, "created": T0, "exchange_rate": rate })
}

/// A charge of `paid`, of which `refunded` was refunded, and a dispute of it with the fields of `rest`.
fn disputed(paid: i64, refunded: i64, rest: Value) -> Derived {
    let all = json!({ "amount": paid, "amount_captured": paid, "amount_refunded": refunded,
                      "refunded": refunded == paid });
    let disputed = dispute("dp_1", with(json!({ "charge": "ch_1", "amount": paid }), rest));
    payment(&[event("evt_1", 1, &charge("ch_1", all)), event("evt_2", 2, &disputed)])
}

fn is_asked(end: &Derived, kind: &str, subject: &str, round: &str) -> bool {
    end.desired.iter().any(|wanted| (wanted.kind, &*wanted.subject, &*wanted.round) == (kind, subject, round))
}

#[test]
fn the_loss_never_exceeds_the_disputed_amount() {
    let moved = json!([entry("a", -6_500, "eur", None), entry("b", -100, "eur", None), entry("c", 10, "eur", None)]);
    let end = disputed(6_500, 0, json!({ "status": "lost", "balance_transactions": moved }));
    assert_eq!((end.payment.balance.amount_lost, end.payment.state), (6_500, State::ChargedBack));
}

#[test]
fn a_lost_dispute_leaves_nothing_of_a_payment_whose_rest_was_refunded_though_the_rate_moved() {
    for (back, rate) in [(362, 1.087), (365, 1.097), (23, 0.07), (24, 0.07)] {
        let taken =
            entry("a", if rate < 1.0 { -70 } else { -1_087 }, "usd", Some(if rate < 1.0 { 0.07 } else { 1.087 }));
        let moved = json!([taken, entry("b", back, "usd", Some(rate))]);
        let end = disputed(1_000, 333, json!({ "status": "lost", "balance_transactions": moved }));
        assert_eq!((end.payment.balance.amount_lost, end.payment.state), (667, State::ChargedBack), "{back} at {rate}");
        assert!(kinds(&end).contains(&"cancel_fulfilment"));
        assert_eq!(end.disputes[0].amount_lost, 667);
    }
}

#[test]
fn an_entry_without_a_rate_counts_by_its_share() {
    let moved = json!([entry("a", -1_087, "usd", None), entry("b", 362, "usd", None)]);
    let end = disputed(1_000, 0, json!({ "status": "lost", "balance_transactions": moved }));
    assert_eq!(end.payment.balance.amount_lost, 667);
}

#[test]
fn a_fully_refunded_payment_has_no_further_loss() {
    let end = disputed(1_000, 1_000, json!({ "status": "lost", "balance_transactions": [] }));
    assert_eq!((end.payment.balance.amount_lost, end.payment.state), (0, State::Refunded));
    let unseen = dispute("dp_1", json!({ "charge": "ch_1", "status": "lost", "amount": 1_000 }));
    assert_eq!(
        payment(&[event("evt_1", 1, &unseen)]).payment.balance.amount_lost,
        1_000,
        "nothing is known of refunds"
    );
}

#[test]
fn a_person_decides_whether_the_rest_ships_after_a_dispute_over_a_part_was_lost_or_prevented() {
    for (status, phase) in [("lost", "chargeback"), ("prevented", "prevention")] {
        let end = disputed(1_000, 0, json!({ "status": status, "amount": 300 }));
        assert!(is_asked(&end, "decide_fulfilment", "dp_1", phase), "{:?}", end.desired);
        assert!(!kinds(&end).contains(&"release_fulfilment"));
    }
}

#[test]
fn a_hold_that_ended_well_beside_a_lost_dispute_needs_a_decision() {
    let of = |rest: Value| with(json!({ "charge": "ch_1", "amount": 300 }), rest);
    let end = payment(&[
        event("evt_1", 1, &charge("ch_1", json!({}))),
        event("evt_2", 2, &dispute("dp_lost", of(json!({ "status": "lost" })))),
        event("evt_3", 3, &dispute("dp_won", of(json!({ "status": "won" })))),
    ]);
    assert!(is_asked(&end, "decide_fulfilment", "dp_won", "chargeback"));
    assert!(!kinds(&end).contains(&"release_fulfilment"));
}

#[test]
fn an_endpoint_that_receives_only_disputes_releases_when_one_is_won() {
    let seen =
        |status: &str| payment(&[event("evt_1", 1, &dispute("dp_1", json!({ "charge": "ch_1", "status": status })))]);
    assert!(kinds(&seen("won")).contains(&"release_fulfilment"));
    assert_eq!(kinds(&seen("lost")), ["record_dispute_lost"]);
}

#[test]
fn the_surplus_of_one_payment_does_not_hide_what_is_left_of_another_of_its_order() {
    let gone =
        disputed(1_000, 1_000, json!({ "status": "lost", "balance_transactions": [entry("a", -1_000, "eur", None)] }));
    let paid = json!({ "amount": 1_000, "amount_captured": 1_000 });
    let untouched = payment(&[event("evt_1", 1, &charge("ch_2", paid))]);
    let key = OrderKey { order_id: "o".to_owned(), account: None, livemode: false, currency: Some("eur".to_owned()) };
    let order = order(&key, Tally::of(&gone.payment).plus(Tally::of(&untouched.payment)));
    assert_eq!(order.state, State::PartiallyChargedBack);
    assert_eq!((order.balance.amount_refunded, order.balance.amount_lost), (1_000, 1_000), "the full sums are shown");
}

#[test]
fn a_submission_count_from_an_earlier_phase_or_first_snapshot_is_not_a_submission() {
    let counted = |count: i64| json!({ "due_by": T0 + 10 * DAY, "submission_count": count });
    for (status, phase) in [("needs_response", "chargeback"), ("warning_needs_response", "inquiry")] {
        let is = |count: i64| {
            dispute("dp_1", json!({ "charge": "ch_1", "status": status, "evidence_details": counted(count) }))
        };
        let end = payment(&[event("evt_1", 1, &is(1))]);
        assert!(is_asked(&end, "collect_evidence", "dp_1", phase), "{:?}", end.desired);
        let end = payment(&[event("evt_1", 1, &is(1)), event("evt_2", 2, &is(2))]);
        assert!(!is_asked(&end, "collect_evidence", "dp_1", phase), "{:?}", end.desired);
        assert!(!end.disputes[0].can_respond);
    }
}

#[test]
fn an_approved_review_releases_and_any_other_reason_needs_a_decision() {
    let closed = |reason: Value| {
        let closed = json!({ "charge": "ch_1", "open": false, "closed_reason": reason });
        payment(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &review("prv_1", closed))])
    };
    for reason in ["approved", "acknowledged", "redacted"] {
        assert_eq!(kinds(&closed(json!(reason))), ["release_fulfilment"], "{reason}");
    }
    for reason in ["refunded", "refunded_as_fraud", "disputed", "canceled", "payment_never_settled", "never_heard_of"] {
        assert_eq!(kinds(&closed(json!(reason))), ["decide_fulfilment"], "{reason}");
    }
}

#[test]
fn a_klarna_inquiry_needs_no_evidence_but_a_refund_to_be_considered() {
    let inquiry = |due_by: Value| {
        let rest = json!({ "charge": "ch_1", "status": "warning_needs_response", "created": T0,
            "payment_method_details": { "type": "klarna" }, "evidence_details": { "due_by": due_by } });
        payment(&[event("evt_1", 1, &dispute("dp_1", rest))])
    };
    for (due_by, due_at) in [(json!(T0 + 3 * DAY), T0 + 3 * DAY), (Value::Null, T0 + 21 * DAY)] {
        let end = inquiry(due_by);
        assert_eq!(kinds(&end), ["hold_fulfilment", "consider_refund"]);
        let consider = &end.desired[1];
        assert_eq!((consider.round.as_str(), consider.due_at), ("inquiry", Some(due_at)));
        assert_eq!(
            (end.payment.balance.hold, end.disputes[0].dispute.payment_method.as_deref()),
            (true, Some("klarna"))
        );
    }
}

#[test]
fn a_warning_ends_with_a_dispute_or_full_refund_of_its_charge_before_its_own_update() {
    let warned = [
        event("evt_1", 1, &charge("ch_1", json!({}))),
        event("evt_2", 2, &warning("issfr_1", json!({ "charge": "ch_1" }))),
    ];
    let and = |object: Value| payment(&[warned.as_slice(), &[event("evt_3", 9, &object)]].concat());
    let refunded = |amount: i64| refund("re_1", json!({ "charge": "ch_1", "amount": amount }));
    for (object, actionable) in [
        (refunded(9_999), true),
        (refunded(10_000), false),
        (charge("ch_1", json!({ "amount_refunded": 10_000, "refunded": true })), false),
        (dispute("dp_1", json!({ "charge": "ch_1" })), false),
        (dispute("dp_1", json!({ "charge": "ch_1", "status": "won" })), false),
    ] {
        let end = and(object.clone());
        assert_eq!(end.warnings[0].warning.actionable, Some(actionable), "{object}");
        assert_eq!(is_asked(&end, "consider_refund", "issfr_1", ""), actionable, "{object}");
    }
}

#[test]
fn a_warning_under_its_old_name_is_shown_and_has_no_follow_up() {
    let old = json!({ "object": "issuer_fraud_record", "charge": "ch_1", "actionable": null });
    let end = payment(&[event("evt_1", 1, &charge("ch_1", json!({}))), event("evt_2", 2, &warning("issfr_1", old))]);
    assert_eq!((end.warnings[0].warning.actionable, kinds(&end)), (Some(false), vec![]));
    assert!(!end.payment.balance.hold);
}

#[test]
fn an_appeal_is_disputed_again_in_a_round_of_its_own() {
    let appeal = |status: &str, count: i64| {
        let details = json!({ "due_by": T0 + 10 * DAY, "submission_count": count });
        disputed(1_000, 0, json!({ "status": status, "evidence_details": details }))
    };
    for (status, asked) in [("appeal_needs_response", true), ("appeal_under_review", false)] {
        let end = appeal(status, 1);
        assert_eq!((end.payment.state, end.payment.balance.amount_disputed), (State::Disputed, 1_000));
        assert_eq!((end.disputes[0].phase, end.disputes[0].outcome), (Phase::Appeal, None));
        assert!(is_asked(&end, "hold_fulfilment", "dp_1", "appeal"));
        assert_eq!(is_asked(&end, "collect_evidence", "dp_1", "appeal"), asked);
    }
}

#[test]
fn each_mark_before_the_deadline_has_its_own_warning_until_the_next() {
    let due = 1_796_428_799; // 2026-12-04 23:59:59 UTC
    let rest = json!({ "charge": "ch_1", "evidence_details": { "due_by": due } });
    let end = payment(&[event("evt_1", 1, &dispute("dp_1", rest))]);
    let warned = end.desired.iter().filter(|wanted| wanted.kind == "warn_evidence_due");
    let warned: Vec<_> =
        warned.map(|wanted| (wanted.round.as_str(), wanted.run_at, wanted.until, wanted.due_at)).collect();
    let [week, three_days, day] = [7, 3, 1].map(|days| due - days * DAY);
    assert_eq!(
        warned,
        [
            ("chargeback/7d/2026-12-04", RunAt::At(week), Some(three_days), Some(due)),
            ("chargeback/72h/2026-12-04", RunAt::At(three_days), Some(day), Some(due)),
            ("chargeback/24h/2026-12-04", RunAt::At(day), None, Some(due)),
        ]
    );
}

/// A failed refund returned nothing, even if the charge was last seen before the failure.
#[test]
fn a_warning_is_not_settled_by_a_full_refund_that_failed() {
    let warned = warning("issfr_1", json!({ "charge": "ch_1" }));
    let shown = json!({ "amount_refunded": 10_000, "refunded": true });
    let failed = refund("re_1", json!({ "charge": "ch_1", "amount": 10_000, "status": "failed" }));
    let mut events = vec![event("evt_1", 1, &warned), event("evt_2", 2, &charge("ch_1", shown))];
    assert!(!payment(&events).payment.balance.hold, "it counts while nothing else is known");
    events.push(event("evt_3", 3, &failed));
    let end = payment(&events);
    assert!(end.payment.balance.hold && kinds(&end).contains(&"consider_refund"), "{:?}", kinds(&end));
}

/// A partly captured charge may show its whole captured amount as refunded without the `refunded` flag.
#[test]
fn a_warning_is_settled_by_a_full_refund_that_only_the_total_shows() {
    let of = |refunded: i64| json!({ "amount": 12_000, "amount_captured": 8_000, "amount_refunded": refunded });
    let end = payment(&[
        event("evt_1", 1, &warning("issfr_1", json!({ "charge": "ch_1" }))),
        event("evt_2", 2, &charge("ch_1", of(0))),
        event("evt_3", 3, &charge("ch_1", of(8_000))),
    ]);
    assert_eq!((end.payment.state, end.payment.balance.hold), (State::Refunded, false));
}

#[test]
fn a_warning_is_not_settled_by_the_refund_of_another_charge() {
    let of = |id: &str, amount: i64, refunded: i64, created: i64| {
        let shown = json!({ "payment_intent": "pi_1", "amount": amount, "amount_captured": amount,
                            "amount_refunded": refunded, "refunded": refunded == amount, "created": T0 + created });
        event(&format!("evt_{id}"), 5, &charge(id, shown))
    };
    let end = payment(&[
        of("ch_1", 6_000, 6_000, 0),
        of("ch_2", 4_000, 0, 1),
        event("evt_3", 3, &refund("re_1", json!({ "payment_intent": "pi_1", "amount": 6_000 }))),
        event("evt_4", 4, &warning("issfr_2", json!({ "charge": "ch_2" }))),
    ]);
    assert!(end.payment.balance.hold && kinds(&end).contains(&"hold_fulfilment"), "{:?}", kinds(&end));
}

#[test]
fn a_declined_charge_does_not_limit_the_loss_of_another() {
    let declined = json!({ "payment_intent": "pi_1", "status": "failed", "paid": false, "amount_captured": 0 });
    let lost = json!({ "charge": "ch_1", "payment_intent": "pi_1", "status": "lost" });
    let end = payment(&[event("evt_1", 1, &charge("ch_0", declined)), event("evt_2", 2, &dispute("dp_1", lost))]);
    assert_eq!(end.payment.balance.amount_lost, 10_000);
}

//! Regressions and near misses, each as a small life.

use crate::life::Life;
use crate::life::plan::{Attempt, Gap, Links, Plan, Planned, RefundStart, Shape, Step};
use crate::life::strategy::today;
use crate::life::view::Endpoint;
use crate::memory::{Count, WAYS, check};
use crate::truth::{Truth, truth};

/// The end state of a life of one payment. Asserts that the service derives the same in any order of arrival.
fn lived(shape: &Shape, endpoint: Endpoint, steps: &[Step]) -> Truth {
    let steps: Vec<Planned> =
        steps.iter().map(|step| Planned { gap: Gap::None, payment: 0, step: step.clone() }).collect();
    // The last tie-breaker is the event id, so several seeds draw them differently.
    let plans = (0..8).map(|seed| Plan { shape: shape.clone(), endpoint, steps: steps.clone(), seed });
    for plan in plans.clone() {
        check(&plan, WAYS, &Count::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    plans.map(|plan| truth(&Life::of(&plan))).next().expect("a life")
}

fn state(end: &Truth) -> &str {
    let payment = end.payments.values().next().expect("a payment");
    &payment.sums.state
}

fn begins() -> Step {
    Step::Begin { amount: 1_000, order: Some(0) }
}

/// A canceled intent releases the authorization, whether or not an event shows it on the charge too.
#[test]
fn a_canceled_intent_releases_its_authorization() {
    let shape = Shape { void_shows_on_charge: false, ..today() };
    let steps = [begins(), Step::Attempt { ends: Attempt::Authorizes }, Step::Void { expired: false }];
    assert_eq!(state(&lived(&shape, Endpoint::Everything, &steps)), "canceled");
}

/// A refund that names the intent alone explains the total of whichever charge shows it, and counts once.
#[test]
fn a_refund_of_one_of_two_captured_charges_counts_once() {
    let shape = Shape { refund_links: Links::Intent, ..today() };
    let pays = Step::Attempt { ends: Attempt::Succeeds };
    let refund = Step::Refund { percent: 30, starts: RefundStart::Succeeded, foreign: false };
    let end = lived(&shape, Endpoint::Everything, &[begins(), pays, Step::ChargeAgain { percent: 50 }, refund]);
    let sums = &end.payments.values().next().expect("a payment").sums;
    assert_eq!((sums.paid, sums.refunded, state(&end)), (Some(1_500), 300, "partially_refunded"));
}

/// A declined card does not hide the refund of the charge that was paid and not seen.
#[test]
fn a_refund_is_not_of_the_charge_that_was_declined() {
    let shape = Shape { refund_links: Links::Intent, ..today() };
    let [fails, pays] = [Attempt::Fails, Attempt::Succeeds].map(|ends| Step::Attempt { ends });
    let refund = Step::Refund { percent: 100, starts: RefundStart::Succeeded, foreign: false };
    let end = lived(&shape, Endpoint::DeclinedCharges, &[begins(), fails, pays, refund]);
    let sums = &end.payments.values().next().expect("a payment").sums;
    assert_eq!((sums.paid, sums.refunded, state(&end)), (Some(1_000), 1_000, "refunded"));
}

/// A link to an order made for a charge applies to the payment that the charge belongs to.
#[test]
fn the_order_link_of_a_charge_applies_to_its_intent() {
    let link = Step::Link { order: 1, by_charge: true };
    let end = lived(&today(), Endpoint::Everything, &[begins(), Step::Attempt { ends: Attempt::Succeeds }, link]);
    let order = end.orders.keys().next().expect("an order");
    assert!(order.order_id.starts_with("order-1-") && end.orders.len() == 1, "{:?}", end.orders);
}

/// A checkout that nobody paid is no payment, so there is no order either.
#[test]
fn an_expired_checkout_makes_no_order() {
    let end = lived(&today(), Endpoint::Everything, &[Step::SessionExpires { order: Some(0) }]);
    assert!(end.orders.is_empty() && end.payments.is_empty());
}

/// An attempt that failed in the same second does not hide that the other's authorization was released.
#[test]
fn a_void_counts_beside_a_failed_attempt_of_the_same_second() {
    let steps = [
        begins(),
        Step::Attempt { ends: Attempt::Fails },
        Step::Attempt { ends: Attempt::Authorizes },
        Step::Void { expired: false },
    ];
    assert_eq!(state(&lived(&today(), Endpoint::AllButIntents, &steps)), "canceled");
}

/// An attempt that failed in the same second does not hide that another is under way.
#[test]
fn a_waiting_attempt_counts_beside_a_failed_one_of_the_same_second() {
    let steps = [begins(), Step::Attempt { ends: Attempt::Fails }, Step::Attempt { ends: Attempt::Waits }];
    assert_eq!(state(&lived(&today(), Endpoint::AllButIntents, &steps)), "pending");
}

/// A card that is declined at once: the intent is created and its attempt fails within a second.
#[test]
fn a_payment_declined_at_once_failed() {
    let steps = [begins(), Step::Attempt { ends: Attempt::Fails }];
    assert_eq!(state(&lived(&today(), Endpoint::Everything, &steps)), "failed");
}

/// The intent shows that the attempt failed, to an endpoint that saw its charge only while it was pending.
#[test]
fn a_charge_seen_pending_does_not_outweigh_its_intent() {
    let touched = Step::ChargeTouched;
    let steps = [begins(), Step::Attempt { ends: Attempt::Waits }, touched, Step::Settle { ok: false }];
    assert_eq!(state(&lived(&today(), Endpoint::Advised, &steps)), "failed");
}

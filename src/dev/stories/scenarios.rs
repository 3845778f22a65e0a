//! The stories as the verbs of [`Life`]. What the events of a verb are is not said here, nor what Clawback
//! should conclude of them. The longer ones are in `long_scenarios`.

use super::disputes::{FRAUDULENT, NOT_RECEIVED, UNACCEPTABLE, UNRECOGNIZED};
use super::life::{DisputeNo, Life, days, hours, minutes};
use super::payments::DECLINED;
use super::people::{AMEX, CARTES_BANCAIRES, MASTERCARD};

pub(super) fn paid(life: &mut Life) {
    life.checkout();
    life.pay();
}

pub(super) fn partial_refund(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(2));
    life.refund(charge, life.share(40));
}

pub(super) fn full_refund(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(1));
    let first = life.refund(charge, life.share(30));
    life.later(hours(6));
    life.refund(charge, life.amount() - life.share(30));
    life.later(days(3));
    life.reference_arrives(first);
}

pub(super) fn refund_pending(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(4));
    let refund = life.refund_pending(charge, life.amount(), "insufficient_funds");
    life.later(days(2));
    life.settle_refund(refund);
}

pub(super) fn refund_fails_later(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(1));
    let refund = life.refund(charge, life.amount());
    life.later(days(5));
    life.fail_refund(refund, "expired_or_canceled_card");
}

pub(super) fn refund_canceled(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(3));
    let refund = life.refund_pending(charge, life.share(50), "insufficient_funds");
    life.later(hours(5));
    life.cancel_refund(refund);
}

pub(super) fn chargeback_won(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(20));
    let dispute = life.open_dispute(charge, life.amount(), NOT_RECEIVED);
    life.later(days(2));
    life.submit_evidence(dispute);
    life.later(days(61));
    life.win(dispute);
}

pub(super) fn chargeback_lost(life: &mut Life) {
    lost_chargeback(life);
}

pub(super) fn late_win(life: &mut Life) {
    let dispute = lost_chargeback(life);
    life.later(days(24));
    life.win_late(dispute);
}

fn lost_chargeback(life: &mut Life) -> DisputeNo {
    life.checkout();
    let charge = life.pay();
    life.later(days(15));
    let dispute = life.open_dispute(charge, life.amount(), FRAUDULENT);
    life.later(days(5));
    life.submit_evidence(dispute);
    life.later(days(66));
    life.lose(dispute);
    dispute
}

pub(super) fn lost_part_back(life: &mut Life) {
    life.pays_with(MASTERCARD);
    life.checkout();
    let charge = life.pay();
    life.later(days(6));
    life.refund(charge, life.share(40));
    life.later(days(11));
    let dispute = life.open_dispute(charge, life.amount(), UNACCEPTABLE);
    life.later(days(3));
    life.submit_evidence(dispute);
    life.later(days(63));
    life.lose(dispute);
    life.reinstate(dispute, life.share(40));
}

pub(super) fn inquiry_closed(life: &mut Life) {
    life.pays_with(AMEX);
    life.checkout();
    let charge = life.pay();
    life.later(days(12));
    let inquiry = life.open_inquiry(charge, life.amount(), UNRECOGNIZED);
    life.later(days(2));
    life.submit_evidence(inquiry);
    life.later(days(118));
    life.close_warning(inquiry);
}

pub(super) fn inquiry_open(life: &mut Life) {
    life.pays_with(AMEX);
    life.checkout();
    let charge = life.pay();
    life.later(days(15));
    life.open_inquiry(charge, life.amount(), UNRECOGNIZED);
}

pub(super) fn inquiry_escalated(life: &mut Life) {
    life.pays_with(AMEX);
    life.checkout();
    let charge = life.pay();
    life.later(days(10));
    let inquiry = life.open_inquiry(charge, life.amount(), NOT_RECEIVED);
    life.later(days(4));
    life.submit_evidence(inquiry);
    life.later(days(17));
    life.escalate(inquiry);
}

pub(super) fn prevented(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(8));
    life.prevent(charge, life.amount(), FRAUDULENT);
}

pub(super) fn unchallengeable(life: &mut Life) {
    life.pays_with(CARTES_BANCAIRES);
    life.checkout();
    let charge = life.pay();
    life.later(days(25));
    life.open_unchallengeable(charge, life.amount(), FRAUDULENT);
}

pub(super) fn two_disputes(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(18));
    let first = life.open_dispute(charge, life.share(25), UNACCEPTABLE);
    life.later(days(1));
    life.open_dispute(charge, life.share(30), NOT_RECEIVED);
    life.later(hours(4));
    life.accept(first);
}

pub(super) fn fraud_warning(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(6));
    life.warn(charge);
}

pub(super) fn fraud_warning_refunded(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(6));
    let warning = life.warn(charge);
    life.later(hours(3));
    life.refund(charge, life.amount());
    life.settle(warning);
}

pub(super) fn review_open(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.open_review(charge);
}

pub(super) fn review_approved(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    let review = life.open_review(charge);
    life.later(hours(5));
    life.approve(review);
}

pub(super) fn authorized(life: &mut Life) {
    life.authorize();
}

pub(super) fn void(life: &mut Life) {
    life.authorize();
    life.later(days(1));
    life.void();
}

pub(super) fn void_before_2025(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(1));
    life.void_before_2025(charge);
}

pub(super) fn partial_capture(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(2));
    life.capture(charge, life.share(75));
}

pub(super) fn partial_capture_before_2025(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(2));
    life.capture_before_2025(charge, life.share(75));
}

pub(super) fn payment_failed(life: &mut Life) {
    life.checkout();
    life.decline(DECLINED);
}

pub(super) fn payment_pending(life: &mut Life) {
    life.checkout();
    life.pay_by_debit();
}

pub(super) fn chargeback_open(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(13));
    life.open_dispute(charge, life.amount(), FRAUDULENT);
}

pub(super) fn dispute_under_review(life: &mut Life) {
    life.pays_with(MASTERCARD);
    life.checkout();
    let charge = life.pay();
    life.later(days(16));
    let dispute = life.open_dispute(charge, life.share(60), NOT_RECEIVED);
    life.later(days(3));
    life.submit_evidence(dispute);
}

pub(super) fn paid_second_try(life: &mut Life) {
    life.checkout();
    life.decline(DECLINED);
    life.later(minutes(4));
    life.pay();
}

pub(super) fn authorization_expired(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(7));
    life.expire_authorization(charge);
}

pub(super) fn authorization_expired_before_2025(life: &mut Life) {
    let charge = life.authorize();
    life.later(days(7));
    life.expire_authorization_before_2025(charge);
}

pub(super) fn debit_settled(life: &mut Life) {
    life.checkout();
    let charge = life.pay_by_debit();
    life.later(days(5));
    life.settle_debit(charge);
}

pub(super) fn debit_returned(life: &mut Life) {
    life.checkout();
    let charge = life.pay_by_debit();
    life.later(days(4));
    life.return_debit(charge);
}

pub(super) fn refund_overtaken(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(9));
    let refund = life.refund_pending(charge, life.amount(), "insufficient_funds");
    life.later(days(1));
    life.open_dispute(charge, life.amount(), NOT_RECEIVED);
    life.later(1);
    life.fail_refund(refund, "charge_for_pending_refund_disputed");
}

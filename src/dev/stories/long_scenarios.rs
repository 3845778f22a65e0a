//! The longer stories: what happens to one payment over months, when one thing leads to another.

use super::disputes::{DEBIT_NOT_AUTHORIZED, FRAUDULENT, NOT_RECEIVED, UNACCEPTABLE, UNRECOGNIZED};
use super::life::{Life, days, hours, minutes};
use super::payments::DECLINED;
use super::people::{AMEX, MASTERCARD};

pub(super) fn refund_second_try(life: &mut Life) {
    life.checkout();
    life.decline(DECLINED);
    life.later(minutes(2));
    life.decline(DECLINED);
    life.later(minutes(11));
    let charge = life.pay();
    life.later(days(3));
    let refund = life.refund(charge, life.share(40));
    life.later(days(19));
    life.fail_refund(refund, "lost_or_stolen_card");
    life.later(days(2));
    life.refund(charge, life.share(40));
}

pub(super) fn inquiry_late_win(life: &mut Life) {
    life.pays_with(AMEX);
    life.checkout();
    let charge = life.pay();
    life.later(days(11));
    let dispute = life.open_inquiry(charge, life.amount(), UNRECOGNIZED);
    life.later(days(3));
    life.submit_evidence(dispute);
    life.later(days(20));
    life.escalate(dispute);
    life.later(days(4));
    life.submit_evidence(dispute);
    life.later(days(64));
    life.lose(dispute);
    life.later(days(21));
    life.win_late(dispute);
}

/// The refunded quarter comes back though the dispute is lost.
pub(super) fn captured_part_lost_part(life: &mut Life) {
    life.pays_with(MASTERCARD);
    let charge = life.authorize();
    life.later(days(1));
    life.capture(charge, life.share(75));
    life.later(days(5));
    life.refund(charge, life.share(25));
    life.later(days(14));
    let dispute = life.open_dispute(charge, life.share(75), UNACCEPTABLE);
    life.later(days(2));
    life.submit_evidence(dispute);
    life.later(days(67));
    life.lose(dispute);
    life.reinstate(dispute, life.share(25));
}

/// While a dispute is open Stripe refuses a refund: it lies between the two.
pub(super) fn won_and_lost(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(10));
    let first = life.open_dispute(charge, life.share(30), NOT_RECEIVED);
    life.later(days(1));
    life.submit_evidence(first);
    life.later(days(62));
    life.win(first);
    life.later(days(1));
    life.refund(charge, life.share(20));
    life.later(days(9));
    let second = life.open_dispute(charge, life.share(40), UNACCEPTABLE);
    life.later(days(6));
    life.submit_evidence(second);
    life.later(days(60));
    life.lose(second);
}

/// The dispute overtakes the review, and the warning calls for nothing any more.
pub(super) fn fraud_warning_won(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    let review = life.open_review(charge);
    life.later(days(2));
    let warning = life.warn(charge);
    life.later(days(3));
    let dispute = life.open_dispute(charge, life.amount(), FRAUDULENT);
    life.settle(warning);
    life.overtake(review);
    life.later(days(5));
    life.submit_evidence(dispute);
    life.later(days(63));
    life.win(dispute);
}

/// A bank debit's dispute allows no answer.
pub(super) fn debit_disputed(life: &mut Life) {
    life.checkout();
    let charge = life.pay_by_debit();
    life.later(days(5));
    life.settle_debit(charge);
    life.later(days(12));
    let refund = life.refund_pending(charge, life.amount(), "processing");
    life.later(hours(20));
    life.open_unchallengeable(charge, life.amount(), DEBIT_NOT_AUTHORIZED);
    life.later(1);
    life.fail_refund(refund, "charge_for_pending_refund_disputed");
}

pub(super) fn refund_asked_again(life: &mut Life) {
    life.checkout();
    life.pay_by_transfer();
    life.later(days(2));
    let charge = life.transfer_arrives();
    life.later(days(8));
    let refund = life.refund_by_transfer(charge, life.amount());
    life.later(hours(30));
    life.give_details(refund);
    life.later(days(2));
    life.settle_refund(refund);
    life.later(days(6));
    life.return_refund(refund);
}

pub(super) fn prevented_reopened(life: &mut Life) {
    life.checkout();
    let charge = life.pay();
    life.later(days(7));
    let dispute = life.prevent(charge, life.amount(), FRAUDULENT);
    life.later(days(16));
    life.reopen(dispute);
    life.later(days(3));
    life.submit_evidence(dispute);
    life.later(days(65));
    life.lose(dispute);
}

//! The longer stories: what happens to one payment over months, when one thing leads to another.

use super::super::model::{
    AMEX, DEBIT_NOT_AUTHORIZED, DECLINED, FRAUDULENT, MASTERCARD, Method, NOT_RECEIVED, UNACCEPTABLE, UNRECOGNIZED,
};
use super::shop::{Shop, days, hours, minutes};

pub(super) fn refund_second_try(shop: &mut Shop) {
    shop.checkout();
    shop.decline(DECLINED);
    shop.later(minutes(2));
    shop.decline(DECLINED);
    shop.later(minutes(11));
    let charge = shop.pay();
    shop.later(days(3));
    let refund = shop.refund(&charge, shop.share(40));
    shop.later(days(19));
    shop.stripe.fail_refund(&refund, "lost_or_stolen_card");
    shop.later(days(2));
    shop.refund(&charge, shop.share(40));
}

pub(super) fn inquiry_late_win(shop: &mut Shop) {
    shop.pays_with(Method::Card(AMEX));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(11));
    let dispute = shop.stripe.open_inquiry(&charge, shop.amount(), UNRECOGNIZED);
    shop.later(days(3));
    shop.submit_evidence(&dispute);
    shop.later(days(20));
    shop.escalate(&dispute);
    shop.later(days(4));
    shop.submit_evidence(&dispute);
    shop.later(days(64));
    shop.stripe.lose(&dispute);
    shop.later(days(21));
    shop.win_late(&dispute);
}

/// The refunded quarter comes back though the dispute is lost.
pub(super) fn captured_part_lost_part(shop: &mut Shop) {
    shop.pays_with(Method::Card(MASTERCARD));
    let charge = shop.authorize();
    shop.later(days(1));
    shop.capture(&charge, shop.share(75));
    shop.later(days(5));
    shop.refund(&charge, shop.share(25));
    shop.later(days(14));
    let dispute = shop.open_dispute(&charge, shop.share(75), UNACCEPTABLE);
    shop.later(days(2));
    shop.submit_evidence(&dispute);
    shop.later(days(67));
    shop.stripe.lose(&dispute);
    shop.reinstate(&dispute, shop.share(25));
}

/// While a dispute is open Stripe refuses a refund: it lies between the two.
pub(super) fn won_and_lost(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(10));
    let first = shop.open_dispute(&charge, shop.share(30), NOT_RECEIVED);
    shop.later(days(1));
    shop.submit_evidence(&first);
    shop.later(days(62));
    shop.win(&first);
    shop.later(days(1));
    shop.refund(&charge, shop.share(20));
    shop.later(days(9));
    let second = shop.open_dispute(&charge, shop.share(40), UNACCEPTABLE);
    shop.later(days(6));
    shop.submit_evidence(&second);
    shop.later(days(60));
    shop.stripe.lose(&second);
}

/// The dispute overtakes the review, and the warning calls for nothing any more.
pub(super) fn fraud_warning_won(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    let review = shop.stripe.open_review(&charge);
    shop.later(days(2));
    let warning = shop.stripe.warn(&charge);
    shop.later(days(3));
    let dispute = shop.open_dispute(&charge, shop.amount(), FRAUDULENT);
    shop.stripe.settle_warning(&warning);
    shop.stripe.close_disputed_review(&review);
    shop.later(days(5));
    shop.submit_evidence(&dispute);
    shop.later(days(63));
    shop.win(&dispute);
}

/// A bank debit's dispute allows no answer.
pub(super) fn debit_disputed(shop: &mut Shop) {
    shop.pays_with(Method::SepaDebit);
    shop.checkout();
    let charge = shop.pay_by_debit();
    shop.later(days(5));
    shop.stripe.settle_debit(&charge);
    shop.later(days(12));
    let refund = shop.refund_pending(&charge, shop.amount(), "processing");
    shop.later(hours(20));
    shop.open_unchallengeable(&charge, shop.amount(), DEBIT_NOT_AUTHORIZED);
    shop.later(1);
    shop.stripe.fail_refund(&refund, "charge_for_pending_refund_disputed");
}

pub(super) fn refund_asked_again(shop: &mut Shop) {
    shop.pays_with(Method::BankTransfer);
    shop.checkout();
    let charge = shop.pay_by_transfer(days(2));
    shop.later(days(8));
    let refund = shop.refund_by_transfer(&charge, shop.amount());
    shop.later(hours(30));
    shop.stripe.give_details(&refund);
    shop.later(days(2));
    shop.stripe.settle_refund(&refund);
    shop.later(days(6));
    shop.stripe.return_refund(&refund);
}

pub(super) fn prevented_reopened(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(7));
    let dispute = shop.prevent(&charge, shop.amount(), FRAUDULENT);
    shop.later(days(16));
    shop.escalate(&dispute);
    shop.later(days(3));
    shop.submit_evidence(&dispute);
    shop.later(days(65));
    shop.stripe.lose(&dispute);
}

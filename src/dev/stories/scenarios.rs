//! The stories as scripts: what the shop, its buyer, banks and Stripe do. What events that makes is not said here,
//! nor what Clawback should conclude of them. The longer ones are in `long_scenarios`.

use super::super::model::objects::Dispute;
use super::super::model::{
    AMEX, CARTES_BANCAIRES, DECLINED, FRAUDULENT, Id, MASTERCARD, Method, NOT_RECEIVED, UNACCEPTABLE, UNRECOGNIZED,
};
use super::shop::{Shop, days, hours, minutes};

pub(super) fn paid(shop: &mut Shop) {
    shop.checkout();
    shop.pay();
}

pub(super) fn partial_refund(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(2));
    shop.refund(&charge, shop.share(40));
}

pub(super) fn full_refund(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(1));
    let first = shop.refund(&charge, shop.share(30));
    shop.later(hours(6));
    shop.refund(&charge, shop.amount() - shop.share(30));
    shop.later(days(3));
    shop.stripe.add_reference(&first);
}

pub(super) fn refund_pending(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(4));
    let refund = shop.refund_pending(&charge, shop.amount(), "insufficient_funds");
    shop.later(days(2));
    shop.stripe.settle_refund(&refund);
}

pub(super) fn refund_fails_later(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(1));
    let refund = shop.refund(&charge, shop.amount());
    shop.later(days(5));
    shop.stripe.fail_refund(&refund, "expired_or_canceled_card");
}

pub(super) fn refund_canceled(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(3));
    let refund = shop.refund_pending(&charge, shop.share(50), "insufficient_funds");
    shop.later(hours(5));
    shop.cancel_refund(&refund);
}

pub(super) fn chargeback_won(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(20));
    let dispute = shop.open_dispute(&charge, shop.amount(), NOT_RECEIVED);
    shop.later(days(2));
    shop.submit_evidence(&dispute);
    shop.later(days(61));
    shop.win(&dispute);
}

pub(super) fn chargeback_lost(shop: &mut Shop) {
    lost_chargeback(shop);
}

pub(super) fn late_win(shop: &mut Shop) {
    let dispute = lost_chargeback(shop);
    shop.later(days(24));
    shop.win_late(&dispute);
}

fn lost_chargeback(shop: &mut Shop) -> Id<Dispute> {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(15));
    let dispute = shop.open_dispute(&charge, shop.amount(), FRAUDULENT);
    shop.later(days(5));
    shop.submit_evidence(&dispute);
    shop.later(days(66));
    shop.stripe.lose(&dispute);
    dispute
}

pub(super) fn lost_part_back(shop: &mut Shop) {
    shop.pays_with(Method::Card(MASTERCARD));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(6));
    shop.refund(&charge, shop.share(40));
    shop.later(days(11));
    let dispute = shop.open_dispute(&charge, shop.amount(), UNACCEPTABLE);
    shop.later(days(3));
    shop.submit_evidence(&dispute);
    shop.later(days(63));
    shop.stripe.lose(&dispute);
    shop.reinstate(&dispute, shop.share(40));
}

pub(super) fn inquiry_closed(shop: &mut Shop) {
    shop.pays_with(Method::Card(AMEX));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(12));
    let inquiry = shop.stripe.open_inquiry(&charge, shop.amount(), UNRECOGNIZED);
    shop.later(days(2));
    shop.submit_evidence(&inquiry);
    shop.later(days(118));
    shop.stripe.close_inquiry(&inquiry);
}

pub(super) fn inquiry_open(shop: &mut Shop) {
    shop.pays_with(Method::Card(AMEX));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(15));
    shop.stripe.open_inquiry(&charge, shop.amount(), UNRECOGNIZED);
}

pub(super) fn inquiry_escalated(shop: &mut Shop) {
    shop.pays_with(Method::Card(AMEX));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(10));
    let inquiry = shop.stripe.open_inquiry(&charge, shop.amount(), NOT_RECEIVED);
    shop.later(days(4));
    shop.submit_evidence(&inquiry);
    shop.later(days(17));
    shop.escalate(&inquiry);
}

pub(super) fn prevented(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(8));
    shop.prevent(&charge, shop.amount(), FRAUDULENT);
}

pub(super) fn unchallengeable(shop: &mut Shop) {
    shop.pays_with(Method::Card(CARTES_BANCAIRES));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(25));
    shop.open_unchallengeable(&charge, shop.amount(), FRAUDULENT);
}

pub(super) fn two_disputes(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(18));
    let first = shop.open_dispute(&charge, shop.share(25), UNACCEPTABLE);
    shop.later(days(1));
    shop.open_dispute(&charge, shop.share(30), NOT_RECEIVED);
    shop.later(hours(4));
    shop.accept(&first);
}

pub(super) fn fraud_warning(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(6));
    shop.stripe.warn(&charge);
}

pub(super) fn fraud_warning_refunded(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(6));
    let warning = shop.stripe.warn(&charge);
    shop.later(hours(3));
    shop.refund(&charge, shop.amount());
    shop.stripe.settle_warning(&warning);
}

pub(super) fn review_open(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.stripe.open_review(&charge);
}

pub(super) fn review_approved(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    let review = shop.stripe.open_review(&charge);
    shop.later(hours(5));
    shop.approve(&review);
}

pub(super) fn authorized(shop: &mut Shop) {
    shop.authorize();
}

pub(super) fn void(shop: &mut Shop) {
    let charge = shop.authorize();
    shop.later(days(1));
    shop.void(&charge);
}

pub(super) fn void_before_2025(shop: &mut Shop) {
    let charge = shop.authorize();
    shop.later(days(1));
    shop.void_before_2025(&charge);
}

pub(super) fn partial_capture(shop: &mut Shop) {
    let charge = shop.authorize();
    shop.later(days(2));
    shop.capture(&charge, shop.share(75));
}

pub(super) fn partial_capture_before_2025(shop: &mut Shop) {
    let charge = shop.authorize();
    shop.later(days(2));
    shop.capture_before_2025(&charge, shop.share(75));
}

pub(super) fn payment_failed(shop: &mut Shop) {
    shop.checkout();
    shop.decline(DECLINED);
}

pub(super) fn payment_pending(shop: &mut Shop) {
    shop.pays_with(Method::SepaDebit);
    shop.checkout();
    shop.pay_by_debit();
}

pub(super) fn chargeback_open(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(13));
    shop.open_dispute(&charge, shop.amount(), FRAUDULENT);
}

pub(super) fn dispute_under_review(shop: &mut Shop) {
    shop.pays_with(Method::Card(MASTERCARD));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(16));
    let dispute = shop.open_dispute(&charge, shop.share(60), NOT_RECEIVED);
    shop.later(days(3));
    shop.submit_evidence(&dispute);
}

pub(super) fn paid_second_try(shop: &mut Shop) {
    shop.checkout();
    shop.decline(DECLINED);
    shop.later(minutes(4));
    shop.pay();
}

pub(super) fn authorization_expired(shop: &mut Shop) {
    let charge = shop.authorize();
    shop.later(days(7));
    shop.stripe.expire(&charge);
}

pub(super) fn authorization_expired_before_2025(shop: &mut Shop) {
    let charge = shop.authorize();
    shop.later(days(7));
    shop.stripe.expire_before_2025(&charge);
}

pub(super) fn debit_settled(shop: &mut Shop) {
    shop.pays_with(Method::SepaDebit);
    shop.checkout();
    let charge = shop.pay_by_debit();
    shop.later(days(5));
    shop.stripe.settle_debit(&charge);
}

pub(super) fn debit_returned(shop: &mut Shop) {
    shop.pays_with(Method::SepaDebit);
    shop.checkout();
    let charge = shop.pay_by_debit();
    shop.later(days(4));
    shop.stripe.return_debit(&charge);
}

pub(super) fn refund_overtaken(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(9));
    let refund = shop.refund_pending(&charge, shop.amount(), "insufficient_funds");
    shop.later(days(1));
    shop.open_dispute(&charge, shop.amount(), NOT_RECEIVED);
    shop.later(1);
    shop.stripe.fail_refund(&refund, "charge_for_pending_refund_disputed");
}

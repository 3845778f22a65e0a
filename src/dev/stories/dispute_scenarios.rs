//! The stories of disputes that are not plain chargebacks: appeals, compliance, Smart Disputes, methods that cannot be
//! answered, and inquiries that are answered twice.

use serde_json::json;

use super::super::model::objects::Dispute;
use super::super::model::{
    AMEX, AVAILABLE, DEBIT_NOT_AUTHORIZED, FRAUDULENT, Id, Method, NOT_RECEIVED, UNACCEPTABLE, UNRECOGNIZED,
};
use super::shop::{Shop, days, hours};

pub(super) fn partial_dispute(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(14));
    let dispute = shop.open_dispute(&charge, shop.share(35), UNACCEPTABLE);
    shop.later(days(4));
    shop.submit_evidence(&dispute);
    shop.later(days(61));
    shop.stripe.lose(&dispute);
}

pub(super) fn inquiry_answered_twice(shop: &mut Shop) {
    shop.pays_with(Method::Card(AMEX));
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(9));
    let dispute = shop.stripe.open_inquiry(&charge, shop.amount(), UNRECOGNIZED);
    shop.later(days(3));
    shop.submit_evidence(&dispute);
    shop.later(days(18));
    shop.escalate(&dispute);
    shop.later(days(5));
    shop.submit_evidence(&dispute);
    shop.later(days(62));
    shop.win(&dispute);
}

pub(super) fn compliance_open(shop: &mut Shop) {
    open_compliance(shop);
}

pub(super) fn compliance_lost(shop: &mut Shop) {
    let dispute = open_compliance(shop);
    shop.later(days(5));
    let acknowledged = json!({ "visa_compliance": { "fee_acknowledged": true } });
    shop.submit_fields(&dispute, [("enhanced_evidence", acknowledged), ("uncategorized_text", json!("See rule 5.4."))]);
    shop.later(days(58));
    shop.stripe.lose(&dispute);
}

fn open_compliance(shop: &mut Shop) -> Id<Dispute> {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(22));
    shop.open_compliance(&charge, shop.amount())
}

pub(super) fn appeal_open(shop: &mut Shop) {
    lost_and_appealed(shop);
}

pub(super) fn appeal_won(shop: &mut Shop) {
    let dispute = answered_appeal(shop);
    shop.win(&dispute);
}

pub(super) fn appeal_lost(shop: &mut Shop) {
    let dispute = answered_appeal(shop);
    shop.stripe.lose(&dispute);
}

fn answered_appeal(shop: &mut Shop) -> Id<Dispute> {
    let dispute = lost_and_appealed(shop);
    shop.later(days(4));
    let card = json!({ "reason_for_filing": "The carrier's map shows the delivery.", "supporting_files": [] });
    shop.submit_fields(&dispute, [("appeal", json!({ "card": card }))]);
    shop.later(days(40));
    dispute
}

fn lost_and_appealed(shop: &mut Shop) -> Id<Dispute> {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(16));
    let dispute = shop.open_dispute(&charge, shop.amount(), NOT_RECEIVED);
    shop.later(days(3));
    shop.submit_evidence(&dispute);
    shop.later(days(64));
    shop.stripe.lose(&dispute);
    shop.later(days(2));
    shop.stripe.open_appeal(&dispute);
    dispute
}

/// Nobody answers, and so Stripe does.
pub(super) fn smart_dispute(shop: &mut Shop) {
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(12));
    let dispute = shop.open_dispute(&charge, shop.amount(), FRAUDULENT);
    shop.later(1);
    shop.stripe.enable_smart_disputes(&dispute, AVAILABLE);
    shop.later(days(9));
    shop.stripe.submit_by_smart_disputes(&dispute);
    shop.later(days(63));
    shop.win(&dispute);
}

/// A debit from an account in the United States: the bank decides alone.
pub(super) fn ach_disputed(shop: &mut Shop) {
    shop.pays_with(Method::UsBankAccount);
    shop.checkout();
    let charge = shop.pay_by_debit();
    shop.later(days(4));
    shop.stripe.settle_debit(&charge);
    shop.later(days(30));
    shop.open_unchallengeable(&charge, shop.amount(), DEBIT_NOT_AUTHORIZED);
}

/// Only a refund of the disputed amount ends it.
pub(super) fn klarna_inquiry(shop: &mut Shop) {
    shop.pays_with(Method::Klarna);
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(19));
    shop.stripe.open_inquiry(&charge, shop.share(50), UNACCEPTABLE);
}

pub(super) fn klarna_inquiry_refunded(shop: &mut Shop) {
    shop.pays_with(Method::Klarna);
    shop.checkout();
    let charge = shop.pay();
    shop.later(days(19));
    let inquiry = shop.stripe.open_inquiry(&charge, shop.share(50), UNACCEPTABLE);
    shop.later(hours(30));
    shop.refund(&charge, shop.share(50));
    shop.later(1);
    shop.stripe.close_inquiry(&inquiry);
}

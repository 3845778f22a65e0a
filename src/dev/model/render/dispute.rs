//! A dispute as JSON.

use serde_json::{Value, json};

use super::super::evidence::{MANUAL, RECOMMENDED};
use super::super::objects::{Dispute, Entry, Purchase, Submitter};
use super::super::people::Method;
use super::super::{Account, eligibility};
use super::{with, with_nulls};

const NULL_EVIDENCE: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// The dispute as it is now.
pub(in crate::dev::model) fn dispute(account: &Account, dispute: &Dispute) -> Value {
    let charge = account.get(&dispute.charge);
    let Purchase { currency, .. } = &charge.purchase;
    let method = account.method_of(&charge.purchase);
    let entries = dispute.entries.iter().map(|entry| balance_transaction(currency, dispute, entry));
    json!({
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": entries.collect::<Vec<_>>(),
        "charge": dispute.charge,
        "created": dispute.created,
        "currency": currency,
        "enhanced_eligibility_types": eligibility::kind(account, dispute).as_slice(),
        "evidence": evidence(dispute),
        "evidence_details": evidence_details(account, dispute),
        "intended_submission_method": dispute.smart.map(|smart| smart.intended),
        "is_charge_refundable": dispute.is_charge_refundable,
        "livemode": account.livemode,
        "metadata": dispute.metadata,
        "payment_intent": charge.payment_intent,
        "payment_method_details": payment_method_details(method, dispute),
        "reason": dispute.reason,
        "smart_disputes": smart_disputes(dispute),
        "status": dispute.status,
    })
}

/// An entry of the balance that the dispute made.
pub(super) fn balance_transaction(currency: &str, dispute: &Dispute, entry: &Entry) -> Value {
    let withdrawn = entry.amount < 0;
    let what = if withdrawn { "withdrawal" } else { "reversal" };
    json!({
        "id": entry.id,
        "object": "balance_transaction",
        "amount": entry.amount,
        "available_on": entry.created,
        "balance_type": "payments",
        "created": entry.created,
        "currency": currency,
        "description": format!("Chargeback {what} for {}", dispute.charge),
        "exchange_rate": null,
        "fee": entry.fee,
        "fee_details": fee_details(currency, entry),
        "net": entry.amount - entry.fee,
        "reporting_category": if withdrawn { "dispute" } else { "dispute_reversal" },
        "source": dispute.id,
        "status": "available",
        "type": "adjustment",
    })
}

fn fee_details(currency: &str, entry: &Entry) -> Value {
    if entry.fee == 0 {
        return json!([]);
    }
    json!([{
        "amount": entry.fee,
        "application": null,
        "currency": currency,
        "description": "Dispute fee",
        "type": "stripe_fee",
    }])
}

fn evidence(dispute: &Dispute) -> Value {
    let empty = with_nulls(json!({ "enhanced_evidence": {} }), NULL_EVIDENCE);
    with(empty, dispute.evidence.iter().map(|(field, value)| (field.as_str(), value.clone())))
}

fn evidence_details(account: &Account, dispute: &Dispute) -> Value {
    json!({
        "due_by": dispute.due_by,
        "enhanced_eligibility": eligibility::statuses(account, dispute),
        "has_evidence": dispute.has_evidence(),
        "past_due": dispute.past_due,
        "submission_count": dispute.submissions.len(),
        "submission_method": dispute.submissions.last().map_or("not_submitted", |last| submission_method(last.by)),
    })
}

fn submission_method(by: Submitter) -> &'static str {
    match by {
        Submitter::Api | Submitter::Dashboard => MANUAL,
        Submitter::SmartDisputes => "smart_disputes",
    }
}

/// Null where Smart Disputes are not enabled.
fn smart_disputes(dispute: &Dispute) -> Value {
    let shown = |status| json!({ "recommended_evidence": RECOMMENDED, "status": status });
    dispute.smart_status().map_or(Value::Null, shown)
}

fn payment_method_details(method: Method, dispute: &Dispute) -> Value {
    match method {
        Method::Card(card) => json!({
            "card": {
                "brand": card.brand,
                "case_type": dispute.case_type,
                "network": card.brand,
                "network_reason_code": network_reason_code(card.brand, dispute.reason),
            },
            "type": "card",
        }),
        Method::Klarna => json!({ "klarna": { "reason_code": klarna_reason_code(dispute.reason) }, "type": "klarna" }),
        // Stripe gives no details of a bank's dispute.
        Method::SepaDebit | Method::UsBankAccount | Method::BankTransfer => Value::Null,
    }
}

/// Klarna's own word for the reason.
fn klarna_reason_code(reason: &str) -> Option<&'static str> {
    match reason {
        "credit_not_processed" => Some("return"),
        "duplicate" => Some("already_paid"),
        "fraudulent" => Some("unauthorized_purchase"),
        "general" => Some("incorrect_invoice"),
        "product_not_received" => Some("goods_not_received"),
        "product_unacceptable" => Some("faulty_goods"),
        _ => None,
    }
}

/// The card network's own code for the reason; none where we know of none.
fn network_reason_code(brand: &str, reason: &str) -> Option<&'static str> {
    match (brand, reason) {
        ("visa", "fraudulent" | "unrecognized") => Some("10.4"),
        ("visa", "product_not_received") => Some("13.1"),
        ("visa", "product_unacceptable") => Some("13.3"),
        ("visa", "noncompliant") => Some("C028"),
        ("mastercard", "noncompliant") => None,
        ("mastercard", "fraudulent" | "unrecognized") => Some("4837"),
        ("mastercard", _) => Some("4853"),
        ("amex", "fraudulent" | "unrecognized") => Some("F29"),
        ("amex", "product_not_received") => Some("C08"),
        ("amex", "product_unacceptable") => Some("C31"),
        _ => None,
    }
}

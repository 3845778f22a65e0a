//! Drafts and letters of payments whose sources are known.

mod ce3;
mod documents;
mod drafts;
mod letters;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::macros::date;

use super::{Attached, Bodies, CalledFor, Letter, Policy, Product, Sources, letter};

pub(super) const FILES: [&str; 9] = [
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
];

/// A payment of which everything is known, as Stripe's objects.
pub(super) struct Payment {
    pub dispute: Value,
    pub first: Value,
    pub charge: Value,
    pub intent: Value,
    pub session: Value,
    pub refunds: Vec<Value>,
    pub others: Vec<Value>,
}

impl Payment {
    pub(super) fn of(reason: &str) -> Self {
        let charge = charge("ch_1", 1_767_312_000);
        Self {
            dispute: json!({
                "object": "dispute", "id": "du_1", "charge": "ch_1", "amount": 10_000, "currency": "usd",
                "created": 1_768_000_000, "reason": reason,
                "payment_method_details": { "card": { "network": "visa", "network_reason_code": "10.4" } }
            }),
            first: charge.clone(),
            charge,
            intent: json!({ "object": "payment_intent", "id": "pi_1", "metadata": { "ip": "203.0.113.7" } }),
            session: json!({
                "object": "checkout.session", "id": "cs_1", "created": 1_767_311_900,
                "customer_details": { "email": "session@example.com", "name": "Session Name" },
                "consent": { "terms_of_service": "accepted" }
            }),
            refunds: Vec::new(),
            others: Vec::new(),
        }
    }

    pub(super) fn sources(&self) -> Sources {
        let text = |value: &Value| value.to_string();
        let (dispute, first, charge) = (text(&self.dispute), text(&self.first), text(&self.charge));
        let (intent, session) = (text(&self.intent), text(&self.session));
        let refunds: Vec<_> = self.refunds.iter().map(text).collect();
        let others: Vec<_> = self.others.iter().map(text).collect();
        Sources::read(&Bodies {
            dispute: &dispute,
            first_charge: Some(&first),
            charge: Some(&charge),
            intent: Some(&intent),
            session: Some(&session),
            refunds: refunds.iter().map(String::as_str).collect(),
            others: others.iter().map(String::as_str).collect(),
            ..Bodies::default()
        })
        .expect("a dispute")
    }
}

/// A charge with all that a merchant can send, made at this time.
pub(super) fn charge(id: &str, created: i64) -> Value {
    json!({
        "object": "charge", "id": id, "created": created, "status": "succeeded", "captured": true, "disputed": false,
        "amount": 10_000, "amount_captured": 10_000, "currency": "usd", "refunded": false,
        "description": "Blue shirt", "receipt_email": "receipt@example.com",
        "billing_details": { "name": "Jane Doe", "email": "jane@example.com", "address": address("1 Main Street") },
        "shipping": {
            "name": "Jane Doe", "carrier": "DHL", "tracking_number": "JD0146", "address": address("2 Side Street")
        },
        "metadata": { "shipped": "3 January 2026", "kind": "physical" },
        "outcome": { "risk_level": "normal" },
        "payment_method_details": { "card": {
            "fingerprint": "fp_1",
            "checks": { "cvc_check": "pass", "address_line1_check": "pass", "address_postal_code_check": "pass" },
            "three_d_secure": { "result": "authenticated", "electronic_commerce_indicator": "05" }
        } }
    })
}

pub(super) fn address(street: &str) -> Value {
    json!({ "line1": street, "line2": null, "city": "Berlin", "postal_code": "10115", "state": null, "country": "DE" })
}

pub(super) fn refund(id: &str, amount: i64, currency: &str) -> Value {
    json!({
        "object": "refund", "id": id, "amount": amount, "currency": currency, "created": 1_767_500_000,
        "status": "succeeded", "destination_details": { "card": { "reference": "74000000000000000000001" } }
    })
}

pub(super) fn policy() -> Policy {
    Policy::parse(
        r#"{
            "fields": { "shipping_date": "shipped", "customer_purchase_ip": ["client_ip", "ip"],
                "cancellation_rebuttal": "rebuttal", "access_activity_log": "log" },
            "product": { "metadata_key": "kind", "default": "digital" },
            "sender": { "name": "Example Ltd", "address": ["3 High Street", "London"], "email": "help@example.com" },
            "refund_policy": [{ "from": "2025-01-01", "disclosure": "Shown above the button.", "file": "/p/refunds.pdf" }],
            "cancellation_policy": [{ "from": "2025-01-01", "disclosure": "Shown at sign-up.", "file": "/p/terms.pdf" }]
        }"#,
    )
    .expect("a policy")
}

pub(super) fn called(fields: &[&str]) -> Vec<CalledFor> {
    fields.iter().map(|field| CalledFor { field: (*field).to_owned(), is_strong: true }).collect()
}

pub(super) fn written(payment: &Payment, product: Product, texts: &BTreeMap<String, String>, files: &[&str]) -> String {
    let files: Vec<_> = files.iter().map(|field| Attached { field }).collect();
    letter(&Letter {
        sources: &payment.sources(),
        policy: &policy(),
        product,
        texts,
        files: &files,
        called_for: &called(&["receipt", "customer_communication"]),
        on: date!(2026 - 01 - 12),
    })
}

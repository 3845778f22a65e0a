//! Hand-made events for cases that no story covers: one Stripe object each, with just the fields that are read, and
//! the changes that a test makes.

use serde_json::{Value, json};

/// When hand-made objects are created, in unix seconds. Events follow `at` seconds later.
pub const T0: i64 = 1_700_000_000;
pub const DAY: i64 = 86_400;

/// A captured charge of 100.00 euro, without an intent or an order.
pub fn charge(id: &str, changes: Value) -> Value {
    let base = json!({
        "id": id, "object": "charge", "amount": 10_000, "amount_captured": 10_000, "amount_refunded": 0,
        "captured": true, "created": T0, "currency": "eur", "metadata": {}, "paid": true, "payment_intent": null,
        "refunded": false, "status": "succeeded",
    });
    with(base, changes)
}

/// A paid intent of 100.00 euro.
pub fn intent(id: &str, changes: Value) -> Value {
    let base = json!({
        "id": id, "object": "payment_intent", "amount": 10_000, "amount_received": 10_000, "created": T0,
        "currency": "eur", "latest_charge": null, "metadata": {}, "status": "succeeded",
    });
    with(base, changes)
}

/// A refund of 10.00 euro that succeeded and names no other object yet.
pub fn refund(id: &str, changes: Value) -> Value {
    let base = json!({
        "id": id, "object": "refund", "amount": 1_000, "charge": null, "created": T0, "currency": "eur",
        "payment_intent": null, "reason": "requested_by_customer", "status": "succeeded",
    });
    with(base, changes)
}

/// An open chargeback over 100.00 euro with ten days to answer, that names no other object yet.
pub fn dispute(id: &str, changes: Value) -> Value {
    let base = json!({
        "id": id, "object": "dispute", "amount": 10_000, "balance_transactions": [], "charge": null, "created": T0,
        "currency": "eur", "is_charge_refundable": false, "payment_intent": null, "reason": "fraudulent",
        "status": "needs_response",
        "evidence_details":
            { "due_by": T0 + 10 * DAY, "has_evidence": false, "past_due": false, "submission_count": 0 },
    });
    with(base, changes)
}

/// An actionable early fraud warning that names no other object yet.
pub fn warning(id: &str, changes: Value) -> Value {
    let base = json!({
        "id": id, "object": "radar.early_fraud_warning", "actionable": true, "charge": null, "created": T0,
        "fraud_type": "misc",
    });
    with(base, changes)
}

/// An open review that names no other object yet.
pub fn review(id: &str, changes: Value) -> Value {
    let base = json!({ "id": id, "object": "review", "open": true, "charge": null, "created": T0, "reason": "rule" });
    with(base, changes)
}

/// A checkout session that names no other object yet.
pub fn session(id: &str, changes: Value) -> Value {
    with(json!({ "id": id, "object": "checkout.session", "currency": "eur", "metadata": {} }), changes)
}

/// The event `id` that shows an object as it is `at` seconds after [`T0`].
pub fn event(id: &str, at: i64, object: &Value) -> String {
    event_with(id, at, object, json!({}))
}

/// [`event`] with other fields in the envelope.
pub fn event_with(id: &str, at: i64, object: &Value, envelope: Value) -> String {
    // The type decides nothing.
    let kind = format!("{}.updated", object["object"].as_str().unwrap_or("thing"));
    let base = json!({
        "id": id, "object": "event", "api_version": "2026-07-29.dahlia", "created": T0 + at,
        "data": { "object": object }, "livemode": false, "type": kind,
    });
    with(base, envelope).to_string()
}

/// The object with these fields replaced; hashes are merged.
pub fn with(object: Value, changes: Value) -> Value {
    match (object, changes) {
        (Value::Object(mut fields), Value::Object(changes)) => {
            for (name, change) in changes {
                let old = fields.remove(&name).unwrap_or(Value::Null);
                fields.insert(name, with(old, change));
            }
            Value::Object(fields)
        }
        (_, change) => change,
    }
}

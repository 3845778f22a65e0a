//! Early fraud warnings and reviews as JSON.

use serde_json::{Value, json};

use super::super::Account;
use super::super::objects::{Review, Warning};

/// The warning as it is now.
pub(in crate::dev::model) fn warning(account: &Account, warning: &Warning) -> Value {
    json!({
        "id": warning.id,
        "object": "radar.early_fraud_warning",
        "actionable": warning.actionable,
        "charge": warning.charge,
        "created": warning.created,
        "fraud_type": "unauthorized_use_of_card",
        "livemode": account.livemode,
        "payment_intent": account.get(&warning.charge).payment_intent,
    })
}

/// The review as it is now.
pub(in crate::dev::model) fn review(account: &Account, review: &Review) -> Value {
    let charge = account.get(&review.charge);
    json!({
        "id": review.id,
        "object": "review",
        "billing_zip": account.buyer_of(&charge.purchase).postal_code,
        "charge": review.charge,
        "closed_reason": review.closed_reason,
        "created": review.created,
        "ip_address": null,
        "ip_address_location": null,
        "livemode": account.livemode,
        "open": review.closed_reason.is_none(),
        "opened_reason": "rule",
        "payment_intent": charge.payment_intent,
        "reason": review.closed_reason.unwrap_or("rule"),
        "session": null,
    })
}

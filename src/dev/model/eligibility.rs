//! What Stripe says of the evidence that networks ask for: Visa Compelling Evidence 3.0, and the fee of compliance
//! disputes. Judged whenever a dispute is shown, so that staging is a dry run.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::objects::{Charge, Dispute};
use super::{Account, FRAUDULENT};

const CE3: &str = "visa_compelling_evidence_3";
/// The parts of an address that Visa compares.
const ADDRESS: [&str; 4] = ["line1", "city", "postal_code", "country"];

/// Stripe's word for the kind of enhanced evidence that a dispute can have.
pub(in crate::dev) fn kind(account: &Account, dispute: &Dispute) -> Option<&'static str> {
    let answerable = dispute.due_by != Some(0);
    match (account.paid_with(&dispute.charge).network()?, dispute.case_type) {
        ("visa", "compliance") => Some("visa_compliance"),
        ("mastercard", "compliance") => Some("mastercard_compliance"),
        ("visa", "chargeback") if answerable && dispute.reason == FRAUDULENT => Some(CE3),
        _ => None,
    }
}

/// `evidence_details.enhanced_eligibility`
pub(super) fn statuses(account: &Account, dispute: &Dispute) -> Value {
    let Some(kind) = kind(account, dispute) else { return json!({}) };
    let given = dispute.evidence.get("enhanced_evidence").map_or(&Value::Null, |all| &all[kind]);
    if kind != CE3 {
        let acknowledged = given["fee_acknowledged"] == true;
        let status = if acknowledged { "fee_acknowledged" } else { "requires_fee_acknowledgement" };
        return json!({ kind: { "status": status } });
    }
    let missing = missing(account, dispute, given);
    let status = match (missing.is_empty(), dispute.submissions.is_empty()) {
        (true, _) => "qualified",
        (false, true) => "requires_action",
        (false, false) => "not_qualified",
    };
    json!({ CE3: { "required_actions": missing, "status": status } })
}

/// What Visa still needs, in Stripe's words.
fn missing(account: &Account, dispute: &Dispute, given: &Value) -> Vec<&'static str> {
    let disputed = &given["disputed_transaction"];
    let priors = given["prior_undisputed_transactions"].as_array().map_or(&[][..], Vec::as_slice);
    let described = |it: &Value| is_given(&it["product_description"]);
    let actions = [
        ("missing_customer_identifiers", is_same_customer(disputed, priors)),
        ("missing_disputed_transaction_description", described(disputed)),
        ("missing_merchandise_or_services", is_given(&disputed["merchandise_or_services"])),
        ("missing_prior_undisputed_transaction_description", priors.iter().all(described)),
        ("missing_prior_undisputed_transactions", are_two_priors(account, dispute, priors)),
    ];
    actions.into_iter().filter(|(_, there)| !there).map(|(action, _)| action).collect()
}

/// Two different charges that are not disputed. As in test mode, their card and age are not looked at.
fn are_two_priors(account: &Account, dispute: &Dispute, priors: &[Value]) -> bool {
    let ids: HashSet<_> = priors.iter().filter_map(|it| it["charge"].as_str()).collect();
    let undisputed = |id: &&str| account.find::<Charge>(id).is_some_and(|charge| !charge.disputed);
    priors.len() == 2 && ids.len() == 2 && !ids.contains(dispute.charge.as_str()) && ids.iter().all(undisputed)
}

/// Two main elements, or a main and a secondary one, are equal in all three transactions.
fn is_same_customer(disputed: &Value, priors: &[Value]) -> bool {
    let equal = |field: &str| is_given(&disputed[field]) && priors.iter().all(|it| it[field] == disputed[field]);
    let address = &disputed["shipping_address"];
    let addressed = ADDRESS.iter().all(|part| is_given(&address[*part])) && equal("shipping_address");
    let ip = equal("customer_purchase_ip");
    let device = equal("customer_device_fingerprint") || equal("customer_device_id");
    let secondary = addressed || equal("customer_email_address") || equal("customer_account_id");
    !priors.is_empty() && (ip && device || (ip || device) && secondary)
}

fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => true,
    }
}

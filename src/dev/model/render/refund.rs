//! A refund as JSON.

use serde_json::{Value, json};

use super::super::Account;
use super::super::objects::Refund;
use super::super::people::Method;
use super::{DAY, with, with_nulls};

const NULL_FIELDS: &[&str] = &["customer_account", "receipt_number", "source_transfer_reversal", "transfer_reversal"];

/// The refund as it is now.
pub(in crate::dev::model) fn refund(account: &Account, refund: &Refund) -> Value {
    let charge = account.get(&refund.charge);
    let purchase = &charge.purchase;
    let object = json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.balance_transaction,
        "charge": refund.charge,
        "created": refund.created,
        "currency": purchase.currency,
        "customer": purchase.customer,
        "destination_details": destination_details(account.method_of(purchase), refund),
        "metadata": refund.metadata,
        "payment_intent": charge.payment_intent,
        "payment_method": purchase.payment_method,
        "reason": refund.reason,
        "status": refund.status,
    });
    // Stripe leaves these out, where other fields would be null.
    let optional = [
        ("failure_balance_transaction", refund.failure_balance_transaction.as_deref()),
        ("failure_reason", refund.failure_reason),
        ("pending_reason", refund.pending_reason),
    ];
    let present = optional.into_iter().filter_map(|(field, it)| Some((field, json!(it?))));
    let asked = refund.details_asked.filter(|_| refund.status == "requires_action");
    let next = asked.map(|at| ("next_action", next_action(account.buyer_of(purchase).email, at)));
    let reversal = refund.transfer_reversal.as_ref().map(|id| ("transfer_reversal", json!(id)));
    with(with_nulls(with(with(object, present), next), NULL_FIELDS), reversal)
}

/// The mail that asks the buyer for bank details.
fn next_action(email: &str, sent_at: i64) -> Value {
    json!({
        "display_details": {
            "email_sent": { "email_sent_at": sent_at, "email_sent_to": email },
            "expires_at": sent_at + 45 * DAY,
        },
        "type": "display_details",
    })
}

fn destination_details(method: Method, refund: &Refund) -> Value {
    match method {
        Method::Card(_) => json!({ "card": card_destination(refund), "type": "card" }),
        Method::SepaDebit => json!({ "sepa_bank_transfer": {}, "type": "sepa_bank_transfer" }),
        Method::UsBankAccount => json!({ "us_bank_transfer": {}, "type": "us_bank_transfer" }),
        Method::BankTransfer => json!({ "eu_bank_transfer": {}, "type": "eu_bank_transfer" }),
        Method::Klarna => json!({ "klarna": {}, "type": "klarna" }),
    }
}

fn card_destination(refund: &Refund) -> Value {
    let destination = match refund.status {
        "pending" => return json!({ "type": "pending" }),
        _ => json!({ "reference_type": "acquirer_reference_number", "type": "refund" }),
    };
    match &refund.reference {
        None => with(destination, [("reference_status", json!("pending"))]),
        Some(number) => with(destination, [("reference_status", json!("available")), ("reference", json!(number))]),
    }
}

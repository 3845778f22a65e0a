//! A payment intent as JSON.

use serde_json::{Value, json};

use super::super::Account;
use super::super::objects::{Capture, Decline, Intent, Purchase};
use super::connect::shown_by_intent;
use super::{with, with_nulls};

const NULL_FIELDS: &[&str] = &[
    "application",
    "application_fee_amount",
    "automatic_payment_methods",
    "customer_account",
    "excluded_payment_method_types",
    "on_behalf_of",
    "payment_method_configuration_details",
    "processing",
    "review",
    "setup_future_usage",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
];

/// The intent as it is now.
pub(in crate::dev::model) fn intent(account: &Account, intent: &Intent) -> Value {
    let purchase = &intent.purchase;
    let method = account.method_of(purchase).kind();
    let attempted = intent.latest_charge.is_some() && intent.last_payment_error.is_none();
    let object = json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": purchase.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_details": { "tip": {} },
        "amount_received": intent.amount_received,
        "canceled_at": intent.cancellation.map(|it| it.at),
        "cancellation_reason": intent.cancellation.map(|it| it.reason),
        "capture_method": capture_method(intent.capture),
        "client_secret": intent.secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": purchase.currency,
        "customer": purchase.customer,
        "description": purchase.description,
        "last_payment_error": intent.last_payment_error.map(|it| payment_error(intent, it)),
        "latest_charge": intent.latest_charge,
        "livemode": account.livemode,
        "metadata": purchase.metadata,
        "next_action": (intent.status == "requires_action").then(|| next_action(purchase)),
        "payment_method": attempted.then_some(&purchase.payment_method),
        "payment_method_options": { method: {} },
        "payment_method_types": [method],
        "receipt_email": account.buyer_of(purchase).email,
        "shipping": purchase.shipping,
        "status": intent.status,
    });
    with(with_nulls(object, NULL_FIELDS), shown_by_intent(purchase))
}

fn capture_method(capture: Capture) -> &'static str {
    match capture {
        Capture::Automatic => "automatic_async",
        Capture::Manual => "manual",
    }
}

/// Where the buyer is to send the money.
fn next_action(purchase: &Purchase) -> Value {
    json!({
        "display_bank_transfer_instructions": {
            "amount_remaining": purchase.amount,
            "currency": purchase.currency,
            "financial_addresses": [],
            "hosted_instructions_url": null,
            "reference": null,
            "type": "eu_bank_transfer",
        },
        "type": "display_bank_transfer_instructions",
    })
}

fn payment_error(intent: &Intent, decline: Decline) -> Value {
    json!({
        "charge": intent.latest_charge,
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.message,
        "type": if decline.decline_code.is_some() { "card_error" } else { "invalid_request_error" },
    })
}

//! A payment intent as JSON.

use serde_json::{Value, json};

use super::super::objects::{Decline, Intent, Scene};
use super::{metadata, with_nulls};

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
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
];

/// The intent as it is now.
pub(in crate::dev::stories) fn intent(scene: &Scene, intent: &Intent) -> Value {
    let method = scene.method.kind();
    let attempted = intent.latest_charge.is_some() && intent.last_payment_error.is_none();
    let object = json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": scene.cast.amount.minor(),
        "amount_capturable": intent.amount_capturable,
        "amount_details": { "tip": {} },
        "amount_received": intent.amount_received,
        "canceled_at": intent.cancellation.map(|it| it.at),
        "cancellation_reason": intent.cancellation.map(|it| it.reason),
        "capture_method": intent.capture_method,
        "client_secret": intent.secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": scene.cast.currency,
        "customer": scene.customer_id,
        "description": format!("Order {}", scene.cast.order_id),
        "last_payment_error": intent.last_payment_error.map(|it| payment_error(intent, it)),
        "latest_charge": intent.latest_charge,
        "livemode": scene.cast.livemode,
        "metadata": metadata(scene),
        "next_action": (intent.status == "requires_action").then(|| next_action(scene)),
        "payment_method": attempted.then_some(&scene.payment_method_id),
        "payment_method_options": { method: {} },
        "payment_method_types": [method],
        "receipt_email": scene.buyer.email,
        "status": intent.status,
    });
    with_nulls(object, NULL_FIELDS)
}

/// Where the buyer is to send the money.
fn next_action(scene: &Scene) -> Value {
    json!({
        "display_bank_transfer_instructions": {
            "amount_remaining": scene.cast.amount.minor(),
            "currency": scene.cast.currency,
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

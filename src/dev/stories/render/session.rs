//! A checkout session as JSON.

use serde_json::{Value, json};

use super::super::life::days;
use super::super::objects::{Intent, Scene, Session};
use super::{address, metadata, with_nulls};

const NULL_FIELDS: &[&str] = &[
    "after_expiration",
    "allow_promotion_codes",
    "billing_address_collection",
    "client_reference_id",
    "client_secret",
    "collected_information",
    "consent",
    "consent_collection",
    "currency_conversion",
    "customer_account",
    "customer_email",
    "invoice",
    "locale",
    "origin_context",
    "payment_link",
    "payment_method_configuration_details",
    "permissions",
    "recovered_from",
    "saved_payment_method_options",
    "setup_intent",
    "shipping_address_collection",
    "shipping_cost",
    "submit_type",
    "subscription",
    "url",
    "wallet_options",
];

/// The session as it is now.
pub(in crate::dev::stories) fn session(scene: &Scene, session: &Session, intent: &Intent) -> Value {
    let amount = scene.cast.amount.minor();
    let method = scene.method.kind();
    let object = json!({
        "id": session.id,
        "object": "checkout.session",
        "adaptive_pricing": { "enabled": false },
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "cancel_url": "https://shop.example.com/basket",
        "created": session.created,
        "currency": scene.cast.currency,
        "custom_fields": [],
        "custom_text": custom_text(),
        "customer": scene.customer_id,
        "customer_creation": "always",
        "customer_details": customer_details(scene),
        "discounts": [],
        "expires_at": session.created + days(1),
        "invoice_creation": { "enabled": false },
        "livemode": scene.cast.livemode,
        "metadata": metadata(scene),
        "mode": "payment",
        "payment_intent": intent.id,
        "payment_method_collection": "if_required",
        "payment_method_options": { method: {} },
        "payment_method_types": [method],
        "payment_status": session.payment_status,
        "phone_number_collection": { "enabled": false },
        "shipping_options": [],
        "status": session.status,
        "success_url": "https://shop.example.com/thanks",
        "total_details": { "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 },
        "ui_mode": "hosted",
    });
    with_nulls(object, NULL_FIELDS)
}

fn custom_text() -> Value {
    let fields = ["after_submit", "shipping_address", "submit", "terms_of_service_acceptance"];
    with_nulls(json!({}), &fields)
}

fn customer_details(scene: &Scene) -> Value {
    json!({
        "address": address(scene),
        "business_name": null,
        "email": scene.buyer.email,
        "individual_name": null,
        "name": scene.buyer.name,
        "phone": null,
        "tax_exempt": "none",
        "tax_ids": [],
    })
}

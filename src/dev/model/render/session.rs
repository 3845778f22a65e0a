//! A checkout session as JSON.

use serde_json::{Value, json};

use super::super::Account;
use super::super::objects::Session;
use super::super::people::Buyer;
use super::{DAY, address, with_nulls};

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
pub(in crate::dev::model) fn session(account: &Account, session: &Session) -> Value {
    let purchase = &session.purchase;
    let amount = purchase.amount;
    let method = account.method_of(purchase).kind();
    let object = json!({
        "id": session.id,
        "object": "checkout.session",
        "adaptive_pricing": { "enabled": false },
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": { "enabled": false, "liability": null, "provider": null, "status": null },
        "cancel_url": "https://shop.example.com/basket",
        "created": session.created,
        "currency": purchase.currency,
        "custom_fields": [],
        "custom_text": custom_text(),
        "customer": purchase.customer,
        "customer_creation": "always",
        "customer_details": customer_details(account.buyer_of(purchase)),
        "discounts": [],
        "expires_at": session.created + DAY,
        "invoice_creation": { "enabled": false },
        "livemode": account.livemode,
        "metadata": purchase.metadata,
        "mode": "payment",
        "payment_intent": session.payment_intent,
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

fn customer_details(buyer: &Buyer) -> Value {
    json!({
        "address": address(buyer),
        "business_name": null,
        "email": buyer.email,
        "individual_name": null,
        "name": buyer.name,
        "phone": null,
        "tax_exempt": "none",
        "tax_ids": [],
    })
}

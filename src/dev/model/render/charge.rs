//! A charge as JSON.

use serde_json::{Value, json};

use super::super::Account;
use super::super::objects::{Charge, Purchase};
use super::super::people::{Card, Method};
use super::connect::shown_by_charge;
use super::{address, with, with_nulls};

const NULL_FIELDS: &[&str] = &[
    "application",
    "application_fee",
    "application_fee_amount",
    "failure_balance_transaction",
    "on_behalf_of",
    "receipt_number",
    "review",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
];

const NULL_CARD_FIELDS: &[&str] = &[
    "amount_authorized",
    "authorization_code",
    "installments",
    "mandate",
    "network_transaction_id",
    "regulated_status",
    "three_d_secure",
    "transaction_link_id",
    "wallet",
];

/// The charge as it is now.
pub(in crate::dev::model) fn charge(account: &Account, charge: &Charge) -> Value {
    let purchase = &charge.purchase;
    let amount = purchase.amount;
    let succeeded = charge.status == "succeeded";
    let object = json!({
        "id": charge.id,
        "object": "charge",
        "amount": amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "balance_transaction": charge.balance_transaction,
        "billing_details": billing_details(account, purchase),
        "calculated_statement_descriptor": "PELICAN GOODS",
        "captured": charge.captured,
        "created": charge.created,
        "currency": purchase.currency,
        "customer": purchase.customer,
        "description": purchase.description,
        "disputed": charge.disputed,
        "failure_code": charge.decline.map(|it| it.code),
        "failure_message": charge.decline.map(|it| it.message),
        "fraud_details": {},
        "livemode": account.livemode,
        "metadata": purchase.metadata,
        "outcome": outcome(charge),
        "paid": succeeded,
        "payment_intent": charge.payment_intent,
        "payment_method": purchase.payment_method,
        "payment_method_details": payment_method_details(account.method_of(purchase), amount),
        "radar_options": {},
        "receipt_email": account.buyer_of(purchase).email,
        "receipt_url": succeeded.then(|| receipt_url(charge)),
        "refunded": charge.amount_refunded == amount,
        "shipping": purchase.shipping,
        "status": charge.status,
    });
    with(with_nulls(object, NULL_FIELDS), shown_by_charge(charge))
}

fn billing_details(account: &Account, purchase: &Purchase) -> Value {
    let buyer = account.buyer_of(purchase);
    json!({
        "address": address(buyer),
        "email": buyer.email,
        "name": buyer.name,
        "phone": null,
        "tax_id": null,
    })
}

fn outcome(charge: &Charge) -> Value {
    let (network_status, kind, seller_message) = match charge.status {
        "failed" => ("declined_by_network", "issuer_declined", "The bank declined the payment."),
        "pending" => ("approved_by_network", "authorized", "Payment pending."),
        _ => ("approved_by_network", "authorized", "Payment complete."),
    };
    json!({
        "advice_code": null,
        "network_advice_code": null,
        "network_decline_code": null,
        "network_status": network_status,
        "reason": charge.decline.and_then(|it| it.decline_code),
        "risk_level": "normal",
        "risk_score": 17,
        "seller_message": seller_message,
        "type": kind,
    })
}

fn payment_method_details(method: Method, amount: i64) -> Value {
    match method {
        Method::Card(card) => json!({ "card": card_details(card, amount), "type": "card" }),
        Method::SepaDebit => json!({ "sepa_debit": debit_details(), "type": "sepa_debit" }),
        Method::UsBankAccount => json!({ "us_bank_account": ach_details(), "type": "us_bank_account" }),
        Method::BankTransfer => json!({ "customer_balance": {}, "type": "customer_balance" }),
        Method::Klarna => json!({
            "klarna": { "payment_method_category": "pay_later", "preferred_locale": "en-IE" },
            "type": "klarna",
        }),
    }
}

fn card_details(card: Card, amount: i64) -> Value {
    let details = json!({
        "brand": card.brand,
        "checks": {
            "address_line1_check": "pass",
            "address_postal_code_check": "pass",
            "cvc_check": "pass",
        },
        "country": card.country,
        "exp_month": 11,
        "exp_year": 2031,
        "extended_authorization": { "status": "disabled" },
        "fingerprint": "Wq7pZ2hTn0cVb8Ke",
        "funding": "credit",
        "incremental_authorization": { "status": "unavailable" },
        "last4": card.last4,
        "multicapture": { "status": "unavailable" },
        "network": card.brand,
        "network_token": { "used": false },
        "overcapture": { "maximum_amount_capturable": amount, "status": "unavailable" },
    });
    with_nulls(details, NULL_CARD_FIELDS)
}

fn debit_details() -> Value {
    json!({
        "bank_code": "37040044",
        "branch_code": "",
        "country": "DE",
        "expected_debit_date": null,
        "fingerprint": "Lk3xYd9Gm5RtQa1U",
        "last4": "3100",
        "mandate": null,
    })
}

fn ach_details() -> Value {
    json!({
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "expected_debit_date": null,
        "fingerprint": "Fh2sTq8Vn4ZpEw7C",
        "last4": "6789",
        "mandate": null,
        "payment_reference": null,
        "routing_number": "110000000",
    })
}

fn receipt_url(charge: &Charge) -> String {
    format!("https://pay.stripe.com/receipts/payment/{}", charge.id)
}

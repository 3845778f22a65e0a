//! Transfers and application fees as JSON, and what charges and intents show of them.

use serde_json::{Value, json};

use super::super::objects::{ApplicationFee, Charge, Purchase, Transfer};
use super::super::{Account, Id};
use super::with_nulls;

/// The transfer as it is now.
pub(in crate::dev::model) fn transfer(account: &Account, transfer: &Transfer) -> Value {
    let charge = account.get(&transfer.charge);
    let object = json!({
        "id": transfer.id,
        "object": "transfer",
        "amount": transfer.amount,
        "amount_reversed": transfer.amount_reversed,
        "created": transfer.created,
        "currency": charge.purchase.currency,
        "destination": transfer.destination,
        "livemode": account.livemode,
        "metadata": {},
        "reversed": transfer.amount_reversed == transfer.amount,
        "source_transaction": transfer.charge,
        "source_type": "card",
        "transfer_group": transfer_group(charge),
    });
    with_nulls(object, &["balance_transaction", "description", "destination_payment"])
}

/// The platform's fee as it is now.
pub(in crate::dev::model) fn application_fee(account: &Account, fee: &ApplicationFee) -> Value {
    let Purchase { currency, share, .. } = &account.get(&fee.charge).purchase;
    let object = json!({
        "id": fee.id,
        "object": "application_fee",
        "account": share.destination.as_ref().or(account.connected.as_ref()),
        "amount": fee.amount,
        "amount_refunded": fee.amount_refunded,
        "application": "ca_double",
        "charge": fee.charge,
        "created": fee.created,
        "currency": currency,
        "fee_source": { "charge": fee.charge, "type": "charge" },
        "livemode": account.livemode,
        "refunded": fee.amount_refunded == fee.amount,
    });
    with_nulls(object, &["balance_transaction", "originating_transaction"])
}

/// What a charge shows of its transfer and fee; nothing if it has neither.
pub(super) fn shown_by_charge(charge: &Charge) -> Vec<(&'static str, Value)> {
    let share = &charge.purchase.share;
    let fee = charge.application_fee.as_ref().map(|fee| ("application_fee", json!(fee)));
    let transfer = charge.transfer.as_ref().map(|transfer| ("transfer", json!(transfer)));
    let group = share.destination.as_ref().map(|_| ("transfer_group", json!(transfer_group(charge))));
    let destination = share.destination.as_ref().map(|destination| ("destination", json!(destination)));
    shown_by_intent(&charge.purchase)
        .into_iter()
        .chain([fee, transfer, group, destination].into_iter().flatten())
        .collect()
}

/// What an intent shows of the transfer and fee that are to be.
pub(super) fn shown_by_intent(purchase: &Purchase) -> Vec<(&'static str, Value)> {
    let share = &purchase.share;
    let data = share
        .destination
        .as_ref()
        .map(|destination| ("transfer_data", json!({ "amount": share.transfer_amount, "destination": destination })));
    let fee = share.application_fee.map(|fee| ("application_fee_amount", json!(fee)));
    data.into_iter().chain(fee).collect()
}

fn transfer_group(charge: &Charge) -> String {
    let id = charge.payment_intent.as_ref().map_or(charge.id.as_str(), Id::as_str);
    format!("group_{id}")
}

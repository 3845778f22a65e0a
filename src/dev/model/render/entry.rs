//! An entry of the balance as JSON: what a charge brought in or a refund took out.

use serde_json::{Value, json};

use super::super::Account;
use super::super::objects::{Charge, Refund};

/// The entry with this id, if a charge or a refund made it.
pub(in crate::dev::model) fn entry(account: &Account, id: &str) -> Option<Value> {
    let of_charge = account.list::<Charge>().find(|charge| charge.balance_transaction.as_deref() == Some(id));
    of_charge.map(|charge| payment(id, charge)).or_else(|| {
        account.list::<Refund>().find_map(|refund| {
            let currency = &account.get(&refund.charge).purchase.currency;
            let (kind, amount) = if refund.balance_transaction.as_deref() == Some(id) {
                ("refund", -refund.amount)
            } else if refund.failure_balance_transaction.as_deref() == Some(id) {
                ("refund_failure", refund.amount)
            } else {
                return None;
            };
            Some(show(id, refund.created, currency, (kind, refund.id.as_str()), (amount, 0)))
        })
    })
}

fn payment(id: &str, charge: &Charge) -> Value {
    let amount = charge.amount_captured;
    // What Stripe takes for a European card.
    let fee = amount * 15 / 1_000 + 25;
    let created = charge.captured_at.unwrap_or(charge.created);
    show(id, created, &charge.purchase.currency, ("charge", charge.id.as_str()), (amount, fee))
}

fn show(id: &str, created: i64, currency: &str, (kind, source): (&str, &str), (amount, fee): (i64, i64)) -> Value {
    json!({
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": currency,
        "description": null,
        "exchange_rate": null,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source,
        "status": "available",
        "type": kind,
    })
}

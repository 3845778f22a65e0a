//! The entries of the balance as JSON: what charges brought in, and what refunds and disputes took out or gave back.

use serde_json::{Value, json};

use super::super::Account;
use super::super::objects::{Charge, Dispute, Entry, Refund};
use super::dispute;

/// One entry of the balance, with the object that made it.
#[derive(Debug, Clone, Copy)]
pub enum Line<'a> {
    /// A charge was captured.
    Payment(&'a Charge),
    /// A refund went out.
    Refund(&'a Refund),
    /// A refund came back.
    Failure(&'a Refund),
    /// A dispute withdrew or reinstated money.
    Dispute(&'a Dispute, &'a Entry),
}

/// All entries, of charges first, then of refunds and disputes.
pub(in crate::dev::model) fn lines(account: &Account) -> impl Iterator<Item = Line<'_>> {
    let charges = account.list::<Charge>().filter(|charge| charge.balance_transaction.is_some());
    let refunds = account.list::<Refund>().flat_map(|refund| {
        let out = refund.balance_transaction.is_some().then_some(Line::Refund(refund));
        out.into_iter().chain(refund.failure_balance_transaction.is_some().then_some(Line::Failure(refund)))
    });
    let of_dispute = |dispute| move |entry| Line::Dispute(dispute, entry);
    let disputes = account.list::<Dispute>().flat_map(move |it| it.entries.iter().map(of_dispute(it)));
    charges.map(Line::Payment).chain(refunds).chain(disputes)
}

impl<'a> Line<'a> {
    /// Its id.
    #[must_use]
    pub fn id(self) -> &'a str {
        match self {
            Self::Payment(charge) => charge.balance_transaction.as_deref(),
            Self::Refund(refund) => refund.balance_transaction.as_deref(),
            Self::Failure(refund) => refund.failure_balance_transaction.as_deref(),
            Self::Dispute(_, entry) => Some(entry.id.as_str()),
        }
        .unwrap_or_default()
    }

    /// When it was made, in unix seconds.
    #[must_use]
    pub fn created(self) -> i64 {
        match self {
            Self::Payment(charge) => charge.captured_at.unwrap_or(charge.created),
            Self::Refund(refund) => refund.entered_at.unwrap_or(refund.created),
            Self::Failure(refund) => refund.failed_at.unwrap_or(refund.created),
            Self::Dispute(_, entry) => entry.created,
        }
    }

    /// It as Stripe's JSON.
    #[must_use]
    pub fn render(self, account: &Account) -> Value {
        match self {
            Self::Payment(charge) => {
                // What Stripe takes for a European card.
                let fee = charge.amount_captured * 15 / 1_000 + 25;
                let amount = charge.amount_captured + charge.amount_released;
                self.show(charge, charge.id.as_str(), (amount, fee))
            }
            Self::Refund(refund) => self.show(account.get(&refund.charge), refund.id.as_str(), (-refund.amount, 0)),
            Self::Failure(refund) => self.show(account.get(&refund.charge), refund.id.as_str(), (refund.amount, 0)),
            Self::Dispute(it, entry) => {
                dispute::balance_transaction(&account.get(&it.charge).purchase.currency, it, entry)
            }
        }
    }

    fn show(self, charge: &Charge, source: &str, (amount, fee): (i64, i64)) -> Value {
        let category = match self {
            Self::Payment(_) => "charge",
            Self::Refund(_) => "refund",
            Self::Failure(_) => "refund_failure",
            Self::Dispute(..) => "dispute",
        };
        json!({
            "id": self.id(),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": self.created(),
            "balance_type": "payments",
            "created": self.created(),
            "currency": charge.purchase.currency,
            "description": null,
            "exchange_rate": null,
            "fee": fee,
            "fee_details": [],
            "net": amount - fee,
            "reporting_category": category,
            "source": source,
            "status": "available",
            "type": kind(category, charge.id.as_str()),
        })
    }
}

/// Entries of what was not paid by card have types of their own.
fn kind<'a>(category: &'a str, charge: &str) -> &'a str {
    match category {
        "charge" if charge.starts_with("py_") => "payment",
        "refund" if charge.starts_with("py_") => "payment_refund",
        "refund_failure" if charge.starts_with("py_") => "payment_failure_refund",
        other => other,
    }
}

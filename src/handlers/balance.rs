//! Balance transactions: of disputes, and of charges where they are expanded.

use super::origin::Origin;
use crate::domain::BalanceEntry;
use crate::stripe::object::{FieldError, Object};

/// Reads a balance transaction, and its id (docs.stripe.com/api/balance_transactions).
pub(super) fn entry(origin: &Origin, entry: &Object) -> Result<(String, BalanceEntry), FieldError> {
    let balance = BalanceEntry {
        // Not the event's time: the same entry, shown elsewhere with its own time, must win over this one.
        created: origin.lenient(entry.optional_time("created")).unwrap_or(0),
        amount: entry.optional_integer("amount")?.ok_or_else(|| entry.wrong("amount", "is missing"))?,
        fee: origin.lenient(entry.optional_integer("fee")).unwrap_or(0),
        currency: entry.currency("currency")?,
        exchange_rate: origin.lenient(entry.optional_rate("exchange_rate")),
    };
    Ok((entry.id("id")?, balance))
}

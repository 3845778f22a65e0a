//! Dates, amounts and names as evidence writes them.

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::domain::currency;

/// Unix seconds as `2 March 2026`, in UTC. None for a time that no calendar has.
pub(super) fn date(at: i64) -> Option<String> {
    Some(day(OffsetDateTime::from_unix_timestamp(at).ok()?.date()))
}

/// `2 March 2026`.
pub(super) fn day(date: time::Date) -> String {
    date.format(format_description!("[day padding:none] [month repr:long] [year]")).unwrap_or_default()
}

/// Minor units as `12.00 EUR`, by the decimals of the currency.
pub(super) fn amount(minor: i64, currency: &str) -> String {
    currency::major(minor, Some(currency))
}

/// One line of at most `longest` characters, without angle brackets: they would look like a placeholder.
pub(super) fn line(text: &str, longest: usize) -> String {
    let plain: String = text.chars().filter(|c| !matches!(c, '<' | '>')).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= longest {
        return words;
    }
    let cut: String = words.chars().take(longest.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// The parts of an address of Stripe's on one line, with a name before them. None without a street: a city alone is no
/// address.
pub(super) fn address(name: Option<&str>, address: &Value) -> Option<String> {
    let part = |field: &str| address.get(field).and_then(Value::as_str).map(str::trim).filter(|part| !part.is_empty());
    let street = part("line1")?;
    let parts = [name, Some(street), part("line2"), part("postal_code"), part("city"), part("state"), part("country")];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

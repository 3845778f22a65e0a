//! Stub.

/// `1200` and `eur` is `12.00 EUR`.
#[must_use]
pub fn major(minor: i64, currency: Option<&str>) -> String {
    format!("{minor} {}", currency.unwrap_or_default().to_uppercase())
}

//! The limits of card networks, and of Stripe, that the ratio of disputes to payments is measured against. Pure.

use serde::Serialize;

use crate::store::queries::Ratio;

/// A limit of a card network, or of Stripe.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limit {
    /// Its name.
    pub programme: &'static str,
    /// The network it applies to; none: all of them.
    pub card_brand: Option<&'static str>,
    /// Cases in a month, from which it applies; none: from the first.
    pub cases: Option<i64>,
    /// Ratio from which it applies, together with `cases`.
    pub ratio: f64,
    /// The day from which it holds; none where Stripe publishes none.
    pub since: Option<&'static str>,
}

/// Every limit. Check them when a network announces a change (docs.stripe.com/disputes/monitoring-programs).
pub const LIMITS: &[Limit] = &[
    Limit { programme: "Stripe", card_brand: None, cases: None, ratio: 0.007_5, since: None },
    Limit {
        programme: "Visa VAMP",
        card_brand: Some("visa"),
        cases: Some(1_500),
        ratio: 0.015,
        since: Some("2026-04-01"),
    },
    Limit {
        programme: "Mastercard ECM",
        card_brand: Some("mastercard"),
        cases: Some(100),
        ratio: 0.015,
        since: Some("2019-10-01"),
    },
];

/// The limits that are about a month of this network.
pub fn of(row: &Ratio) -> impl Iterator<Item = &'static Limit> {
    LIMITS.iter().filter(|limit| limit.card_brand.is_none_or(|brand| brand == row.card_brand))
}

/// The limits that a month is at or above.
pub fn reached(row: &Ratio) -> impl Iterator<Item = &'static Limit> {
    of(row).filter(|limit| {
        limit.cases.is_none_or(|least| cases(row) >= least) && row.ratio.is_some_and(|ratio| ratio >= limit.ratio)
    })
}

/// The cases of a month, as its network counts them: Mastercard counts no early fraud warnings.
#[must_use]
pub fn cases(row: &Ratio) -> i64 {
    match row.card_brand.as_str() {
        "mastercard" => row.disputes,
        _ => row.disputes + row.fraud_warnings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month_of(card_brand: &str, disputes: i64, fraud_warnings: i64, ratio: f64) -> Ratio {
        Ratio {
            month: "2026-11-01".to_owned(),
            account: None,
            livemode: true,
            card_brand: card_brand.to_owned(),
            charges: 1,
            disputes,
            fraud_warnings,
            ratio: Some(ratio),
        }
    }

    #[test]
    fn a_limit_is_reached_by_its_number_of_cases_and_its_ratio_together() {
        for (row, names) in [
            (month_of("visa", 1_000, 500, 0.015), vec!["Stripe", "Visa VAMP"]),
            (month_of("visa", 1_000, 499, 0.015), vec!["Stripe"]),
            (month_of("visa", 1_000, 500, 0.014_9), vec!["Stripe"]),
            (month_of("mastercard", 100, 0, 0.015), vec!["Stripe", "Mastercard ECM"]),
            (month_of("mastercard", 99, 10, 0.015), vec!["Stripe"]),
            (month_of("amex", 1, 0, 0.007_5), vec!["Stripe"]),
            (month_of("amex", 1, 0, 0.007_4), vec![]),
        ] {
            let found: Vec<_> = reached(&row).map(|limit| limit.programme).collect();
            assert_eq!(found, names, "{row:?}");
        }
    }
}

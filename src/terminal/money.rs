//! Amounts in major units, by the decimals that Stripe's API gives each currency. Computes nothing.

/// One unit of these is the smallest. Not in the list although ISO counts no decimals: ISK and UGX, which Stripe takes
/// with two for compatibility. HUF and TWD are without decimals in payouts only.
const ZERO_DECIMAL: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
const THREE_DECIMAL: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];

/// `1200` and `eur` is `12.00 EUR`. An amount whose currency is not known stays in minor units, and says so.
pub(crate) fn major(minor: i64, currency: Option<&str>) -> String {
    let Some(currency) = currency else { return format!("{minor} minor units") };
    let code = currency.to_uppercase();
    let decimals = decimals(currency);
    if decimals == 0 {
        return format!("{minor} {code}");
    }
    let (unit, sign) = (10_u64.pow(decimals), if minor < 0 { "-" } else { "" });
    let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    format!("{sign}{whole}.{part:0width$} {code}", width = decimals as usize)
}

fn decimals(currency: &str) -> u32 {
    if ZERO_DECIMAL.contains(&currency) {
        0
    } else if THREE_DECIMAL.contains(&currency) {
        3
    } else {
        2
    }
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn an_amount_has_the_decimals_of_its_currency() {
        for (minor, currency, text) in [
            (1_200, "eur", "12.00 EUR"),
            (5, "usd", "0.05 USD"),
            (-1_234, "usd", "-12.34 USD"),
            (500, "jpy", "500 JPY"),
            (5_120, "kwd", "5.120 KWD"),
            (500, "isk", "5.00 ISK"),
            (500, "ugx", "5.00 UGX"),
            (1_045, "huf", "10.45 HUF"),
            (80_000, "twd", "800.00 TWD"),
            (i64::MIN, "eur", "-92233720368547758.08 EUR"),
        ] {
            assert_eq!(major(minor, Some(currency)), text);
        }
        assert_eq!(major(1_200, None), "1200 minor units");
    }
}

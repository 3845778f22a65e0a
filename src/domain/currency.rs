//! Amounts in major units, by the decimals that Stripe's API gives each currency: printed, and read as people type them.
//!
//! Not ISO 4217's decimals: Stripe counts ISK and UGX with two for compatibility, and HUF and TWD are without decimals in
//! payouts only. Computes nothing, and uses no floating point.

/// One unit of these is the smallest.
const ZERO_DECIMAL: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
/// A thousandth of these is the smallest unit, and Stripe takes whole hundredths only.
const THREE_DECIMAL: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// With two decimals at Stripe, which must be zero.
const WHOLE_ONLY: [&str; 2] = ["isk", "ugx"];

/// Between groups of three digits, and before the code: plain, not breaking, narrow and not breaking.
const SPACES: [char; 3] = [' ', '\u{a0}', '\u{202f}'];

/// Why a text is not an amount in a currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    /// It is not written as an amount.
    #[error("not an amount in {code}: write it like {example}")]
    Malformed {
        /// The currency, in upper case.
        code: String,
        /// An amount in that currency.
        example: &'static str,
    },
    /// More than 64 bits hold.
    #[error("the amount is too large")]
    TooLarge,
    /// Stripe takes whole amounts of this currency only.
    #[error("{code} amounts are whole: write it like 12.00")]
    NotWhole {
        /// The currency, in upper case.
        code: String,
    },
    /// Stripe takes no third decimal but 0 of this currency.
    #[error("{code} amounts end in 0: write it like 12.340")]
    NotHundredths {
        /// The currency, in upper case.
        code: String,
    },
}

/// How many decimals amounts of a currency have at Stripe; `currency` is a lower-case ISO code, unknown ones have two.
#[must_use]
pub fn decimals(currency: &str) -> u32 {
    if ZERO_DECIMAL.contains(&currency) {
        0
    } else if THREE_DECIMAL.contains(&currency) {
        3
    } else {
        2
    }
}

/// `1200` and `eur` is `12.00 EUR`. An amount whose currency is not known stays in minor units, and says so.
#[must_use]
pub fn major(minor: i64, currency: Option<&str>) -> String {
    let Some(currency) = currency else { return format!("{minor} minor units") };
    format!("{} {}", number(minor, currency), currency.to_uppercase())
}

/// `1200` and `eur` is `12.00`, as [`parse`] reads it.
#[must_use]
pub fn number(minor: i64, currency: &str) -> String {
    let decimals = decimals(currency);
    if decimals == 0 {
        return minor.to_string();
    }
    let (unit, sign) = (10_u64.pow(decimals), if minor < 0 { "-" } else { "" });
    let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    format!("{sign}{whole}.{part:0width$}", width = decimals as usize)
}

/// Minor units of an amount as a person types it, or copies it from where it is printed: digits, and after one `.` or `,`
/// all decimals of the currency or none of it; or digits in groups of three, separated by spaces, with all decimals. The
/// currency's code may follow after a space.
///
/// # Errors
/// [`NotAnAmount`], for people: other thousands separators, signs, exponents and other digits than ASCII's are refused,
/// since a guess could be wrong by a factor of a thousand.
pub fn parse(text: &str, currency: &str) -> Result<i64, NotAnAmount> {
    let code = currency.to_uppercase();
    let minor = minor_units(without_code(text.trim(), &code), decimals(currency), &code)?;
    if WHOLE_ONLY.contains(&currency) && minor % 100 != 0 {
        return Err(NotAnAmount::NotWhole { code });
    }
    if THREE_DECIMAL.contains(&currency) && minor % 10 != 0 {
        return Err(NotAnAmount::NotHundredths { code });
    }
    Ok(minor)
}

fn without_code<'a>(text: &'a str, code: &str) -> &'a str {
    text.strip_suffix(code).and_then(|number| number.strip_suffix(SPACES)).unwrap_or(text)
}

fn minor_units(text: &str, decimals: u32, code: &str) -> Result<i64, NotAnAmount> {
    let (whole, part) = match text.split_once(['.', ',']) {
        Some((whole, part)) => (whole, Some(part)),
        None => (text, None),
    };
    let is_complete = |part: &str| is_digits(part) && part.len() == decimals as usize;
    let is_whole = is_digits(whole) || (is_grouped(whole) && (part.is_some() || decimals == 0));
    if !is_whole || !part.is_none_or(is_complete) {
        return Err(NotAnAmount::Malformed { code: code.to_owned(), example: example(decimals) });
    }
    let zeros = "0".repeat(decimals as usize);
    // Digits only: the one thing that can be wrong is the size.
    let digits = format!("{}{}", whole.replace(SPACES, ""), part.unwrap_or(&zeros));
    digits.parse().map_err(|_| NotAnAmount::TooLarge)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether digits are in groups of three, as they are printed: `1 234 567`.
fn is_grouped(text: &str) -> bool {
    let mut groups = text.split(SPACES);
    let first = groups.next().unwrap_or_default();
    is_digits(first)
        && first.len() <= 3
        && !first.starts_with('0')
        && groups.all(|group| is_digits(group) && group.len() == 3)
}

fn example(decimals: u32) -> &'static str {
    match decimals {
        0 => "1234",
        3 => "12.340",
        _ => "12.34",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn an_amount_is_read_with_all_its_decimals_or_none() {
        for (text, currency, minor) in [
            ("12.34", "eur", 1_234),
            ("12,34", "eur", 1_234),
            ("12", "eur", 1_200),
            (" 0012.00 ", "eur", 1_200),
            ("0.01", "usd", 1),
            ("1234", "jpy", 1_234),
            ("1.230", "kwd", 1_230),
            ("1", "kwd", 1_000),
            ("12", "isk", 1_200),
            ("12.00", "ugx", 1_200),
            ("92233720368547758.07", "eur", i64::MAX),
            ("1 134.06", "eur", 113_406),
            ("1 134,06 EUR", "eur", 113_406),
            ("12.34 EUR", "eur", 1_234),
            ("1\u{a0}234\u{202f}567\u{202f}JPY", "jpy", 1_234_567),
        ] {
            assert_eq!(parse(text, currency), Ok(minor), "{text} {currency}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in [
            "",
            " ",
            "1,234",
            "1.5",
            "12.345",
            "-1",
            "+1",
            "1e3",
            "1.",
            ".50",
            "1 000",
            "1.000,00",
            "1'000",
            "٣",
            "１２",
            "€5",
            "0x10",
            "1.2.3",
            "1 34.06",
            "12 34.00",
            "1134 060.00",
            "0 134.06",
            "1  134.06",
            "1 134.06 USD",
            "1 134.06 eur",
            "12.34EUR",
            "EUR",
            "EUR 12.34",
            "12.3 4",
            "1\t134.06",
            "1,134.06",
            "1 134. 06",
        ] {
            let error = parse(text, "eur").expect_err(text).to_string();
            assert_eq!(error, "not an amount in EUR: write it like 12.34", "{text}");
        }
        for (text, currency, sentence) in [
            ("12.34", "jpy", "not an amount in JPY: write it like 1234"),
            ("12.34", "kwd", "not an amount in KWD: write it like 12.340"),
            ("12.345", "kwd", "KWD amounts end in 0: write it like 12.340"),
            ("12.50", "isk", "ISK amounts are whole: write it like 12.00"),
            ("0.01", "ugx", "UGX amounts are whole: write it like 12.00"),
            ("92233720368547758.08", "eur", "the amount is too large"),
            ("99999999999999999999999", "jpy", "the amount is too large"),
        ] {
            assert_eq!(parse(text, currency).expect_err(text).to_string(), sentence, "{text} {currency}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same_amount(minor in 0..=i64::MAX, index in 0..5_usize) {
            let (currency, step) = [("eur", 1), ("jpy", 1), ("kwd", 10), ("isk", 100), ("ugx", 100)][index];
            let minor = minor / step * step;
            prop_assert_eq!(parse(&number(minor, currency), currency), Ok(minor));
        }

        #[test]
        fn no_text_is_read_as_another_amount(text in "[0-9 .,eE+-]{0,12}", index in 0..3_usize) {
            let currency = ["eur", "jpy", "kwd"][index];
            if let Ok(minor) = parse(&text, currency) {
                let printed = number(minor, currency);
                let typed = text.trim().replace(',', ".").replace(' ', "");
                let typed = typed.trim_start_matches('0');
                let whole = printed.split('.').next().unwrap_or_default();
                prop_assert!(typed == printed.trim_start_matches('0') || typed == whole.trim_start_matches('0'), "{text}: {printed}");
            }
        }
    }
}

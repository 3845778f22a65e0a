//! What the merchant decided beforehand about disputes.

use std::time::Duration;

use crate::evidence;
use crate::store::desk::Wanted;

/// How long before the deadline Stripe may respond by itself again, where complete drafts are not submitted automatically.
const RESPOND_BEFORE: Duration = Duration::from_secs(12 * 3_600);

/// What the desk does by itself. By default nothing but counting pages and staging complete drafts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Begin a draft when a dispute arrives.
    pub draft: bool,
    /// Submit a complete draft this long before its deadline.
    pub submit: Option<Duration>,
    /// Accept chargebacks of these reasons below these amounts.
    pub accept: Vec<Limit>,
    /// What drafts are filled in from.
    pub evidence: evidence::Policy,
}

/// Disputes of a reason are accepted below this amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Stripe's reason.
    pub reason: String,
    /// In minor units of `currency`.
    pub below: i64,
    /// The settlement currency, a lower-case ISO code.
    pub currency: String,
}

impl Limit {
    /// Reads a limit such as `duplicate=1000eur`: a reason, and an amount in minor units with its currency.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a reason and an amount in minor units, such as duplicate=1000eur".to_owned();
        let (reason, amount) = text.trim().split_once('=').ok_or_else(expected)?;
        let at = amount.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?;
        let (below, currency) = amount.split_at(at);
        let below = below.parse().map_err(|_| expected())?;
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !is_word(reason) || currency.len() != 3 || !is_word(currency) || below < 1 {
            return Err(expected());
        }
        Ok(Self { reason: reason.to_owned(), below, currency: currency.to_owned() })
    }
}

impl Policy {
    /// How long before the deadline Stripe may respond by itself again: when ours would have been submitted.
    #[must_use]
    pub fn respond_before(&self) -> Duration {
        self.submit.unwrap_or(RESPOND_BEFORE)
    }

    /// The policy as the query needs it.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        let limit = |limit: &Limit| (limit.reason.clone(), limit.below, limit.currency.clone());
        Wanted {
            draft: self.draft,
            submit_before: self.submit.map(|before| before.as_secs_f64()),
            respond_before: self.respond_before().as_secs_f64(),
            accept: self.accept.iter().map(limit).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn a_limit_is_a_reason_and_an_amount_with_its_currency() {
        let limit = Limit { reason: "product_not_received".to_owned(), below: 1000, currency: "eur".to_owned() };
        assert_eq!(Limit::parse(" product_not_received=1000eur"), Ok(limit));
        for text in [
            "",
            "duplicate",
            "duplicate=",
            "duplicate=10",
            "duplicate=eur",
            "duplicate=0eur",
            "=10eur",
            "duplicate=10EUR",
            "duplicate=10.00eur",
            "duplicate=-10eur",
            "Duplicate=10eur",
        ] {
            assert!(Limit::parse(text).is_err(), "{text}");
        }
    }
}

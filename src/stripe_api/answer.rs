//! An answer of Stripe's, and what its headers say.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Longest text that is kept of a header, in bytes.
const MAX_HEADER: usize = 255;
/// Longest wait that Stripe may ask for, in seconds.
const MAX_WAIT: u64 = 86_400;

/// An object that Stripe answered with.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) json: Box<RawValue>,
    /// The request's id at Stripe, `req_…`.
    pub request_id: Option<String>,
    /// Whether this call had an effect now.
    pub origin: Origin,
    /// The time of the answer by Stripe's clock, to the second.
    pub date: Option<OffsetDateTime>,
    /// How long the last try took, from sending the request to the end of the answer.
    pub took: Duration,
}

impl Answer {
    /// The object, as it was received.
    #[must_use]
    pub fn json(&self) -> &str {
        self.json.get()
    }

    /// The object, as it was received.
    #[must_use]
    pub fn into_json(self) -> Box<RawValue> {
        self.json
    }
}

/// Whether an answer is of this request or of an earlier one with the same idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Of this request.
    Fresh,
    /// Stored by Stripe, of an earlier one.
    Replayed,
}

/// What Stripe says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    Retry,
    Stop,
}

/// The headers of an answer that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) request_id: Option<String>,
    pub(super) replayed: Option<String>,
    pub(super) date: Option<OffsetDateTime>,
    pub(super) advice: Option<Advice>,
    pub(super) retry_after: Option<Duration>,
    pub(super) rate_limited_reason: Option<String>,
    pub(super) notice: Option<String>,
}

impl Head {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let text = |name: &'static str| text(headers, &HeaderName::from_static(name));
        Self {
            request_id: text("request-id"),
            replayed: text("idempotent-replayed"),
            date: text("date").and_then(|date| OffsetDateTime::parse(&date, &Rfc2822).ok()),
            advice: text("stripe-should-retry").and_then(|word| advice(&word)),
            retry_after: text("retry-after").and_then(|seconds| wait(&seconds)),
            rate_limited_reason: text("stripe-rate-limited-reason"),
            notice: text("stripe-notice"),
        }
    }

    pub(super) fn origin(&self) -> Origin {
        if self.replayed.as_deref() == Some("true") { Origin::Replayed } else { Origin::Fresh }
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.chars().take(MAX_HEADER).collect())
}

fn wait(seconds: &str) -> Option<Duration> {
    let seconds: u64 = seconds.parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_WAIT)))
}

fn advice(word: &str) -> Option<Advice> {
    match word {
        "true" => Some(Advice::Retry),
        "false" => Some(Advice::Stop),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn headers_are_read_and_odd_ones_passed_over() {
        let read = |pairs: &[(&'static str, &'static str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value")));
            Head::read(&headers.collect())
        };
        let head = read(&[
            ("request-id", "req_1"),
            ("idempotent-replayed", "true"),
            ("date", "Thu, 26 Nov 2026 09:12:55 GMT"),
            ("stripe-should-retry", "false"),
            ("retry-after", "3"),
            ("stripe-rate-limited-reason", "global-concurrency"),
        ]);
        assert_eq!((head.request_id.as_deref(), head.origin()), (Some("req_1"), Origin::Replayed));
        assert_eq!(head.date, Some(datetime!(2026-11-26 09:12:55 UTC)));
        assert_eq!((head.advice, head.retry_after), (Some(Advice::Stop), Some(Duration::from_secs(3))));
        assert_eq!(head.rate_limited_reason.as_deref(), Some("global-concurrency"));
        let long = read(&[("retry-after", "18446744073709551615")]);
        assert_eq!(long.retry_after, Some(Duration::from_secs(86_400)));
        let odd = read(&[("date", "soon"), ("stripe-should-retry", "maybe"), ("retry-after", "-1")]);
        assert_eq!(odd, Head::default());
    }
}

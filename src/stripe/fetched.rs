//! Events of our own for what was fetched: an object that Stripe answered with enters the ledger like Stripe's events.
//!
//! Pure. Not here: which objects are fetched, and when.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

/// The type of these events.
pub const FETCHED: &str = "clawback.fetched";

/// An object as Stripe answered with it.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    /// The connected account; none for the key's own.
    pub account: Option<&'a str>,
    /// The mode of the key.
    pub livemode: bool,
    /// When the answer was true, in unix seconds: see [`answered_at`].
    pub at: i64,
    /// The type of the thin event that led to it, which says what no field of the object does.
    pub thin_type: Option<&'a str>,
    /// The object, as received.
    pub object: &'a RawValue,
}

#[derive(Serialize)]
struct Event<'a> {
    id: &'a str,
    object: &'static str,
    #[serde(rename = "type")]
    event_type: &'static str,
    created: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    livemode: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thin_type: Option<&'a str>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    object: &'a RawValue,
}

impl Fetched<'_> {
    /// The body of the event. `event_id` must be unique.
    #[must_use]
    pub fn body(&self, event_id: &str) -> String {
        let Self { account, livemode, at: created, thin_type, object } = *self;
        let (event_type, data) = (FETCHED, Data { object });
        let event = Event { id: event_id, object: "event", event_type, created, account, livemode, thin_type, data };
        serde_json::to_string(&event).expect("text, numbers and JSON")
    }
}

/// When an answer was true by Stripe's clock, in unix seconds: the answer's `Date`, less the time the call took, less a
/// second, so that it never wins over an event that Stripe created while it answered. Never later than our own clock,
/// which also stands in for a missing `Date` (DESIGN 2.4, "Reading").
#[must_use]
pub fn answered_at(date: Option<OffsetDateTime>, took: Duration, now: i64) -> i64 {
    let took = i64::try_from(took.as_secs()).unwrap_or(i64::MAX).saturating_add(i64::from(took.subsec_nanos() > 0));
    date.map_or(now, |date| date.unix_timestamp().min(now)).saturating_sub(took).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_answer_is_dated_before_the_call_and_never_in_our_future() {
        let at = datetime!(2026-11-26 10:00:00 UTC);
        let (date, second) = (Some(at), at.unix_timestamp());
        assert_eq!(answered_at(date, Duration::from_millis(1_200), second + 90), second - 3);
        assert_eq!(answered_at(date, Duration::ZERO, second - 90), second - 91);
        assert_eq!(answered_at(None, Duration::from_secs(2), second), second - 3);
    }

    #[test]
    fn the_object_is_kept_as_it_was_received() {
        let object: &RawValue = serde_json::from_str(r#"{"id": "re_1",  "object":"refund"}"#).expect("JSON");
        let fetched = Fetched { account: None, livemode: true, at: 5, thin_type: Some("v1.charge.expired"), object };
        assert_eq!(
            fetched.body("evt_1"),
            r#"{"id":"evt_1","object":"event","type":"clawback.fetched","created":5,"livemode":true,"thin_type":"v1.charge.expired","data":{"object":{"id": "re_1",  "object":"refund"}}}"#
        );
    }
}

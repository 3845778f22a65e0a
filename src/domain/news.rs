//! Whether facts say anything new: what was fetched from Stripe is kept only if it does.
//!
//! When a thing was seen is no news by itself. It matters where something is derived from it, so what is derived is
//! compared as well.

use std::collections::BTreeSet;

use serde_json::Value;

use super::derive::{Derived, derive_with};
use super::facts::Facts;
use super::marks::Marks;

/// Whether `known` facts, joined with what was `seen`, hold another value or derive to anything else than before.
#[must_use]
pub fn is_news(known: &Facts, seen: Facts, marks: &Marks) -> bool {
    let mut joined = known.clone();
    joined.join(seen);
    values(known) != values(&joined) || derived(known.clone(), marks) != derived(joined, marks)
}

/// The facts without the time at which each was seen last.
fn values(facts: &Facts) -> Value {
    let mut values = serde_json::to_value(facts).expect("facts are JSON");
    drop_stamps(&mut values);
    values
}

/// Replaces what is a [`super::Latest`] by its value.
fn drop_stamps(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_stamps);
            if fields.len() == 2 && fields.contains_key("stamp") && fields.contains_key("value") {
                *json = fields.remove("value").unwrap_or_default();
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_stamps),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Kind, subject and round of a desired follow-up.
type Key = (&'static str, String, String);

/// What is derived from each payment, and which follow-ups are desired for it. Their times depend on when things were
/// seen.
fn derived(facts: Facts, marks: &Marks) -> Vec<(Derived, BTreeSet<Key>)> {
    let payments = facts.by_payment().into_iter().map(|(payment_id, facts)| {
        let mut derived = derive_with(&payment_id, &facts, marks);
        let desired = std::mem::take(&mut derived.desired);
        (derived, desired.into_iter().map(|d| (d.kind, d.subject, d.round)).collect())
    });
    payments.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Child, Latest, Refund, Stamp};
    use serde_json::json;

    fn refund(at: i64, status: &str) -> Facts {
        let value: Refund = serde_json::from_value(json!({
            "scope": { "livemode": false }, "amount": 500, "currency": "eur", "status": status, "created": 100,
        }))
        .expect("a refund");
        let stamp = Stamp { at, rank: 1, amount: 0, event_id: format!("evt_{at}") };
        let best = Latest { stamp, value };
        Facts { refunds: [("re_1".to_owned(), Child { best, charge: None, intent: None })].into(), ..Facts::default() }
    }

    #[test]
    fn the_same_seen_again_is_no_news_and_another_status_is() {
        let known = refund(100, "pending");
        let is_news = |seen| is_news(&known, seen, &Marks::default());
        assert!(!is_news(refund(200, "pending")));
        assert!(is_news(refund(200, "succeeded")));
        assert!(!is_news(refund(50, "succeeded")), "what is older than the known snapshot changes nothing");
        assert!(super::is_news(&Facts::default(), known.clone(), &Marks::default()));
    }
}

//! What is known of a disputed payment: Stripe's objects, read leniently. A field that is missing or of another type is
//! as good as empty.

use std::collections::BTreeSet;

use serde_json::Value;

use super::words;

/// The JSON of Stripe's objects, or of events that show them.
#[derive(Clone, Debug, Default)]
pub struct Bodies<'a> {
    /// The dispute, as Stripe showed it last.
    pub dispute: &'a str,
    /// The disputed charge as first seen: addresses count as they were at the purchase.
    pub first_charge: Option<&'a str>,
    /// The disputed charge as last seen.
    pub charge: Option<&'a str>,
    /// Its payment intent, as last seen.
    pub intent: Option<&'a str>,
    /// Its checkout session, as last seen.
    pub session: Option<&'a str>,
    /// Reviews of the payment.
    pub reviews: Vec<&'a str>,
    /// Refunds of the payment, each as last seen.
    pub refunds: Vec<&'a str>,
    /// Early fraud warnings about any of the other charges.
    pub warnings: Vec<&'a str>,
    /// Other charges of the same customer or card, each as last seen.
    pub others: Vec<&'a str>,
}

/// The body of the dispute is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body of the dispute is not a JSON object")]
pub struct Unreadable;

/// What is known of a disputed payment.
#[derive(Clone, Debug)]
pub struct Sources {
    pub(super) dispute: Object,
    pub(super) first_charge: Object,
    pub(super) charge: Object,
    pub(super) intent: Object,
    pub(super) session: Object,
    pub(super) reviews: Vec<Object>,
    pub(super) refunds: Vec<Object>,
    pub(super) others: Vec<Object>,
    pub(super) warned: BTreeSet<String>,
}

impl Sources {
    /// Reads the bodies. Of the others, one that is no JSON object counts as not known.
    pub fn read(bodies: &Bodies<'_>) -> Result<Self, Unreadable> {
        let one = |name, body: Option<&str>| {
            body.and_then(|body| Object::read(name, body)).unwrap_or(Object { name, fields: Value::Null })
        };
        let all = |name, bodies: &[&str]| bodies.iter().filter_map(|body| Object::read(name, body)).collect::<Vec<_>>();
        let warnings = all("warning", &bodies.warnings);
        Ok(Self {
            dispute: Object::read("dispute", bodies.dispute).ok_or(Unreadable)?,
            first_charge: one("charge", bodies.first_charge.or(bodies.charge)),
            charge: one("charge", bodies.charge.or(bodies.first_charge)),
            intent: one("payment_intent", bodies.intent),
            session: one("session", bodies.session),
            reviews: all("review", &bodies.reviews),
            refunds: all("refund", &bodies.refunds),
            others: all("charge", &bodies.others),
            warned: warnings.iter().filter_map(|warning| warning.id_of("charge")).collect(),
        })
    }

    /// Why the cardholder disputes, by Stripe's word.
    pub fn reason(&self) -> &str {
        self.dispute.word("reason").unwrap_or("general")
    }

    /// When the disputed charge was made, in unix seconds.
    pub fn purchased_at(&self) -> Option<i64> {
        self.first_charge.integer("created")
    }

    /// The disputed charge.
    pub(super) fn charge_id(&self) -> Option<String> {
        self.dispute.id_of("charge").or_else(|| self.charge.text("id"))
    }

    /// The first of these keys with a value in the metadata of the charge, the intent or the session, in this order.
    pub(super) fn metadata(&self, keys: &[String]) -> Option<Found> {
        [&self.charge, &self.intent, &self.session].into_iter().find_map(|object| object.metadata(keys))
    }
}

/// A value, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub value: String,
    pub source: String,
}

/// A text with something in it. One with a NUL character cannot be stored.
fn said(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty() && !text.contains('\0'))
}

/// One object of Stripe's.
#[derive(Clone, Debug)]
pub(super) struct Object {
    name: &'static str,
    fields: Value,
}

impl Object {
    fn read(name: &'static str, body: &str) -> Option<Self> {
        let mut fields: Value = serde_json::from_str(body).ok()?;
        if fields.get("object").and_then(Value::as_str) == Some("event") {
            fields = fields.pointer_mut("/data/object")?.take();
        }
        fields.is_object().then_some(Self { name, fields })
    }

    /// What is at this path: names with dots between.
    pub(super) fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.fields, |value, name| value.get(name).unwrap_or(&Value::Null))
    }

    /// The text at this path, if any is there.
    pub(super) fn word(&self, path: &str) -> Option<&str> {
        said(self.at(path))
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.word(path).map(str::to_owned)
    }

    pub(super) fn integer(&self, path: &str) -> Option<i64> {
        self.at(path).as_i64()
    }

    pub(super) fn is(&self, path: &str) -> bool {
        self.at(path).as_bool() == Some(true)
    }

    /// The id of a linked object, expanded or not.
    pub(super) fn id_of(&self, path: &str) -> Option<String> {
        self.text(path).or_else(|| self.text(&format!("{path}.id")))
    }

    /// Its amount, with its currency.
    pub(super) fn money(&self) -> Option<String> {
        Some(words::amount(self.integer("amount")?, self.word("currency")?))
    }

    /// The text at this path, with its source.
    pub(super) fn found(&self, path: &str) -> Option<Found> {
        Some(Found { value: self.text(path)?, source: self.source(path) })
    }

    pub(super) fn source(&self, path: &str) -> String {
        format!("{}.{path}", self.name)
    }

    /// The first of these keys of the metadata that has a value.
    pub(super) fn metadata(&self, keys: &[String]) -> Option<Found> {
        let metadata = self.at("metadata");
        let (key, value) = keys.iter().find_map(|key| Some((key, said(metadata.get(key)?)?)))?;
        Some(Found { value: value.to_owned(), source: self.source(&format!("metadata.{key}")) })
    }
}

impl Sources {
    /// Earlier charges of the same card that succeeded and that nobody complained about.
    pub(super) fn undisputed_before(&self) -> impl Iterator<Item = &Object> {
        let card = self.charge.word("payment_method_details.card.fingerprint");
        let before = self.purchased_at();
        self.others.iter().filter(move |charge| {
            card.is_some()
                && charge.word("payment_method_details.card.fingerprint") == card
                && charge.integer("created").zip(before).is_some_and(|(at, before)| at < before)
                && self.is_undisputed(charge)
        })
    }

    /// Paid, captured, not wholly refunded, not disputed, and not reported as fraud.
    fn is_undisputed(&self, charge: &Object) -> bool {
        let is_reported = ["fraud_details.stripe_report", "fraud_details.user_report"]
            .map(|path| charge.word(path) == Some("fraudulent"));
        let is_warned = charge.word("id").is_none_or(|id| self.warned.contains(id));
        charge.word("status") == Some("succeeded")
            && charge.is("captured")
            && charge.integer("amount_captured").or(charge.integer("amount")).is_some_and(|amount| amount > 0)
            && !charge.is("disputed")
            && charge.at("dispute").is_null()
            && !charge.is("refunded")
            && !is_reported.contains(&true)
            && !is_warned
    }
}

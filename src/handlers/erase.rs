//! An event's body without personal data: what readers read is kept, everything else is removed.
//!
//! Pure. The list of what is kept stands beside the readers, since it must grow with them: `tests/proof/erased_bodies.rs`
//! compares what they read before and after. The payer is read, and not kept.

use serde_json::Value;
use serde_json::value::RawValue;

use super::origin::MAX_METADATA;
use crate::domain::Erasure;
use crate::stripe::object::Object;

/// Deepest nesting that is kept: deeper than readers read.
const MAX_DEPTH: usize = 24;

/// What is kept of a field.
enum Keep {
    /// Text, a number or a boolean.
    Value,
    /// A number or a boolean.
    Number,
    /// JSON of Stripe's own words.
    Document,
    /// Only that it is there.
    Presence,
    /// An order reference.
    Reference,
    /// The order reference and our own keys.
    Metadata,
    /// The same; none where the reader of refunds takes none.
    RefundMetadata,
    /// The object that is expanded in place of its id, by the name of its fields; or the id.
    Link(&'static str),
    /// An object.
    Object(Fields),
    /// An object of `type` and, by the name that this gives, an object with these fields.
    Chosen(Fields),
    /// Objects, by the name of their fields.
    List(&'static str),
}

use Keep::{Chosen, Document, Link, List, Metadata, Number as N, Presence, Reference, RefundMetadata, Value as V};

type Fields = &'static [(&'static str, Keep)];

const EVENT: Fields = &[
    ("id", V),
    ("object", V),
    ("type", V),
    ("api_version", V),
    // Text in thin events.
    ("created", V),
    ("account", V),
    ("livemode", N),
    ("thin_type", V),
    // Of thin events.
    ("context", V),
    ("related_object", Keep::Object(&[("id", V), ("type", V), ("url", V)])),
];

const CHARGE: Fields = &[
    ("id", V),
    ("object", V),
    ("created", N),
    ("amount", N),
    ("amount_captured", N),
    ("amount_refunded", N),
    ("refunded", N),
    ("disputed", N),
    ("currency", V),
    ("status", V),
    ("paid", N),
    ("captured", N),
    ("failure_code", V),
    ("payment_method_details", Keep::Object(METHOD)),
    ("metadata", Metadata),
    ("payment_intent", Link("payment_intent")),
    ("dispute", Link("dispute")),
    ("refunds", List("refund")),
    ("balance_transaction", Link("balance_transaction")),
    ("transfer_data", Presence),
    ("transfer", Presence),
    ("destination", Presence),
    ("application_fee_amount", Presence),
    ("application_fee", Presence),
];

const METHOD: Fields = &[
    ("type", V),
    ("card", Keep::Object(&[("network", V), ("brand", V), ("network_reason_code", V), ("case_type", V)])),
];

const PAYMENT_INTENT: Fields = &[
    ("id", V),
    ("object", V),
    ("created", N),
    ("amount", N),
    ("amount_received", N),
    ("currency", V),
    ("status", V),
    ("last_payment_error", Presence),
    ("cancellation_reason", V),
    ("metadata", Metadata),
    ("latest_charge", Link("charge")),
    ("charges", List("charge")),
    ("transfer_data", Presence),
    ("transfer", Presence),
    ("destination", Presence),
    ("application_fee_amount", Presence),
    ("application_fee", Presence),
];

const REFUND: Fields = &[
    ("id", V),
    ("object", V),
    ("created", N),
    ("amount", N),
    ("currency", V),
    ("status", V),
    ("reason", V),
    ("failure_reason", V),
    ("pending_reason", V),
    ("destination_details", Chosen(&[("reference", V), ("reference_status", V)])),
    ("metadata", RefundMetadata),
    ("charge", Link("charge")),
    ("payment_intent", Link("payment_intent")),
];

const DISPUTE: Fields = &[
    ("id", V),
    ("object", V),
    ("created", N),
    ("amount", N),
    ("currency", V),
    ("status", V),
    ("reason", V),
    ("network_reason_code", V),
    ("evidence_details", Keep::Object(EVIDENCE_DETAILS)),
    // Until 2014-12-08 there was no such hash.
    ("due_by", N),
    ("evidence_due_by", N),
    ("has_evidence", N),
    ("past_due", N),
    ("submission_method", V),
    ("enhanced_eligibility", Document),
    ("intended_submission_method", V),
    ("is_charge_refundable", N),
    ("payment_method_details", Keep::Object(METHOD)),
    ("metadata", Metadata),
    ("charge", Link("charge")),
    ("payment_intent", Link("payment_intent")),
    ("balance_transaction", Link("balance_transaction")),
    ("balance_transactions", List("balance_transaction")),
];

const EVIDENCE_DETAILS: Fields = &[
    ("due_by", N),
    ("has_evidence", N),
    ("past_due", N),
    ("submission_count", N),
    ("submission_method", V),
    ("enhanced_eligibility", Document),
];

const SESSION: Fields = &[
    ("id", V),
    ("object", V),
    ("created", N),
    ("currency", V),
    ("metadata", Metadata),
    ("client_reference_id", Reference),
    ("payment_link", Link("")),
    ("charge", Link("charge")),
    ("payment_intent", Link("payment_intent")),
];

const WARNING: Fields = &[
    ("id", V),
    ("object", V),
    ("created", N),
    ("fraud_type", V),
    ("actionable", N),
    ("charge", Link("charge")),
    ("payment_intent", Link("payment_intent")),
];

const REVIEW: Fields = &[
    ("id", V),
    ("object", V),
    ("created", N),
    ("open", N),
    ("reason", V),
    ("opened_reason", V),
    ("closed_reason", V),
    ("charge", Link("charge")),
    ("payment_intent", Link("payment_intent")),
];

const BALANCE: Fields =
    &[("id", V), ("object", V), ("created", N), ("amount", N), ("fee", N), ("currency", V), ("exchange_rate", N)];

/// Of an object that no reader reads.
const OTHER: Fields = &[("id", V), ("object", V), ("created", N)];

fn fields_of(name: &str) -> Fields {
    match name {
        "charge" => CHARGE,
        "payment_intent" => PAYMENT_INTENT,
        "refund" => REFUND,
        "dispute" => DISPUTE,
        "checkout.session" => SESSION,
        "radar.early_fraud_warning" | "issuer_fraud_record" => WARNING,
        "review" => REVIEW,
        "balance_transaction" => BALANCE,
        "clawback.link" => &[("id", V), ("object", V), ("order_id", Reference), ("microsecond", N)],
        "clawback.dismissal" => &[("id", V), ("object", V), ("microsecond", N)],
        _ => OTHER,
    }
}

/// The body without personal data. [`super::read`] finds the same facts in it, those aside that
/// [`crate::domain::Facts::erase`] changes, and no payer. A body that was erased stays as it is when it is erased again.
#[must_use]
pub fn erased(body: &str, erasure: &Erasure) -> String {
    let Ok(event) = Object::parse(body) else { return "{}".to_owned() };
    let mut kept = kept_fields(&event, EVENT, erasure, 0);
    if let Some((_, data)) = event.fields().filter(|(name, _)| *name == "data").last() {
        kept.push(field("data", &data_of(data, erasure)));
    }
    object(&kept)
}

/// `data.object`, by its own name. What changed before, and whatever else stands there, is removed.
fn data_of(data: &RawValue, erasure: &Erasure) -> String {
    let Ok(data) = Object::parse(data.get()) else { return emptied(data).to_owned() };
    let Some((_, raw)) = data.fields().filter(|(name, _)| *name == "object").last() else { return object(&[]) };
    let name = Object::parse(raw.get()).ok().and_then(|object| object.text("object").ok()).unwrap_or_default();
    object(&[field("object", &kept_object(raw, fields_of(&name), erasure, 0))])
}

fn kept_object(raw: &RawValue, fields: Fields, erasure: &Erasure, depth: usize) -> String {
    match Object::parse(raw.get()) {
        Ok(read) if depth < MAX_DEPTH => object(&kept_fields(&read, fields, erasure, depth + 1)),
        _ => emptied(raw).to_owned(),
    }
}

fn kept_fields(read: &Object, fields: Fields, erasure: &Erasure, depth: usize) -> Vec<String> {
    let kept = read.fields().filter_map(|(name, raw)| {
        let (name, keep) = fields.iter().find(|(kept, _)| *kept == name)?;
        Some(field(name, &kept(raw, keep, erasure, depth)))
    });
    kept.collect()
}

fn kept(raw: &RawValue, keep: &Keep, erasure: &Erasure, depth: usize) -> String {
    match keep {
        Keep::Value => value(raw).to_owned(),
        Keep::Number => number(raw).to_owned(),
        Document => document(raw).to_owned(),
        Presence => emptied(raw).to_owned(),
        Reference => reference(raw, erasure),
        Metadata => metadata(raw, erasure),
        RefundMetadata => refund_metadata(raw, erasure),
        Link(_) if !raw.get().starts_with('{') => value(raw).to_owned(),
        Link(name) => kept_object(raw, fields_of(name), erasure, depth),
        Keep::Object(fields) => kept_object(raw, fields, erasure, depth),
        Chosen(fields) => chosen(raw, fields, erasure, depth),
        List(name) => list(raw, name, erasure, depth),
    }
}

/// A value that is text, a number, a boolean or null.
fn value(raw: &RawValue) -> &str {
    if raw.get().starts_with(['{', '[']) { emptied(raw) } else { raw.get() }
}

fn number(raw: &RawValue) -> &str {
    if raw.get().starts_with('"') { emptied(raw) } else { value(raw) }
}

fn document(raw: &RawValue) -> &str {
    if raw.get().starts_with('{') { raw.get() } else { emptied(raw) }
}

/// An empty value of the same kind: where it is not what a reader expects, it is as unreadable as before.
fn emptied(raw: &RawValue) -> &'static str {
    match raw.get().as_bytes().first() {
        Some(b'"') => r#""""#,
        Some(b'{') => "{}",
        Some(b'[') => "[]",
        Some(b'n') => "null",
        Some(b't' | b'f') => "false",
        _ => "0",
    }
}

/// An order reference, which may be a number.
fn reference(raw: &RawValue, erasure: &Erasure) -> String {
    let kept = value(raw);
    let text = serde_json::from_str::<String>(kept).unwrap_or_else(|_| kept.to_owned());
    erasure.in_place_of(&text).map_or_else(|| kept.to_owned(), quoted)
}

fn metadata(raw: &RawValue, erasure: &Erasure) -> String {
    let Ok(read) = Object::parse(raw.get()) else { return emptied(raw).to_owned() };
    let kept = read.fields().filter(|(name, _)| erasure.keeps(name)).map(|(name, raw)| {
        field(name, &if name == erasure.order_key { reference(raw, erasure) } else { ours(raw, erasure) })
    });
    object(&kept.collect::<Vec<_>>())
}

fn ours(raw: &RawValue, erasure: &Erasure) -> String {
    let kept = value(raw);
    let within = serde_json::from_str::<String>(kept).ok().and_then(|text| erasure.within(&text));
    within.map_or_else(|| kept.to_owned(), |text| quoted(&text))
}

/// What the reader of refunds takes as absent stays absent: metadata that is too long, contains a NUL, or is not text.
fn refund_metadata(raw: &RawValue, erasure: &Erasure) -> String {
    let text = raw.get();
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) if text.len() <= MAX_METADATA && !text.contains("\\u0000") => {
            erasure.metadata(Value::Object(fields)).map_or_else(|| object(&[]), |kept| kept.to_string())
        }
        _ if text.starts_with('{') => "null".to_owned(),
        _ => emptied(raw).to_owned(),
    }
}

/// The one of the objects that the reader chooses, by the value of `type`.
fn chosen(raw: &RawValue, fields: Fields, erasure: &Erasure, depth: usize) -> String {
    let Ok(read) = Object::parse(raw.get()) else { return emptied(raw).to_owned() };
    let kind = read.optional_text("type").ok().flatten();
    let kept = read.fields().filter_map(|(name, raw)| match name {
        "type" => Some(field(name, value(raw))),
        name if Some(name) == kind.as_deref() => Some(field(name, &kept_object(raw, fields, erasure, depth))),
        _ => None,
    });
    object(&kept.collect::<Vec<_>>())
}

/// A bare array, or Stripe's `{"data": [...]}`.
fn list(raw: &RawValue, name: &str, erasure: &Erasure, depth: usize) -> String {
    if let Ok(page) = Object::parse(raw.get()) {
        // A list that lost all its fields would be an empty one.
        let fields = page.fields().map(|(field_name, raw)| match field_name {
            "data" => field("data", &elements(raw, name, erasure, depth)),
            _ => field("", "null"),
        });
        return object(&fields.collect::<Vec<_>>());
    }
    elements(raw, name, erasure, depth)
}

fn elements(raw: &RawValue, name: &str, erasure: &Erasure, depth: usize) -> String {
    let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else { return emptied(raw).to_owned() };
    let kept = elements.into_iter().map(|element| kept_object(element, fields_of(name), erasure, depth));
    format!("[{}]", kept.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn field(name: &str, value: &str) -> String {
    format!("{}:{value}", quoted(name))
}

fn object(fields: &[String]) -> String {
    format!("{{{}}}", fields.join(","))
}

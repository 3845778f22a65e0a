//! From Stripe's JSON to facts: one pure reader for each object, found by `data.object.object`.
//!
//! The event's type decides nothing about money: an unknown type is read if it carries a known object. Nested
//! objects are read through the same table, so that no reader knows another. Readers derive nothing;
//! [`crate::domain`] does.

mod balance;
mod card;
mod charge;
mod checkout_session;
mod connect;
mod dismissed;
mod dispute;
mod early_fraud_warning;
mod erase;
mod events;
mod linked;
mod links;
mod origin;
mod payer;
mod payment_intent;
mod refund;
mod review;

use crate::domain::{Facts, Payer};
use crate::stripe::object::{FieldError, Object, is_name};
pub use erase::erased;
pub use events::EVENTS;
use origin::{Origin, Reader};

/// One entry: the object's name and its reader.
pub struct Handler {
    /// The value of `data.object.object`.
    pub object: &'static str,
    read: Reader,
}

/// The dispatch table. A new object needs one entry here and one fixture.
pub const HANDLERS: &[Handler] = &[
    Handler { object: "charge", read: charge::read },
    Handler { object: "payment_intent", read: payment_intent::read },
    Handler { object: "refund", read: refund::read },
    Handler { object: "dispute", read: dispute::read },
    Handler { object: "checkout.session", read: checkout_session::read },
    Handler { object: "radar.early_fraud_warning", read: early_fraud_warning::read },
    Handler { object: "issuer_fraud_record", read: early_fraud_warning::read },
    Handler { object: "review", read: review::read },
    Handler { object: "clawback.link", read: linked::read },
    Handler { object: "clawback.dismissal", read: dismissed::read },
];

fn reader_of(name: &str) -> Option<Reader> {
    HANDLERS.iter().find(|handler| handler.object == name).map(|handler| handler.read)
}

/// Whether a handler reads Stripe's objects of this type.
#[must_use]
pub fn reads(object_type: &str) -> bool {
    reader_of(object_type).is_some()
}

/// The result of reading an event.
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and nearly all are facts")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It shows objects that order state depends on. With the payers, and the fields that could not be read and were
    /// taken as absent.
    Facts(Facts, Vec<Payer>, Vec<FieldError>),
    /// No handler reads it, and why.
    Ignored(String),
}

/// Reads the body of one event.
///
/// `order_key` is the metadata key that holds the merchant's order reference; `event_id` is the id
/// under which the event was stored.
///
/// # Errors
/// [`FieldError`] names a required field that is missing or invalid. Retrying cannot help.
pub fn read(event_id: &str, body: &str, order_key: &str) -> Result<Reading, FieldError> {
    let event = Object::parse(body)?;
    if event.optional_text("object")?.as_deref() == Some("v2.core.event") {
        return Ok(Reading::Ignored(
            "thin event: its object must be fetched from Stripe, which needs an API key".to_owned(),
        ));
    }
    let Some(object) = event.object("data")?.map(|data| data.object("object")).transpose()?.flatten() else {
        return Err(event.wrong("data.object", "is missing"));
    };
    let name = object.text("object")?;
    let Some(read) = reader_of(&name) else {
        let name = Some(name.as_str()).filter(|name| is_name(name)).unwrap_or("with an unusual name");
        return Ok(Reading::Ignored(format!("no handler reads objects of type {name}")));
    };
    let origin = Origin::of(event_id, &event, &object, order_key, reader_of)?;
    let facts = read(&origin, &object)?;
    let (people, passed_over) = origin.into_people_and_notes();
    Ok(Reading::Facts(facts, people, passed_over))
}

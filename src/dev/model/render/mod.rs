//! Objects and events as Stripe's JSON, in the API version that [`API_VERSION`] names. Shows what
//! it is given and decides nothing about what happens.

mod charge;
mod connect;
mod dispute;
mod entry;
mod event;
mod fraud;
mod intent;
mod refund;
mod session;

use serde_json::{Value, json};

use super::people::Buyer;

pub(super) use charge::charge;
pub(super) use connect::{application_fee, transfer};
pub(super) use dispute::dispute;
pub use entry::Line;
pub(super) use entry::lines;
pub(super) use event::{Envelope, event};
pub(super) use fraud::{review, warning};
pub(super) use intent::intent;
pub(super) use refund::refund;
pub(super) use session::session;

/// The API version in which all bodies are rendered.
const API_VERSION: &str = "2026-07-29.dahlia";

const DAY: i64 = 86_400;

/// The buyer's postal address.
fn address(buyer: &Buyer) -> Value {
    json!({
        "city": buyer.city,
        "country": buyer.country,
        "line1": buyer.line1,
        "line2": null,
        "postal_code": buyer.postal_code,
        "state": null,
    })
}

/// The object with those fields too, all null: most of a Stripe object is.
fn with_nulls(object: Value, fields: &[&str]) -> Value {
    with(object, fields.iter().map(|field| (*field, Value::Null)))
}

/// The object with those fields too.
fn with<'a>(mut object: Value, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    if let Value::Object(map) = &mut object {
        map.extend(fields.into_iter().map(|(field, value)| (field.to_owned(), value)));
    }
    object
}

//! The event that shows an object, and what every reader takes from it.

use crate::domain::{Latest, Scope, Stamp};
use crate::stripe::object::{Object, Unreadable};

/// The event an object was seen in.
#[derive(Clone, Debug)]
pub(super) struct Origin<'a> {
    event_id: &'a str,
    at: i64,
    scope: Scope,
    order_key: &'a str,
}

impl<'a> Origin<'a> {
    /// Reads the envelope's own fields.
    pub(super) fn of(event_id: &'a str, event: &Object, order_key: &'a str) -> Result<Self, Unreadable> {
        let scope =
            Scope { account: event.optional_id("account")?, livemode: event.flag("livemode")?.unwrap_or(false) };
        Ok(Self { event_id, at: event.time("created")?, scope, order_key })
    }

    /// Account and mode of everything in the event.
    pub(super) fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// A sighting of something that far along its life, with that much refunded.
    pub(super) fn sighting<T>(&self, value: T, rank: u8, amount: i64) -> Latest<T> {
        Latest { stamp: Stamp { at: self.at, rank, amount, event_id: self.event_id.to_owned() }, value }
    }

    /// The merchant's order reference in an object's metadata.
    pub(super) fn order_ref(&self, object: &Object) -> Result<Option<String>, Unreadable> {
        match object.object("metadata")? {
            Some(metadata) => reference(&metadata, self.order_key),
            None => Ok(None),
        }
    }
}

/// A merchant's reference: one that is too long for an index is no reference.
pub(super) fn reference(object: &Object, field: &str) -> Result<Option<String>, Unreadable> {
    match object.optional_text(field)? {
        Some(text) if text.len() > 2000 => Err(object.wrong(field, "is longer than 2000 bytes")),
        text => Ok(text),
    }
}

/// A sighting of `value` at the moment of another.
pub(super) fn beside<T, U>(best: &Latest<T>, value: U) -> Latest<U> {
    Latest { stamp: best.stamp.clone(), value }
}

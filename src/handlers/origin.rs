//! The event that shows an object, and what every reader takes from it.
//!
//! Fields that amounts do not depend on are read through [`Origin::lenient`]: an invalid one is taken as absent and
//! noted. The others are read with `?`, and fail the event. `tests/it/fields.rs` lists both.

use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::domain::{Facts, Latest, Payer, Ranked, Rendering, Scope, Stamp};
use crate::stripe::fetched::FETCHED;
use crate::stripe::object::{FieldError, Object};

/// Longest metadata that is kept, in bytes: above Stripe's own limits of 50 fields of 540 characters.
pub(super) const MAX_METADATA: usize = 262_144;
/// The first API version that shows no refund for what a capture releases.
const BASIL: &str = "2025-03-31";

/// A reader: one object to facts, in whatever event.
pub(super) type Reader = fn(&Origin, &Object) -> Result<Facts, FieldError>;

/// The event an object was seen in.
pub(super) struct Origin<'a> {
    event_id: &'a str,
    /// The reader of an object that can be nested, by its name.
    reader_of: fn(&str) -> Option<Reader>,
    /// The object the event is about.
    object_id: Option<String>,
    at: i64,
    scope: Scope,
    kind: String,
    rendering: Option<Rendering>,
    order_key: &'a str,
    people: RefCell<Vec<Payer>>,
    notes: RefCell<Vec<FieldError>>,
}

impl<'a> Origin<'a> {
    /// Reads the envelope's own fields.
    pub(super) fn of(
        event_id: &'a str,
        event: &Object,
        object: &Object,
        order_key: &'a str,
        reader_of: fn(&str) -> Option<Reader>,
    ) -> Result<Self, FieldError> {
        let mut origin = Self {
            event_id,
            reader_of,
            object_id: object.id("id").ok(),
            at: event.time("created")?,
            scope: Scope::default(),
            kind: String::new(),
            rendering: None,
            order_key,
            people: RefCell::default(),
            notes: RefCell::default(),
        };
        origin.scope.account = origin.lenient(event.optional_id("account"));
        // Required: live money must not be counted as test money.
        origin.scope.livemode = event.flag("livemode")?.unwrap_or(false);
        origin.kind = origin.lenient(event.optional_text("type")).unwrap_or_default();
        // A fetched object came in an API version that we chose.
        let version = origin.lenient(event.optional_text("api_version"));
        if origin.kind == FETCHED {
            origin.kind = origin.lenient(event.optional_text("thin_type")).unwrap_or_default();
        } else {
            origin.rendering = Some(rendering(version.as_deref()));
        }
        Ok(origin)
    }

    /// Whether the event is about this object, rather than nesting it.
    pub(super) fn is_about(&self, id: &str) -> bool {
        self.object_id.as_deref() == Some(id)
    }

    /// The event's type, such as `charge.expired`; of a fetched object that of the thin event that named it.
    pub(super) fn kind(&self) -> &str {
        &self.kind
    }

    /// When the event was created, in unix seconds.
    pub(super) fn at(&self) -> i64 {
        self.at
    }

    /// How its API version renders charges; none for a fetched object.
    pub(super) fn rendering(&self) -> Option<Rendering> {
        self.rendering
    }

    /// A field that amounts do not depend on: one that cannot be read is taken as absent, and noted.
    pub(super) fn lenient<T>(&self, read: Result<Option<T>, FieldError>) -> Option<T> {
        read.unwrap_or_else(|unreadable| {
            // Some fields are read twice.
            let mut notes = self.notes.borrow_mut();
            if !notes.contains(&unreadable) {
                notes.push(unreadable);
            }
            None
        })
    }

    /// The objects of a list. Elements that cannot be read are left out, and noted.
    pub(super) fn list<'b>(&self, read: Result<Vec<Result<Object<'b>, FieldError>>, FieldError>) -> Vec<Object<'b>> {
        let elements = self.lenient(read.map(Some)).unwrap_or_default();
        elements.into_iter().filter_map(|element| self.lenient(element.map(Some))).collect()
    }

    /// The facts of a nested object of that name; empty, and noted, where it cannot be read.
    pub(super) fn nested(&self, name: &str, object: &Object) -> Facts {
        (self.reader_of)(name).map(|read| self.or_nothing(read(self, object))).unwrap_or_default()
    }

    /// The facts read; empty, and noted, where they could not be.
    pub(super) fn or_nothing(&self, read: Result<Facts, FieldError>) -> Facts {
        self.lenient(read.map(Some)).unwrap_or_default()
    }

    /// When an object was created, in unix seconds; the event's time where the object has none.
    pub(super) fn created(&self, object: &Object) -> i64 {
        self.lenient(object.optional_time("created")).unwrap_or(self.at)
    }

    /// Notes the payer that an object names, if any.
    pub(super) fn note_payer(
        &self,
        id: &str,
        customer_id: Option<String>,
        email: Option<String>,
        name: Option<String>,
    ) {
        if customer_id.is_some() || email.is_some() || name.is_some() {
            let (object_id, event_id) = (id.to_owned(), self.event_id.to_owned());
            let person = Payer { object_id, seen_at: self.at, event_id, customer_id, email, name };
            self.people.borrow_mut().push(person);
        }
    }

    /// The payers, and the fields that were taken as absent.
    pub(super) fn into_people_and_notes(self) -> (Vec<Payer>, Vec<FieldError>) {
        (self.people.into_inner(), self.notes.into_inner())
    }

    /// Account and mode of everything in the event.
    pub(super) fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// An object's snapshot, stamped with this event.
    pub(super) fn sighting<T: Ranked>(&self, value: T) -> Latest<T> {
        Latest { stamp: self.stamp(value.rank(), value.tie_breaker()), value }
    }

    /// The stamp of the event, for an object of this rank and tie-breaker.
    pub(super) fn stamp(&self, rank: u8, amount: i64) -> Stamp {
        Stamp { at: self.at, rank, amount, event_id: self.event_id.to_owned() }
    }

    /// The merchant's metadata; none when empty.
    pub(super) fn metadata(&self, object: &Object) -> Option<Value> {
        self.lenient(object.optional_json("metadata", MAX_METADATA))
            .filter(|fields| fields != &Value::Object(Map::new()))
    }

    /// The merchant's order reference in an object's metadata.
    pub(super) fn order_ref(&self, object: &Object) -> Option<String> {
        let metadata = self.lenient(object.object("metadata"))?;
        self.lenient(reference(&metadata, self.order_key))
    }
}

/// How an API version, such as `2025-03-31.basil`, renders charges. An unknown one is taken for an old one.
fn rendering(version: Option<&str>) -> Rendering {
    match version {
        Some(version) if version.starts_with('2') && version >= BASIL => Rendering::New,
        _ => Rendering::Old,
    }
}

/// A merchant's order reference. One too long for an index is refused.
pub(super) fn reference(object: &Object, field: &str) -> Result<Option<String>, FieldError> {
    let number = |no_text| object.optional_integer(field).map(|n| n.map(|n| n.to_string())).map_err(|_| no_text);
    match object.optional_text(field).or_else(number)? {
        Some(text) if text.len() > 2000 => Err(object.wrong(field, "is longer than 2000 bytes")),
        text => Ok(text),
    }
}

/// `value`, with the stamp of another.
pub(super) fn beside<T, U>(best: &Latest<T>, value: U) -> Latest<U> {
    Latest { stamp: best.stamp.clone(), value }
}

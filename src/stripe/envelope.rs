//! The envelope: the fields that every event has, enough to store it.
//!
//! Only the envelope is parsed (<https://docs.stripe.com/api/events/object>), so that intake stays
//! cheap and an event with an unreadable object is still stored. Not here: what `data` means.

use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::fields::Fields;

/// In bytes. Stripe's ids never exceed 255 characters (<https://docs.stripe.com/upgrades>).
const MAX_ID: usize = 255;

/// Unix seconds of the years 1 to 9999: what Postgres, RFC 3339 and every client library can show.
const REPRESENTABLE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// The envelope of an event, snapshot or thin. No text in it holds a NUL, which Postgres cannot store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// 1 to 255 bytes.
    pub id: String,
    /// Not empty. Any type is accepted: Stripe adds new ones.
    pub event_type: String,
    /// The API version that the body was rendered in. None for a thin event.
    pub api_version: Option<String>,
    /// The connected account; none for the endpoint's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: Option<bool>,
    /// `data.object.id`; of a thin event `related_object.id`.
    pub object_id: Option<String>,
    /// Unix seconds, of the years 1 to 9999. A thin event's has been rounded down to a second.
    pub created: Option<i64>,
}

/// Why a body is not an event that can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEvent {
    /// Not valid JSON from first to last byte, or not a JSON object.
    #[error("body is not a JSON object")]
    NotAnObject,
    /// `id` is missing, not a string, empty, longer than 255 bytes, or holds a NUL.
    #[error("event has no usable id")]
    Id,
    /// `type` is missing, not a string, empty, or holds a NUL.
    #[error("event has no usable type")]
    Type,
}

impl NotAnEvent {
    /// A fixed label for metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NotAnObject => "not_a_json_object",
            Self::Id => "event_id",
            Self::Type => "event_type",
        }
    }
}

impl Envelope {
    /// Reads the envelope of a body. The last of duplicate keys counts, as in `jsonb` and JavaScript.
    /// Everything except `id` and `type` is optional: a value that cannot be stored is read as none.
    ///
    /// # Errors
    ///
    /// [`NotAnEvent`], when the whole body is not a JSON object with a usable `id` and `type`.
    pub fn read(body: &str) -> Result<Self, NotAnEvent> {
        let fields: Fields<'_> = serde_json::from_str(body).map_err(|_| NotAnEvent::NotAnObject)?;
        let object = fields.last("data").and_then(|data| field(data, "object"));
        let object_id = object.and_then(|object| field(object, "id"));
        let related_id = || field(fields.last("related_object")?, "id");
        Ok(Self {
            id: fields.last("id").and_then(short_text).ok_or(NotAnEvent::Id)?,
            event_type: fields.last("type").and_then(text).ok_or(NotAnEvent::Type)?,
            api_version: fields.last("api_version").and_then(short_text),
            account: fields.last("account").and_then(short_text),
            livemode: fields.last("livemode").and_then(|raw| serde_json::from_str(raw.get()).ok()),
            object_id: object_id.or_else(related_id).and_then(short_text),
            created: fields.last("created").and_then(seconds),
        })
    }
}

/// A non-empty string without NUL. An unpaired surrogate (`\ud800`) is not text either.
fn text(raw: &RawValue) -> Option<String> {
    let text: String = serde_json::from_str(raw.get()).ok()?;
    (!text.is_empty() && !text.contains('\0')).then_some(text)
}

fn short_text(raw: &RawValue) -> Option<String> {
    text(raw).filter(|text| text.len() <= MAX_ID)
}

/// A field of what must be an object for that.
fn field<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    serde_json::from_str::<Fields<'_>>(object.get()).ok()?.last(name)
}

/// A snapshot event has Unix seconds, a thin one RFC 3339 text.
fn seconds(raw: &RawValue) -> Option<i64> {
    let number = serde_json::from_str::<i64>(raw.get()).ok();
    let seconds = number.or_else(|| {
        let moment = OffsetDateTime::parse(&text(raw)?, &Rfc3339).ok()?;
        Some(moment.unix_timestamp())
    })?;
    REPRESENTABLE.contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests;

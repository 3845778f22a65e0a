//! The envelope: the fields that every event has, enough to store it.
//!
//! Only the envelope is parsed (<https://docs.stripe.com/api/events/object>), so that intake stays
//! cheap and an event with an unreadable object is still stored. Not here: what `data` means.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
        let parts: Parts<'_> = serde_json::from_str(body).map_err(|_| NotAnEvent::NotAnObject)?;
        Ok(Self {
            id: parts.id.and_then(short_text).ok_or(NotAnEvent::Id)?,
            event_type: parts.event_type.and_then(text).ok_or(NotAnEvent::Type)?,
            api_version: parts.api_version.and_then(short_text),
            account: parts.account.and_then(short_text),
            livemode: parts.livemode.and_then(|raw| serde_json::from_str(raw.get()).ok()),
            object_id: (parts.data.and_then(object_id))
                .or_else(|| parts.related_object.and_then(id))
                .and_then(short_text),
            created: parts.created.and_then(seconds),
        })
    }
}

/// Raw values, decoded one by one afterwards, so that a wrong type affects no other field.
#[derive(Default)]
struct Parts<'a> {
    id: Option<&'a RawValue>,
    event_type: Option<&'a RawValue>,
    api_version: Option<&'a RawValue>,
    account: Option<&'a RawValue>,
    livemode: Option<&'a RawValue>,
    created: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    related_object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Id,
    Type,
    ApiVersion,
    Account,
    Livemode,
    Created,
    Data,
    RelatedObject,
    #[serde(other)]
    Other,
}

// By hand, since a derived one refuses duplicate keys.
impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor;

        impl<'de> Visitor<'de> for PartsVisitor {
            type Value = Parts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts<'de>, A::Error> {
                let mut parts = Parts::default();
                while let Some(key) = map.next_key()? {
                    let place = match key {
                        Key::Id => &mut parts.id,
                        Key::Type => &mut parts.event_type,
                        Key::ApiVersion => &mut parts.api_version,
                        Key::Account => &mut parts.account,
                        Key::Livemode => &mut parts.livemode,
                        Key::Created => &mut parts.created,
                        Key::Data => &mut parts.data,
                        Key::RelatedObject => &mut parts.related_object,
                        Key::Other => {
                            map.next_value::<de::IgnoredAny>()?;
                            continue;
                        }
                    };
                    *place = Some(map.next_value()?);
                }
                Ok(parts)
            }
        }

        deserializer.deserialize_map(PartsVisitor)
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

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

fn object_id(data: &RawValue) -> Option<&RawValue> {
    Some(serde_json::from_str::<Data<'_>>(data.get()).ok()?.object.id)
}

fn id(object: &RawValue) -> Option<&RawValue> {
    Some(serde_json::from_str::<Object<'_>>(object.get()).ok()?.id)
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

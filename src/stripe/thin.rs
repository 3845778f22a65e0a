//! Thin events: notifications that name an object instead of carrying it
//! (<https://docs.stripe.com/event-destinations>).
//!
//! Pure. Not here: fetching the object.

use serde::Deserialize;

/// Longest id or context that is read, in bytes.
const MAX_ID: usize = 255;

/// What a thin event says of the object to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thin {
    /// The event's type, such as `v1.charge.expired`.
    pub event_type: String,
    /// The mode of the object.
    pub livemode: bool,
    /// `Stripe-Context` for the call; none for the key's own account.
    pub context: Option<String>,
    /// The object's type, such as `charge`.
    pub object_type: String,
    /// The object's id.
    pub object_id: String,
    /// The path at which it is fetched. Not checked here.
    pub url: String,
}

#[derive(Deserialize)]
struct Body {
    object: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    livemode: bool,
    #[serde(default)]
    context: Option<String>,
    related_object: Related,
}

#[derive(Deserialize)]
struct Related {
    id: String,
    #[serde(rename = "type")]
    object_type: String,
    url: String,
}

impl Thin {
    /// Reads a thin event; none when the body is anything else, or names no object.
    #[must_use]
    pub fn read(body: &str) -> Option<Self> {
        let Body { object, event_type, livemode, context, related_object } = serde_json::from_str(body).ok()?;
        let Related { id, object_type, url } = related_object;
        let context = context.filter(|context| !context.is_empty());
        let is_usable = |text: &str| !text.is_empty() && text.len() <= MAX_ID && !text.contains('\0');
        let usable = is_usable(&id) && context.as_deref().is_none_or(is_usable) && object == "v2.core.event";
        usable.then_some(Self { event_type, livemode, context, object_type, object_id: id, url })
    }

    /// The connected account that the object belongs to; none for the key's own. It is the last part of the context.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.context.as_deref()?.rsplit('/').next().filter(|account| account.starts_with("acct_"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(context: &Value) -> Value {
        json!({ "id": "evt_1", "object": "v2.core.event", "type": "v1.charge.expired", "livemode": true,
            "context": context, "created": "2026-11-26T10:00:00.000Z",
            "related_object": { "id": "ch_1", "type": "charge", "url": "/v1/charges/ch_1" } })
    }

    #[test]
    fn a_thin_event_names_its_object_and_account() {
        let read = |context: Value| Thin::read(&event(&context).to_string()).expect("a thin event");
        let thin = read(Value::Null);
        assert_eq!((thin.event_type.as_str(), thin.livemode, thin.account()), ("v1.charge.expired", true, None));
        assert_eq!((thin.object_type.as_str(), thin.object_id.as_str()), ("charge", "ch_1"));
        assert_eq!(thin.url, "/v1/charges/ch_1");
        assert_eq!(read(json!("acct_1")).account(), Some("acct_1"));
        assert_eq!(read(json!("org_1/acct_1")).account(), Some("acct_1"));
    }

    #[test]
    fn what_names_no_object_is_none() {
        let mut ping = event(&Value::Null);
        ping["related_object"] = Value::Null;
        let mut snapshot = event(&Value::Null);
        snapshot["object"] = json!("event");
        let mut nul = event(&Value::Null);
        nul["related_object"]["id"] = json!("ch_\0");
        for body in [ping.to_string(), snapshot.to_string(), nul.to_string(), "[]".to_owned()] {
            assert_eq!(Thin::read(&body), None, "{body}");
        }
    }
}

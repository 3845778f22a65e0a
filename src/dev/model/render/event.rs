//! The envelope of an event, and what of its object was different before.

use serde_json::{Map, Value, json};

use super::super::{Account, Cause};
use super::{API_VERSION, with};

/// What an event says about itself.
#[derive(Debug)]
pub(in crate::dev::model) struct Envelope<'a> {
    pub(in crate::dev::model) id: &'a str,
    pub(in crate::dev::model) kind: &'a str,
    /// Unix seconds.
    pub(in crate::dev::model) created: i64,
    pub(in crate::dev::model) cause: &'a Cause,
}

/// The whole event. `before` is the object as it was before the change; the same if it did not change.
pub(in crate::dev::model) fn event(
    account: &Account,
    envelope: &Envelope<'_>,
    before: &Value,
    object: &Value,
) -> Value {
    let previous = if shows_previous(envelope.kind) { previous_attributes(before, object) } else { None };
    let data = with(json!({ "object": object }), previous.map(|it| ("previous_attributes", it)));
    let event = json!({
        "id": envelope.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": envelope.created,
        "data": data,
        "livemode": account.livemode,
        "pending_webhooks": 1,
        "request": request(envelope.cause),
        "type": envelope.kind,
    });
    with(event, account.connected.as_ref().map(|id| ("account", json!(id))))
}

fn request(cause: &Cause) -> Value {
    match cause {
        Cause::Request { id, idempotency_key } => {
            json!({ "id": id, "idempotency_key": idempotency_key })
        }
        Cause::Stripe => json!({ "id": null, "idempotency_key": null }),
    }
}

/// Stripe documents `previous_attributes` for the `updated` types; these three carry it as well.
fn shows_previous(kind: &str) -> bool {
    kind.ends_with(".updated") || matches!(kind, "charge.refunded" | "charge.captured" | "charge.dispute.closed")
}

/// The former values of what changed: within a hash only the changed keys, of a list all of it,
/// null for what is new.
fn previous_attributes(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (before != after).then(|| before.clone());
    };
    let changed: Map<String, Value> = new
        .keys()
        .chain(old.keys().filter(|key| !new.contains_key(*key)))
        .filter_map(|key| {
            let (old, new) = (old.get(key), new.get(key));
            previous_attributes(old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null))
                .map(|value| (key.clone(), value))
        })
        .collect();
    (!changed.is_empty()).then_some(Value::Object(changed))
}

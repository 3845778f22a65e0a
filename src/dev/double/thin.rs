//! Thin events: notifications that name an object. Each belongs to a snapshot event, from which its id follows.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::dev::model::Event;

const SNAPSHOT: &str = "evt_3";
const THIN: &str = "evt_65";

/// The id of the snapshot event that a thin event belongs to.
pub(super) fn snapshot_id(thin: &str) -> Option<String> {
    thin.strip_prefix(THIN).map(|rest| format!("{SNAPSHOT}{rest}"))
}

/// The thin event of a snapshot event.
pub(super) fn notification(event: &Event) -> Value {
    let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
    let object = &body["data"]["object"];
    let (kind, id) = (object["object"].as_str().unwrap_or_default(), object["id"].as_str().unwrap_or_default());
    let created = OffsetDateTime::from_unix_timestamp(event.created).ok().and_then(|at| at.format(&Rfc3339).ok());
    let created = created.map(|at| at.replace('Z', ".000Z"));
    let request = &body["request"];
    let reason = if request["id"].is_null() { Value::Null } else { json!({ "type": "request", "request": request }) };
    json!({
        "id": event.id.replacen(SNAPSHOT, THIN, 1),
        "object": "v2.core.event",
        "context": body["account"],
        "created": created,
        "livemode": body["livemode"],
        "reason": reason,
        "related_object": { "id": id, "type": kind, "url": format!("{}/{id}", url(kind)) },
        "snapshot_event": event.id,
        "type": format!("v1.{}", event.r#type),
    })
}

fn url(kind: &str) -> String {
    match kind {
        "checkout.session" => "/v1/checkout/sessions".to_owned(),
        "radar.early_fraud_warning" => "/v1/radar/early_fraud_warnings".to_owned(),
        other => format!("/v1/{other}s"),
    }
}

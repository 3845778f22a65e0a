//! Events: listed for 30 days, retrieved, and as thin events; and the endpoints they go to.

use serde_json::{Value, json};

use super::books::Books;
use super::lists::Page;
use super::params::Params;
use super::refusal::{Answer, Refusal};
use super::thin;
use super::webhooks::{Endpoint, Hooks};
use crate::dev::model::Event;

/// How long events can be read, in seconds.
const KEPT: i64 = 30 * 86_400;
/// Most names in `types`.
const MOST_TYPES: usize = 20;

/// `GET /v1/events`
pub(super) fn list(books: &Books, hooks: &Hooks, until: i64, mut params: Params) -> Answer {
    let page = Page::take(&mut params)?;
    let (kind, types) = (params.text("type")?, params.list("types")?);
    let delivered = params.flag("delivery_success")?;
    if kind.is_some() && !types.is_empty() {
        let message = "You may only specify one of these parameters: type, types.";
        return Err(params.bad("parameters_exclusive", "type", message));
    }
    if types.len() > MOST_TYPES {
        return Err(params.bad("", "types", "You may specify at most 20 types."));
    }
    params.finish()?;
    let oldest = books.account.now - KEPT;
    let wanted = |event: &&Event| {
        event.created >= oldest
            && event.created <= until
            && page.wants(event.created)
            && kind.as_deref().is_none_or(|kind| is_of(kind, &event.r#type))
            && (types.is_empty() || types.contains(&event.r#type))
            && delivered.is_none_or(|delivered| hooks.is_delivered(&event.id) == delivered)
    };
    let all: Vec<_> = books.account.events().iter().rev().filter(wanted).collect();
    page.cut(("event", "/v1/events"), &all, |event| &event.id, |event| parsed(event))
}

/// `GET /v1/events/:id`
pub(super) fn retrieve(books: &Books, id: &str, params: Params) -> Answer {
    params.finish()?;
    find(books, id).map(parsed).ok_or_else(|| Refusal::missing("event", "id", id))
}

/// `GET /v2/core/events/:id`
pub(super) fn retrieve_thin(books: &Books, id: &str, params: Params) -> Answer {
    params.finish()?;
    let event = thin::snapshot_id(id).and_then(|snapshot| find(books, &snapshot));
    event.map(thin::notification).ok_or_else(|| {
        let message = format!("Event '{id}' could not be found.");
        Refusal { kind: "invalid_request_error", ..Refusal::plain(404, "not_found", message) }
    })
}

/// An event that can still be read.
pub(super) fn find<'a>(books: &'a Books, id: &str) -> Option<&'a Event> {
    let oldest = books.account.now - KEPT;
    books.account.events().iter().find(|event| event.id == id && event.created >= oldest)
}

/// `GET /v1/webhook_endpoints`
pub(super) fn list_endpoints(hooks: &Hooks, livemode: bool, mut params: Params) -> Answer {
    let page = Page::take(&mut params)?;
    params.finish()?;
    let all: Vec<_> = hooks.endpoints.iter().rev().collect();
    let names = ("webhook endpoint", "/v1/webhook_endpoints");
    page.cut(names, &all, |endpoint| &endpoint.id, |endpoint| show(endpoint, livemode))
}

/// `GET /v1/webhook_endpoints/:id`
pub(super) fn retrieve_endpoint(hooks: &Hooks, livemode: bool, id: &str, params: Params) -> Answer {
    params.finish()?;
    let found = hooks.endpoints.iter().find(|endpoint| endpoint.id == id);
    found.map(|endpoint| show(endpoint, livemode)).ok_or_else(|| Refusal::missing("webhook endpoint", "id", id))
}

fn show(endpoint: &Endpoint, livemode: bool) -> Value {
    json!({
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "api_version": endpoint.api_version,
        "application": null,
        "created": endpoint.created,
        "description": null,
        "enabled_events": endpoint.enabled_events,
        "livemode": livemode,
        "metadata": {},
        "status": if endpoint.disabled { "disabled" } else { "enabled" },
        "url": endpoint.url,
    })
}

fn parsed(event: &Event) -> Value {
    serde_json::from_str(&event.body).unwrap_or_default()
}

/// Whether a type is named by a pattern such as `charge.dispute.*`.
fn is_of(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => pattern == kind,
    }
}

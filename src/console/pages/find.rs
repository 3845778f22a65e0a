//! Find: an order's reference, or any Stripe id. One hit leads there at once; none says what was tried.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::{Tone, code, foreign, note, to};
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Hit};

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    q: String,
}

pub(in crate::console) async fn find(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let term = asked.q.trim();
    let mut tx = console.reading().await?;
    let hits = if term.is_empty() { Vec::new() } else { queries::look_up(&mut tx, term).await? };
    if let Some(only) = hits.first() {
        return Ok(console.see(&place(term, only)));
    }
    let page =
        Page { title: "Find".to_owned(), section: None, is_test: false, refreshed: None, content: nowhere(term) };
    Ok(console.show(&who, now(), &page))
}

/// The page of what was found.
fn place(term: &str, hit: &Hit) -> String {
    match hit.kind.as_str() {
        "dispute" => to("/disputes/", term),
        "event" => to("/events/", term),
        // Only its events are known.
        "object" if hit.payment_id.is_none() => to("/events?object=", term),
        _ => to("/orders?id=", term),
    }
}

fn nowhere(term: &str) -> Markup {
    html! {
        @if term.is_empty() {
            p { "Type an order’s reference or any Stripe ID into the box above." }
        } @else {
            (note(Tone::Calm, &html! { p { "Nothing was found for " (code(term)) "." } }))
            p { (foreign(term)) }
        }
    }
}

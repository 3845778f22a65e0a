//! Orders: the list, and the story of one.

mod list;
mod sections;
mod statement;
mod story;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::console::Console;
use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::list::Cursor;
use crate::console::who::Who;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// An order's reference, or any Stripe id that belongs to it; none: the list.
    id: Option<String>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    hold: String,
    #[serde(default)]
    mode: String,
    #[serde(flatten)]
    cursor: Cursor,
}

/// The story of one order, or the list of all. A reference can hold any character, so it stands in the query.
pub(super) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    match &asked.id {
        Some(id) => story::show(&console, &who, id).await,
        None => list::show(&console, &who, asked).await,
    }
}

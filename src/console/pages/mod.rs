//! The pages: one file each, with a handler that reads and a pure function from what was read to markup.

mod disputes;

use axum::routing::get;

use super::routes::Routes;
use super::users::Right;

/// Every page and action, with the right that it takes.
pub(super) fn all() -> Routes {
    Routes::new().page("/disputes", Right::Read, get(disputes::list::show))
}

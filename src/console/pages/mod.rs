//! The pages: one file each, with a handler that reads and a pure function from what was read to markup.

mod disputes;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::routes::Routes;
use super::users::Right;
use disputes::{draft, evidence, files, list, show};

/// Every page and action, with the right that it takes.
pub(super) fn all() -> Routes {
    disputes_of(Routes::new())
}

fn disputes_of(routes: Routes) -> Routes {
    let texts = DefaultBodyLimit::max(evidence::LARGEST_FORM);
    let documents = DefaultBodyLimit::max(files::LARGEST_FORM);
    routes
        .page("/disputes", Right::Read, get(list::show))
        .page("/disputes/{id}", Right::Read, get(show::show))
        .page("/disputes/{id}/draft", Right::Respond, get(draft::show))
        .action("/disputes/{id}/draft", Right::Respond, post(draft::fill))
        .page("/disputes/{id}/evidence", Right::Respond, get(evidence::show))
        .action("/disputes/{id}/evidence", Right::Respond, post(evidence::save).layer(texts))
        .page("/disputes/{id}/files/{field}", Right::Respond, get(files::download))
        .action("/disputes/{id}/files/{field}", Right::Respond, post(files::attach).layer(documents))
        .action("/disputes/{id}/files/{field}/remove", Right::Respond, post(files::remove))
}

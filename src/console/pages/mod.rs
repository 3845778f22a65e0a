//! The pages: one file each, with a handler that reads and a pure function from what was read to markup.

mod activity;
mod chosen;
mod disputes;
mod events;
mod find;
mod follow_ups;
mod health;
mod orders;
mod outcomes;
mod payments;
mod refunds;
#[cfg(test)]
mod samples;
mod today;

use axum::Extension;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use self::follow_ups::change::Change;
use super::routes::Routes;
use super::users::Right;
use disputes::{accept, draft, evidence, files, list, show, submit};

/// Every page and action, with the right that it takes.
pub(super) fn all() -> Routes {
    let routes = Routes::new().page("/", Right::Read, get(today::show));
    watched(money(disputes_of(routes)))
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
        .page("/disputes/{id}/submit", Right::Respond, get(submit::show))
        .action("/disputes/{id}/submit", Right::Respond, post(submit::submit))
        .page("/disputes/{id}/accept", Right::Respond, get(accept::show))
        .action("/disputes/{id}/accept", Right::Respond, post(accept::accept))
        .page("/outcomes", Right::Read, get(outcomes::show))
        .page("/disputes/{id}/files/{field}", Right::Respond, get(files::download))
        .action("/disputes/{id}/files/{field}", Right::Respond, post(files::attach).layer(documents))
        .action("/disputes/{id}/files/{field}/remove", Right::Respond, post(files::remove))
}

/// What is mended when it is stuck, and what it was mended with.
fn watched(routes: Routes) -> Routes {
    use follow_ups::change::{act, ask};
    let (requeue, discard) = (Extension(Change::Requeue), Extension(Change::Discard));
    routes
        .page("/follow-ups", Right::Read, get(follow_ups::list::show))
        .page("/follow-ups/{id}", Right::Read, get(follow_ups::one::show))
        .page("/follow-ups/requeue", Right::Work, get(ask).layer(requeue))
        .action("/follow-ups/requeue", Right::Work, post(act).layer(requeue))
        .page("/follow-ups/discard", Right::Work, get(ask).layer(discard))
        .action("/follow-ups/discard", Right::Work, post(act).layer(discard))
        .page("/activity", Right::Read, get(activity::show))
        .page("/health", Right::Read, get(health::show))
        .page("/events", Right::Read, get(events::list::show))
        .page("/events/{id}", Right::Read, get(events::one::show))
        .page("/events/{id}/payload", Right::Payloads, get(events::one::download))
        .page("/events/replay", Right::Work, get(events::replay::ask))
        .action("/events/replay", Right::Work, post(events::replay::act))
}

/// What was paid, and what is given back.
fn money(routes: Routes) -> Routes {
    routes
        .page("/find", Right::Read, get(find::find))
        .page("/orders", Right::Read, get(orders::show))
        .page("/unlinked", Right::Read, get(payments::unlinked::show))
        .page("/payments/{id}/link", Right::Read, get(payments::link::ask))
        .action("/payments/{id}/link", Right::Work, post(payments::link::link))
        .page("/payments/{id}/refund", Right::Refund, get(payments::refund::ask))
        .action("/payments/{id}/refund/review", Right::Refund, post(payments::refund::review))
        .action("/payments/{id}/refund", Right::Refund, post(payments::refund::request))
        .page("/refunds", Right::Read, get(refunds::list::show))
        .page("/refunds/{id}", Right::Read, get(refunds::one::show))
        .action("/refunds/{id}/cancel", Right::Refund, post(refunds::one::cancel))
}

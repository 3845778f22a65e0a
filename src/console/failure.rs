//! Why a page cannot be shown or an action not be done, and the page that says so.
//!
//! A handler returns a [`Failure`]; [`dress`] makes a page of it, in the frame of whoever asked. No answer holds an
//! internal error: those are in the log.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use tracing::{error, warn};

use super::frame::Page;
use super::users::Right;
use super::who::Who;
use super::{Console, login, now};
use crate::store::sqlstate;

/// What our functions refuse in words for the caller: a wrong argument, a conflict, a state that does not allow it, an
/// unknown id.
const REFUSALS: [&str; 6] = ["22023", "23505", "40001", "55000", "CB409", "P0002"];
/// A time-out of a statement or a lock.
const TOO_SLOW: [&str; 2] = ["57014", "55P03"];

/// Why something was not done.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Nobody is logged in.
    NobodyLoggedIn,
    /// A form was sent after the session ended: where, and its content.
    LoggedOutMeanwhile(login::Unsent),
    /// The proxy's header is missing, doubled or empty, or the peer is not the proxy.
    NotFromProxy,
    /// The proxy names somebody who is not a user.
    UnknownUser,
    /// A right is missing.
    Forbidden(Right),
    /// What was asked for does not exist: a sentence.
    NotFound(String),
    /// The address or the form cannot be read: a sentence.
    Unreadable(String),
    /// A function of the database refused: its sentence.
    Refused(String),
    /// The request came from another site, or from no page at all.
    CrossSite,
    /// The host is not that of the console.
    ForeignHost,
    /// Too large for a form.
    TooLarge,
    /// Too many requests at once, or the database is too slow.
    Busy,
    /// The database could not be asked.
    NoDatabase,
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::NobodyLoggedIn | Self::LoggedOutMeanwhile(_) | Self::NotFromProxy => StatusCode::UNAUTHORIZED,
            Self::UnknownUser | Self::Forbidden(_) | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::ForeignHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::NoDatabase => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::NobodyLoggedIn | Self::LoggedOutMeanwhile(_) => "Log in",
            Self::NotFromProxy | Self::UnknownUser | Self::Forbidden(_) | Self::CrossSite => "Not allowed",
            Self::NotFound(_) => "Not found",
            Self::Unreadable(_) => "Cannot be read",
            Self::Refused(_) => "Not done",
            Self::ForeignHost => "Wrong address",
            Self::TooLarge => "Too large",
            Self::Busy | Self::NoDatabase => "Not available",
        }
    }

    fn said(&self) -> Markup {
        let text = match self {
            Self::NobodyLoggedIn | Self::LoggedOutMeanwhile(_) => "You are not logged in.".to_owned(),
            Self::NotFromProxy => {
                "This console is entered through its proxy, and the request did not come from there with one name in the \
                 header."
                    .to_owned()
            }
            Self::UnknownUser => "The proxy knows you, but you are not in the list of this console's users.".to_owned(),
            Self::Forbidden(right) => format!("You lack the right “{right}”. Ask whoever runs this service."),
            Self::NotFound(what) | Self::Unreadable(what) | Self::Refused(what) => what.clone(),
            Self::CrossSite => {
                "This form was sent from another site, or not by a browser: open the page here and send it again.".to_owned()
            }
            Self::ForeignHost => "This is not the address of the console.".to_owned(),
            Self::TooLarge => "More was sent than this form takes.".to_owned(),
            Self::Busy => "The database is busy. Nothing was changed. Try again in a moment.".to_owned(),
            Self::NoDatabase => {
                "The database does not answer. Events are still accepted or resent by Stripe. Try again in a moment.".to_owned()
            }
        };
        html! { p { (super::parts::foreign(&text)) } }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<sqlx::Error> for Failure {
    /// Refusals in words are shown; whatever else is logged.
    fn from(error: sqlx::Error) -> Self {
        if let Some(sentence) = refusal(&error) {
            return Self::Refused(sentence);
        }
        if sqlstate::is_any(&error, &TOO_SLOW) || matches!(error, sqlx::Error::PoolTimedOut) {
            warn!(%error, "console: the database was too slow");
            return Self::Busy;
        }
        error!(%error, "console: the database could not be asked");
        Self::NoDatabase
    }
}

/// The sentence with which a function of ours refused, with its hint; none for any other error.
pub(super) fn refusal(error: &sqlx::Error) -> Option<String> {
    let refused = error.as_database_error().filter(|_| sqlstate::is_any(error, &REFUSALS))?;
    Some(refused.message().to_owned())
}

/// Makes a page of a failure.
pub(super) async fn dress(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let (path, is_poll) = (login::wanted(&request), request.headers().contains_key("x-console-refresh"));
    let is_page = request.method() == Method::GET && !is_poll;
    let mut response = next.run(request).await;
    let Some(failure) = response.extensions_mut().remove::<Failure>() else { return response };
    let who = response.extensions_mut().remove::<Who>();
    if let (Failure::NobodyLoggedIn, true) = (&failure, is_page) {
        return console.see(&super::parts::to("/login?next=", &path));
    }
    let content = match &failure {
        Failure::LoggedOutMeanwhile(unsent) => login::again(unsent),
        _ => html! { (failure.said()) @if who.is_some() { p { a href="~/" { "To the first page" } } } },
    };
    let page = Page { title: failure.title().to_owned(), section: None, is_test: false, refreshed: None, content };
    let mut dressed = console.show_as(failure.status(), who.as_ref(), now(), &page);
    dressed.headers_mut().remove(header::ETAG);
    dressed
}

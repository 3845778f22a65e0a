//! Why a page cannot be shown or an action not be done.
//!
//! A handler returns a [`Failure`]; [`super::failure_page`] makes a page of it, in the frame of whoever asked. No answer
//! holds an internal error: those are in the log.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tracing::{error, warn};

use super::unsent::Unsent;
use super::users::Right;
use crate::store::sqlstate;

/// What our functions refuse in words for the caller: a wrong argument, a conflict, a state that does not allow it, an
/// unknown id; and a null character, which Postgres stores nowhere.
const REFUSALS: [&str; 6] = ["22023", "23505", "40001", "55000", "CB409", "P0002"];
/// A text that Postgres cannot hold.
const UNREADABLE: [&str; 1] = ["22021"];
/// A time-out of a statement or a lock.
const TOO_SLOW: [&str; 2] = ["57014", "55P03"];

/// Why something was not done.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Nobody is logged in.
    NobodyLoggedIn,
    /// A form was sent after the session ended: where, and its content.
    LoggedOutMeanwhile(Unsent),
    /// The link that works once was used.
    LinkUsed,
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
    /// The console's database role lacks a right.
    NoGrant,
    /// The database could not be asked.
    NoDatabase,
}

impl Failure {
    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NobodyLoggedIn | Self::LoggedOutMeanwhile(_) | Self::LinkUsed | Self::NotFromProxy => {
                StatusCode::UNAUTHORIZED
            }
            Self::UnknownUser | Self::Forbidden(_) | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::ForeignHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy | Self::NoGrant | Self::NoDatabase => StatusCode::SERVICE_UNAVAILABLE,
        }
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
        if sqlstate::is_any(&error, &UNREADABLE) {
            return Self::Unreadable("It holds a character that cannot be stored: a null character.".to_owned());
        }
        if sqlstate::forbidden(&error) {
            error!(%error, "console: its database role lacks a right");
            return Self::NoGrant;
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

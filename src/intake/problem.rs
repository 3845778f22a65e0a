//! What can be wrong with the writer's connection. Pure.

use std::time::Duration;

use super::Unavailable;
use crate::store::health::Access;
use crate::store::sqlstate;
use crate::terminal::error_chain::error_chain;

/// For one batch, and for connecting. With [`WAIT_LIMIT`] before it, a delivery is answered within 5 s,
/// whatever happens. Stripe does not document its time-out; this is well below any likely one.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(3);

/// How long an event may wait for its batch: behind a database that is slow it is refused, and Stripe resends it.
pub(super) const WAIT_LIMIT: Duration = Duration::from_secs(2);

/// Why a connection cannot be used, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{}", error_chain(.0))]
    Database(#[from] sqlx::Error),
    #[error("no answer within {} s", TIME_LIMIT.as_secs())]
    TooSlow,
    #[error("{}", .0.explanation())]
    NotWritable(Access),
}

impl Problem {
    /// What waiting requests are answered meanwhile.
    pub(super) fn reason(&self) -> Unavailable {
        match self {
            Self::Database(_) | Self::TooSlow => Unavailable::NoDatabase,
            Self::NotWritable(_) => Unavailable::NotDurable,
        }
    }

    /// Whether the connection broke, which the next one may mend within a moment.
    pub(super) fn is_lost_connection(&self) -> bool {
        matches!(self, Self::Database(error) if error.as_database_error().is_none())
    }

    /// Whether one event's data was refused. Then the others of the batch can be stored; after anything else
    /// (connection lost, read-only server, unknown commit) it is unknown what was stored.
    ///
    /// 21 cardinality violation, 22 data exception, 23 integrity constraint violation, 54 program limit exceeded.
    pub(super) fn is_about_data(&self) -> bool {
        match self {
            Self::Database(error) => sqlstate::is_any(error, &["21", "22", "23", "54"]),
            Self::TooSlow | Self::NotWritable(_) => false,
        }
    }
}

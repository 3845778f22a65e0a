//! What can be wrong with the writer's connection, and how to mend it. Pure.

use std::time::Duration;

use super::Unavailable;
use crate::store::inbox::Durability;

/// For one statement, and for connecting. Stripe does not say how long it waits: well under that.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Why a connection is of no use, or no longer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    #[error("no answer within {} s", TIME_LIMIT.as_secs())]
    TooSlow,
    #[error("{}", remedy(*.0))]
    NotDurable(Durability),
}

impl Problem {
    /// What those are told who wait while it lasts.
    pub(super) fn reason(&self) -> Unavailable {
        match self {
            Self::Database(_) | Self::TooSlow => Unavailable::NoDatabase,
            Self::NotDurable(_) => Unavailable::NotDurable,
        }
    }

    /// Whether the fault lies in an event. Then its neighbours can be stored; after anything else
    /// (connection lost, read-only server, unknown commit) nothing is certain.
    ///
    /// SQLSTATE 21 cardinality violation, 22 data exception, 23 integrity constraint violation,
    /// 54 program limit exceeded: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    pub(super) fn is_about_data(&self) -> bool {
        match self {
            Self::Database(error) => error
                .as_database_error()
                .and_then(|error| error.code())
                .is_some_and(|code| ["21", "22", "23", "54"].iter().any(|c| code.starts_with(c))),
            Self::TooSlow | Self::NotDurable(_) => false,
        }
    }
}

fn remedy(durability: Durability) -> &'static str {
    match durability {
        Durability::Durable => "the server is durable",
        Durability::Standby => "the server is a standby: point DATABASE_URL at the primary, or promote it",
        Durability::ReadOnly => {
            "transactions are read-only: set default_transaction_read_only = off \
             for this server, database or role"
        }
    }
}

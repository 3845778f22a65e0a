//! Connections whose waits end on the server too.
//!
//! A client that gives up leaves its statement running, with its locks, and one that vanishes leaves its session. So the
//! server is asked to end both. Not here: the shorter limits of a transaction, which it sets for itself.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::timeout;

use super::sqlstate;

/// How long an answer to a short statement, or to connecting, is waited for. It is reached when the network is silent.
pub const SILENT: Duration = Duration::from_secs(5);
/// A client that is gone ends its statement within a second, one that cannot be reached its session within some twenty.
const OF_CLIENT: [(&str, &str); 5] = [
    ("client_connection_check_interval", "1s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "3"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];

/// Connects, and asks the server to end each statement after this time.
///
/// A transaction pooler keeps no settings for a session and refuses them, or drops them silently: then the settings of the
/// role are in force, which `clawback doctor` looks at.
///
/// # Errors
/// Any error of the database.
pub async fn connect(database: &PgConnectOptions, statement: Duration) -> sqlx::Result<PgConnection> {
    let limits = database.clone().options(OF_CLIENT).options([("statement_timeout", statement.as_millis())]);
    match limits.connect().await {
        // Refused by a pooler (protocol violation), or by a server on a system that lacks one of them.
        Err(error) if sqlstate::is_any(&error, &["08P01", "22023"]) => database.connect().await,
        connected => connected,
    }
}

/// After what time the server ends a statement of this connection, as it writes it; none: it never does.
///
/// # Errors
/// Any error of the database.
pub async fn statement_limit(conn: &mut PgConnection) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select nullif(current_setting('statement_timeout'), '0')").fetch_one(conn).await
}

/// Waits for an answer for at most [`SILENT`]. The connection must not be used again when it is late.
///
/// # Errors
/// Those of the statement, and `TimedOut`.
pub async fn within<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(SILENT, answer).await.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())))
}

//! The database as commands for people reach it: within seconds, or with one sentence that says why not.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::bail;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::config;
use crate::store::session;
use crate::terminal::error_chain::error_chain;

/// A host that drops packets never answers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one answer: a connection that is cut silently gives none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Connects, or says what was tried.
pub(crate) async fn connect(database: &config::Database) -> anyhow::Result<PgConnection> {
    reach(&database.options()?).await
}

/// The same, with the settings as they were read.
pub(crate) async fn reach(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let place = place(options);
    match timeout(CONNECT_TIMEOUT, session::open(options)).await {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(error)) => bail!("cannot connect to the database at {place}: {}", unreachable(&error)),
        Err(_) => bail!(
            "cannot connect to the database at {place}: no answer within {} s: check the host and port in DATABASE_URL, \
             and any firewall",
            CONNECT_TIMEOUT.as_secs()
        ),
    }
}

/// Host and port, or the folder of its socket.
pub(crate) fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// Why it cannot be reached, and what to check.
pub(crate) fn unreachable(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(cause) if cause.kind() == ErrorKind::ConnectionRefused => {
            "connection refused: check that Postgres is running there, and the host and port in DATABASE_URL".to_owned()
        }
        sqlx::Error::Io(cause) => format!("{cause}: check the host and port in DATABASE_URL"),
        error => format!("{}: check DATABASE_URL", error_chain(error)),
    }
}

/// Waits for an answer, but not for ever.
pub(crate) async fn answer<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = |_| sqlx::Error::Protocol(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()));
    timeout(ANSWER_TIMEOUT, asked).await.map_err(late)?
}

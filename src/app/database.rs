//! The database of the commands for people: connected to within seconds, and what it refuses is said with
//! what mends it.

use std::time::Duration;

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::timeout;

use super::config;
use crate::terminal::causes::causes;

/// A host that drops packets never answers.
const PATIENCE: Duration = Duration::from_secs(5);
/// For one answer: a connection that was cut without a word gives none.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// `insufficient_privilege`.
const FORBIDDEN: &str = "42501";

/// Connects, or says what was tried.
pub(crate) async fn connect(database: &config::Database) -> anyhow::Result<PgConnection> {
    reach(&database.options()?).await
}

/// The same, with what was read of the settings.
pub(crate) async fn reach(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    let (host, port) = (options.get_host(), options.get_port());
    let connected = timeout(PATIENCE, options.connect()).await.context("no answer within 5 s").and_then(|c| Ok(c?));
    connected.map_err(|error| {
        let why = causes(error.as_ref());
        anyhow::anyhow!("the database on {host}:{port} cannot be reached: {why}. Is it up, and DATABASE_URL right?")
    })
}

/// Waits for an answer, but not for ever.
pub(crate) async fn answer<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = |_| sqlx::Error::Protocol(format!("no answer within {} s", ANSWERED_WITHIN.as_secs()));
    timeout(ANSWERED_WITHIN, asked).await.map_err(late)?
}

/// What was asked for; none when this role may not see it.
pub(crate) fn permitted<T>(answer: sqlx::Result<T>) -> sqlx::Result<Option<T>> {
    match answer {
        Err(error) if forbidden(&error) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Whether the role lacks a right.
pub(crate) fn forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|refusal| refusal.code().as_deref() == Some(FORBIDDEN))
}

/// Adds to an error what mends it, where the database's code tells.
pub(crate) fn mended(error: anyhow::Error) -> anyhow::Error {
    let refusal = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    let mend = match refusal.and_then(|refusal| refusal.code()).as_deref() {
        Some(FORBIDDEN) => "connect as the owner of schema clawback, or give the role what `clawback grants` prints",
        Some("3F000" | "42P01" | "42703" | "42883") => "the database is behind this binary: run `clawback migrate`",
        _ => return error,
    };
    anyhow::anyhow!("{}: {mend}", causes(error.as_ref()))
}

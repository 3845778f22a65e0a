//! Runs migrations, retries them while others hold a lock, and explains why one failed.

use std::time::Duration;

use sqlx::Connection;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use tokio::time::sleep;

pub(crate) use super::database::place;
use super::database::unreachable;
use crate::store::{migrations, session, settings, sqlstate};
use crate::terminal::error_chain::error_chain;

/// How often a migration that gets no lock is tried, about three seconds each time.
const TRIES: u32 = 20;
/// Pause between two attempts, in which whoever queued behind the lock goes on.
const PAUSE: Duration = Duration::from_secs(1);

/// Connects and runs pending migrations; retries for about a minute while others hold a lock.
///
/// # Errors
/// Any error of the database; `Execute` when it is unreachable.
pub async fn migrate(database: &PgConnectOptions) -> Result<(), MigrateError> {
    for _ in 1..TRIES {
        match migrate_once(database).await {
            Err(error) if is_locked(&error) => sleep(PAUSE).await,
            done => return done,
        }
    }
    migrate_once(database).await
}

/// `lock_not_available`.
fn is_locked(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    sqlstate::is_any(error, &["55P03"])
}

async fn migrate_once(database: &PgConnectOptions) -> Result<(), MigrateError> {
    let mut conn = session::open(database).await?;
    migrations::migrate(&mut conn).await?;
    Ok(conn.close().await?)
}

/// [`migrate`] for a database that gets stories: their follow-ups are ready however long ago they happened.
///
/// # Errors
/// Those of [`migrate`].
pub async fn for_stories(database: &PgConnectOptions) -> Result<(), MigrateError> {
    migrate(database).await?;
    let mut conn = session::open(database).await?;
    settings::treat_nothing_as_history(&mut conn).await?;
    Ok(conn.close().await?)
}

/// Why migrations could not run, and what to do.
pub(crate) fn why(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) if sqlstate::forbidden(error) => {
            format!(
                "{}: connect as the owner of schema clawback; `clawback doctor` tells who that is",
                error_chain(error)
            )
        }
        MigrateError::Execute(error @ sqlx::Error::Io(_)) => unreachable(error),
        MigrateError::Execute(error) => error_chain(error),
        MigrateError::ExecuteMigration(error, version) => format!("migration {version}: {}", error_chain(error)),
        MigrateError::VersionMismatch(version) => altered(&[*version]),
        error => error_chain(error),
    }
}

/// What to do about applied migrations whose checksums are not those of this binary.
pub(crate) fn altered(versions: &[i64]) -> String {
    let versions: Vec<String> = versions.iter().map(i64::to_string).collect();
    format!(
        "checksum mismatch of migration{} {}: not the text that this binary has. Run the release that migrated this \
         database, or report it",
        if versions.len() == 1 { "" } else { "s" },
        versions.join(", ")
    )
}

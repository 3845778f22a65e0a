//! The migrations, built into the binary. Their own table is in schema `clawback`, so that a role that owns nothing else
//! in the database can run them.

use sqlx::PgConnection;
use sqlx::migrate::{MigrateError, Migrator};

use super::session;

/// All migrations of this binary. A newer schema than this binary's is no error: during a rollout the older release runs
/// beside the newer one.
#[must_use]
pub fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!();
    migrator.create_schema("clawback");
    migrator.dangerous_set_table_name("clawback.migrations");
    migrator.set_ignore_missing(true);
    migrator
}

/// The version a database must have reached for this binary.
#[must_use]
pub fn required_version() -> i64 {
    migrator().iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The migrations of this binary that the database lacks.
async fn pending(conn: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let applied = applied(conn).await?;
    let migrator = migrator();
    let versions = migrator.iter().map(|migration| migration.version);
    Ok(versions.filter(|version| applied.iter().all(|(done, _)| done != version)).collect())
}

/// The applied migrations whose checksum differs from this binary's.
pub async fn altered(conn: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let applied = applied(conn).await?;
    let migrator = migrator();
    let other = |version: i64, checksum: &[u8]| {
        applied.iter().any(|(done, applied)| *done == version && applied.as_slice() != checksum)
    };
    let altered = migrator.iter().filter(|migration| other(migration.version, &migration.checksum));
    Ok(altered.map(|migration| migration.version).collect())
}

/// The applied migrations, with their checksums.
async fn applied(conn: &mut PgConnection) -> sqlx::Result<Vec<(i64, Vec<u8>)>> {
    // Not checked at compile time: the table is made by the migrator, not by a migration.
    let there = sqlx::query_scalar("select to_regclass('clawback.migrations') is not null").fetch_one(&mut *conn);
    if !there.await? {
        return Ok(Vec::new());
    }
    sqlx::query_as("select version, checksum from clawback.migrations where success order by version")
        .fetch_all(conn)
        .await
}

/// Foreign keys of schema `clawback` after all migrations.
pub const FOREIGN_KEYS: i64 = 10;

/// Whether the schema has all its foreign keys, which `pg_restore` makes last. Before that, writing would be in the way of
/// a restore: of two that wait for each other one fails, and a key may be left out.
///
/// # Errors
/// Any error of the database.
pub async fn is_whole(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select count(*) >= $1 as "is_whole!" from pg_constraint
           where contype = 'f' and connamespace = (select oid from pg_namespace where nspname = 'clawback')"#,
        FOREIGN_KEYS
    )
    .fetch_one(conn)
    .await
}

/// Runs the pending migrations; safe to run from several replicas at once. Writes nothing when none is pending, so it
/// works on a standby. Fails when a lock takes longer than 2 s: everything that queues behind a waiting migration would
/// wait too, a running service included.
pub async fn migrate(conn: &mut PgConnection) -> Result<(), MigrateError> {
    session::use_own_names(conn).await?;
    sqlx::query("select set_config('lock_timeout', '2s', false), set_config('statement_timeout', '0', false)")
        .execute(&mut *conn)
        .await?;
    if let Some(version) = altered(conn).await?.first() {
        return Err(MigrateError::VersionMismatch(*version));
    }
    if pending(conn).await?.is_empty() {
        return Ok(());
    }
    // `run` asks for an `Acquire`, with which no future of ours would be `Send`.
    migrator().run_direct(None, conn, false).await
}

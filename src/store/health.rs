//! What a database says of itself. Not here: whether that is good enough.

use sqlx::PgConnection;

/// The newest migration that was applied, or none on a database that was never migrated.
///
/// # Errors
///
/// Any error of the database.
pub async fn schema_version(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    // Not checked at compile time: the table is made by the migrator, not by a migration.
    let version =
        sqlx::query_scalar("select max(version) from clawback.migrations where success").fetch_one(conn).await;
    match version {
        Err(sqlx::Error::Database(error)) if is_unknown_table(error.code().as_deref()) => Ok(None),
        other => other,
    }
}

/// `undefined_table`. A schema that does not exist is reported by the same code.
fn is_unknown_table(code: Option<&str>) -> bool {
    code == Some("42P01")
}

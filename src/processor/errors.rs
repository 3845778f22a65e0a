//! What an error of a batch says: about the connection, about its events, or about neither.
//!
//! Not here: what follows from it.

use sqlx::PgConnection;

use crate::apply::Cause;
use crate::store::{health, migrations, sqlstate};

/// The connection must not be used again.
pub(super) fn is_disconnected(error: &sqlx::Error) -> bool {
    use sqlx::Error::{ColumnDecode, Database, Decode, Encode};
    !matches!(error, Database(_) | ColumnDecode { .. } | Decode(_) | Encode(_))
}

/// Errors that say nothing about the events: connection (08), read-only server (25), deadlock (40), missing migration
/// or grant (42), out of resources (53), lock time-out (55), shutdown or cancelled statement (57), system error (58).
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    sqlstate::is_any(error, &["08", "25", "40", "42", "53", "55", "57", "58"])
}

/// For an event that failed alone. A constraint violation (23) may be one of a newer release's constraints, which that
/// release satisfies.
pub(super) async fn is_unrelated_to_event(conn: &mut PgConnection, cause: &Cause) -> Result<bool, sqlx::Error> {
    let Cause::Database(error) = cause else { return Ok(false) };
    if sqlstate::is_any(error, &["23"]) {
        return Ok(health::schema_version(conn).await? > Some(migrations::required_version()));
    }
    Ok(is_transient(error) && !took_too_long(error))
}

/// A statement timed out: for an event alone that is its own fault, and would repeat for ever.
pub(super) fn took_too_long(error: &sqlx::Error) -> bool {
    sqlstate::is_any(error, &["57014"])
}

//! Sessions of the console: stub.

use std::time::Duration;

use sqlx::PgConnection;

/// Stub.
///
/// # Errors
/// None.
pub async fn session(_: &mut PgConnection, _: &[u8; 32], _: Duration) -> sqlx::Result<Option<String>> {
    Ok(None)
}

/// Stub.
///
/// # Errors
/// None.
pub async fn open_session(_: &mut PgConnection, _: &[u8; 32], _: &str, _: Duration) -> sqlx::Result<()> {
    Ok(())
}

/// Stub.
///
/// # Errors
/// None.
pub async fn close_session(_: &mut PgConnection, _: &[u8; 32]) -> sqlx::Result<()> {
    Ok(())
}

/// Stub.
///
/// # Errors
/// None.
pub async fn record_refused_log_in(_: &mut PgConnection, _: &str, _: &str) -> sqlx::Result<()> {
    Ok(())
}

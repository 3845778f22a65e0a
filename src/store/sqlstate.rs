//! The codes with which Postgres refuses: <https://www.postgresql.org/docs/current/errcodes-appendix.html>

/// Whether the database refused with one of these codes, or with a code of one of these classes (its first two letters).
#[must_use]
pub fn is_any(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|refusal| refusal.code());
    code.is_some_and(|code| codes.iter().any(|known| code.starts_with(known)))
}

/// What was asked for; none when this role may not see it. Not for use within a transaction: a refusal aborts it.
///
/// # Errors
/// Any other error of the database.
pub fn permitted<T>(answer: sqlx::Result<T>) -> sqlx::Result<Option<T>> {
    match answer {
        Err(error) if forbidden(&error) => Ok(None),
        answer => answer.map(Some),
    }
}

/// Whether the role lacks a right: `insufficient_privilege`.
#[must_use]
pub fn forbidden(error: &sqlx::Error) -> bool {
    is_any(error, &["42501"])
}

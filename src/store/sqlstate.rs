//! The codes with which Postgres refuses: <https://www.postgresql.org/docs/current/errcodes-appendix.html>

/// Whether the database refused with one of these codes, or with a code of one of these classes (its first two letters).
#[must_use]
pub fn is_any(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|refusal| refusal.code());
    code.is_some_and(|code| codes.iter().any(|known| code.starts_with(known)))
}

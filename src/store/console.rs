//! Sessions of the console, and the record of who logged in and out.
//!
//! Functions that record an action need a transaction, in which [`super::queries::act_as`] holds. Not here: tokens,
//! passwords and cookies. A session is known here by the SHA-256 of its token.

use std::time::Duration;

use sqlx::PgConnection;

use super::queries::{Via, act_as};

/// How much of a claimed name is kept, in characters.
const LONGEST_NAME: usize = 255;

/// Opens a session that ends after `lives_for` at the latest, records the log-in, and deletes expired sessions.
///
/// # Errors
/// The database's, also when the token is in use or the name is empty or longer than 255 characters.
pub async fn open_session(
    conn: &mut PgConnection,
    token_hash: &[u8; 32],
    person: &str,
    lives_for: Duration,
) -> sqlx::Result<()> {
    sqlx::query!("delete from clawback.console_sessions where expires_at <= now()").execute(&mut *conn).await?;
    sqlx::query!(
        "insert into clawback.console_sessions (token_hash, person, expires_at)
         values ($1, $2, now() + make_interval(secs => $3))",
        token_hash,
        person,
        lives_for.as_secs_f64()
    )
    .execute(&mut *conn)
    .await?;
    act_as(conn, Some(person), Via::Console).await?;
    record(conn, "log_in", person).await
}

/// The person of the first of these sessions that there is; none when there is none, it expired, or it was not used for
/// `idle`. `is_use`: this counts as use.
pub async fn session(
    conn: &mut PgConnection,
    token_hashes: &[[u8; 32]],
    idle: Duration,
    is_use: bool,
) -> sqlx::Result<Option<String>> {
    let hashes: Vec<&[u8]> = token_hashes.iter().map(<[u8; 32]>::as_slice).collect();
    sqlx::query_scalar!(
        r#"with live as (
               select token_hash, person, seen_at from clawback.console_sessions
               where token_hash = any($1::bytea[]) and expires_at > now() and seen_at > now() - make_interval(secs => $2)
               limit 1
           ), used as (
               update clawback.console_sessions s set seen_at = now() from live
               -- Every page asks: most of them must not write.
               where s.token_hash = live.token_hash and live.seen_at < now() - interval '1 minute' and $3
           )
           select person as "person!" from live"#,
        &hashes as &[&[u8]],
        idle.as_secs_f64(),
        is_use
    )
    .fetch_optional(conn)
    .await
}

/// Ends a session and records the log-out; does nothing when there is no such session.
pub async fn close_session(conn: &mut PgConnection, token_hash: &[u8; 32]) -> sqlx::Result<()> {
    let closed =
        sqlx::query_scalar!("delete from clawback.console_sessions where token_hash = $1 returning person", token_hash);
    let Some(person) = closed.fetch_optional(&mut *conn).await? else { return Ok(()) };
    act_as(conn, Some(&person), Via::Console).await?;
    record(conn, "log_out", &person).await
}

/// Records that somebody at `peer` claimed to be `name` and was refused. The actor is the role.
pub async fn record_refused_log_in(conn: &mut PgConnection, name: &str, peer: &str) -> sqlx::Result<()> {
    // Postgres cannot store a null character.
    let name: String = name.chars().filter(|letter| *letter != '\0').take(LONGEST_NAME).collect();
    act_as(conn, None, Via::Console).await?;
    sqlx::query!(
        "select clawback.record_action('log_in_refused', 'session', $1, null, jsonb_build_object('peer', $2::text))
             as recorded",
        name,
        peer
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

async fn record(conn: &mut PgConnection, action: &str, person: &str) -> sqlx::Result<()> {
    sqlx::query!("select clawback.record_action($1, 'session', $2, null, null) as recorded", action, person)
        .fetch_one(conn)
        .await
        .map(drop)
}

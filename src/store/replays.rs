//! Having things done again: events that were processed, follow-ups that were done. Each time it is
//! written down who asked.

use serde_json::Value;
use sqlx::PgConnection;

use super::interface::EventFilter;

/// Who asks for events to be processed again, and why. The database adds its own user's name.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The person, if known.
    pub person: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
}

/// Lets events be processed again and writes down who asks, and why. An event whose body was pruned
/// cannot be. Returns the ids of those that will be.
pub async fn replay(conn: &mut PgConnection, event_ids: &[String], asked: &Asked<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "with again as (
             update clawback.events e
             set state = 'pending', processed_at = null, last_error = null, attempts = 0
             from clawback.event_payloads b
             where e.event_id = any($1) and b.event_id = e.event_id and e.state <> 'pending'
             returning e.event_id, e.seq
         ), asked as (
             insert into clawback.replays (event_id, person, reason) select event_id, $2, $3 from again
         ), forgiven as (
             delete from clawback.failed_events f using again a where f.event_id = a.event_id
         ), waiting as (
             insert into clawback.pending_events (seq, event_id) select seq, event_id from again
         )
         select event_id from again",
        event_ids,
        asked.person,
        asked.reason
    )
    .fetch_all(conn)
    .await
}

/// The ids of events that can be replayed, the oldest first.
pub async fn replayable(conn: &mut PgConnection, like: &EventFilter) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select e.event_id from clawback.events e
         where e.state <> 'pending' and ($1::text is null or e.state = $1) and ($2::text is null or e.type = $2)
             and ($3::text is null or e.object_id = $3) and ($4::timestamptz is null or e.received_at >= $4)
             and ($5::timestamptz is null or e.received_at < $5)
             and exists (select from clawback.event_payloads b where b.event_id = e.event_id)
         order by e.seq",
        like.state,
        like.event_type,
        like.object_id,
        like.since,
        like.until
    )
    .fetch_all(conn)
    .await
}

/// How many events wait to be processed.
pub async fn pending(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from clawback.pending_events"#).fetch_one(conn).await
}

/// Who asked for an event to be processed again, when and why, the first first.
pub async fn replays(conn: &mut PgConnection, event_id: &str) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select requested_at, person, requested_by, reason from clawback.replays
               where event_id = $1
               order by id) r"#,
        event_id
    )
    .fetch_all(conn)
    .await
}

/// Who asked for a follow-up to be done again, and when, the first first.
pub async fn requeues(conn: &mut PgConnection, follow_up_id: i64) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select requested_at, person, requested_by from clawback.requeues
               where follow_up_id = $1
               order by id) r"#,
        follow_up_id
    )
    .fetch_all(conn)
    .await
}

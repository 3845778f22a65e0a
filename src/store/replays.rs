//! Replays: which events can be processed again, and how many are pending.

use sqlx::PgConnection;

use super::queries::EventFilter;

/// The ids of events that can be replayed, the oldest first.
pub async fn replayable(conn: &mut PgConnection, like: &EventFilter) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select e.event_id from clawback.events e
         where e.state <> 'pending' and ($1::text is null or e.state = $1) and ($2::text is null or e.type = $2)
             and ($3::text[] is null or e.object_id = any($3)) and ($4::timestamptz is null or e.received_at >= $4)
             and ($5::timestamptz is null or e.received_at < $5)
             and (not $6::boolean or e.state = 'processed' and e.last_error is not null)
             and exists (select from clawback.event_payloads b where b.event_id = e.event_id)
         order by e.seq",
        like.state,
        like.event_type,
        like.object_ids.as_deref(),
        like.since,
        like.until,
        like.noted
    )
    .fetch_all(conn)
    .await
}

/// How many events are pending.
pub async fn pending(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from clawback.pending_events"#).fetch_one(conn).await
}

//! The inbox: stores events as received, before they are acknowledged.
//!
//! Not here: taking pending events out again (`ledger.rs`).

use sqlx::PgConnection;

use super::column;
use crate::stripe::envelope::Envelope;

/// A verified event to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What the ledger has columns for.
    pub envelope: Envelope,
    /// The body exactly as it was signed: valid JSON, which cannot hold a raw NUL byte.
    pub payload: String,
    /// Its `livemode` is the mode of the secret that signed it. If not, it is kept apart.
    pub mode_matches: bool,
}

/// Stores the new ones of these events, with their bodies and a pending row each, and returns their ids. The others
/// were stored before, or their mode does not match: these go to `unvouched_events` and are not processed.
///
/// The ids must be sorted, and unique within each of the two kinds: overlapping batches of two replicas would otherwise
/// deadlock. One statement, so that outside a transaction it is also one commit.
///
/// # Errors
/// Any error of the database. After one that is not about the data, the events may or may not have been stored; storing
/// them again is safe.
pub async fn record(conn: &mut PgConnection, events: &[NewEvent]) -> Result<Vec<String>, sqlx::Error> {
    // `fetch_all` returns when the server is ready for the next query, which is after the commit. Stopping at the last
    // row would report an event as stored whose commit can still fail.
    sqlx::query_scalar!(
        r#"
        with durable as materialized (
            -- The commit is on disk before it is acknowledged, whatever the server's setting; a stronger one stays.
            select case when current_setting('synchronous_commit') = 'off'
                        then set_config('synchronous_commit', 'on', true) else 'on' end as setting
        ), received as materialized (
            select t.*
            from durable
            cross join unnest(
                $1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[],
                $7::bigint[], $8::text[], $9::boolean[]
            ) as t (event_id, type, api_version, account, livemode, object_id, created, payload, mode_matches)
            -- Only if the setting was made. A plain read skips known ids: `on conflict` would wait for whoever holds
            -- the row. `offset 0` keeps the look-up on the index, however stale the statistics.
            where durable.setting = 'on'
                and not exists (select from clawback.events e where e.event_id = t.event_id offset 0)
        ), apart as (
            insert into clawback.unvouched_events
                (event_id, type, api_version, account, livemode, object_id, created_at, payload)
            select r.event_id, r.type, r.api_version, r.account, r.livemode, r.object_id, to_timestamp(r.created),
                   r.payload
            from received r
            where not r.mode_matches
                and not exists (select from clawback.unvouched_events u where u.event_id = r.event_id offset 0)
            order by r.event_id
            on conflict on constraint unvouched_events_pkey do nothing
        ), stored as (
            insert into clawback.events
                (event_id, type, api_version, account, livemode, object_id, created_at)
            select event_id, type, api_version, account, livemode, object_id, to_timestamp(created)
            from received
            where mode_matches
            -- Locks rows in this order, whatever the plan.
            order by event_id
            on conflict on constraint events_pkey do nothing
            returning event_id, seq
        ), bodies as (
            insert into clawback.event_payloads (event_id, payload)
            select event_id, payload from stored join received using (event_id) where mode_matches
        ), work as (
            insert into clawback.pending_events (seq, event_id)
            select seq, event_id from stored
        )
        select event_id from stored
        "#,
        &column(events, |event| event.envelope.id.as_str()) as &[&str],
        &column(events, |event| event.envelope.event_type.as_str()) as &[&str],
        &column(events, |event| event.envelope.api_version.as_deref()) as &[Option<&str>],
        &column(events, |event| event.envelope.account.as_deref()) as &[Option<&str>],
        &column(events, |event| event.envelope.livemode) as &[Option<bool>],
        &column(events, |event| event.envelope.object_id.as_deref()) as &[Option<&str>],
        &column(events, |event| event.envelope.created) as &[Option<i64>],
        &column(events, |event| event.payload.as_str()) as &[&str],
        &column(events, |event| event.mode_matches) as &[bool],
    )
    .fetch_all(conn)
    .await
}

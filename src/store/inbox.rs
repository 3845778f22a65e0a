//! The inbox: events as they came in, stored before they are acknowledged.
//!
//! Not here: taking pending events out again.

use sqlx::PgConnection;

/// A verified event that is to be stored, with the body exactly as it was signed.
///
/// No text but the payload may hold a NUL. `event_id` has 1 to 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Stripe's id, by which a repeat is known.
    pub event_id: String,
    /// Stripe's type.
    pub event_type: String,
    /// The version that the body was rendered in.
    pub api_version: Option<String>,
    /// The connected account that it is about.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: Option<bool>,
    /// The id of the object inside.
    pub object_id: Option<String>,
    /// Unix seconds, of the years 1 to 9999.
    pub created: Option<i64>,
    /// Its secret vouches for events of its mode; else it is kept apart.
    pub vouched: bool,
    /// Valid JSON, which cannot hold a raw NUL byte.
    pub payload: String,
}

/// Stores those of these events that are new, with their bodies and the work they ask for, and
/// returns the ids of the new ones. Those not returned were stored before, or are not vouched for: these are kept
/// apart, and ask for no work.
///
/// The ids must be sorted, and unique among those vouched for and among the others: two replicas whose batches overlap
/// would otherwise wait for each other. One statement, so that outside a transaction it is also one commit.
///
/// # Errors
///
/// Any error of the database. After one that is not about the data, the events may or may not have
/// been stored; storing them again is safe.
pub async fn record(conn: &mut PgConnection, events: &[NewEvent]) -> Result<Vec<String>, sqlx::Error> {
    // `fetch_all` waits until the server is ready again, which is after the commit. Anything that
    // stops at the last row would call an event stored whose commit may still fail.
    sqlx::query_scalar!(
        r#"
        with durable as materialized (
            -- This commit is on disk before it is answered, whatever the server's setting; never weaker than that is.
            select case when current_setting('synchronous_commit') = 'off'
                        then set_config('synchronous_commit', 'on', true) else 'on' end as setting
        ), received as materialized (
            select t.*
            from durable
            cross join unnest(
                $1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[],
                $7::bigint[], $8::text[], $9::boolean[]
            ) as t (event_id, type, api_version, account, livemode, object_id, created, payload, vouched)
            -- Read only if the setting was made. A known id is left out by a plain read: `on conflict` would wait for
            -- whoever holds its row. `offset 0` keeps the look-up on the index, however old the statistics.
            where durable.setting = 'on'
                and not exists (select from clawback.events e where e.event_id = t.event_id offset 0)
        ), apart as (
            insert into clawback.unvouched_events
                (event_id, type, api_version, account, livemode, object_id, created_at, payload)
            select r.event_id, r.type, r.api_version, r.account, r.livemode, r.object_id, to_timestamp(r.created),
                   r.payload
            from received r
            where not r.vouched
                and not exists (select from clawback.unvouched_events u where u.event_id = r.event_id offset 0)
            order by r.event_id
            on conflict on constraint unvouched_events_pkey do nothing
        ), stored as (
            insert into clawback.events
                (event_id, type, api_version, account, livemode, object_id, created_at)
            select event_id, type, api_version, account, livemode, object_id, to_timestamp(created)
            from received
            where vouched
            -- Rows are locked in this order, whatever the plan.
            order by event_id
            on conflict on constraint events_pkey do nothing
            returning event_id, seq
        ), bodies as (
            insert into clawback.event_payloads (event_id, payload)
            select event_id, payload from stored join received using (event_id) where vouched
        ), work as (
            insert into clawback.pending_events (seq, event_id)
            select seq, event_id from stored
        )
        select event_id from stored
        "#,
        &column(events, |event| event.event_id.as_str()) as &[&str],
        &column(events, |event| event.event_type.as_str()) as &[&str],
        &column(events, |event| event.api_version.as_deref()) as &[Option<&str>],
        &column(events, |event| event.account.as_deref()) as &[Option<&str>],
        &column(events, |event| event.livemode) as &[Option<bool>],
        &column(events, |event| event.object_id.as_deref()) as &[Option<&str>],
        &column(events, |event| event.created) as &[Option<i64>],
        &column(events, |event| event.payload.as_str()) as &[&str],
        &column(events, |event| event.vouched) as &[bool],
    )
    .fetch_all(conn)
    .await
}

fn column<'a, T>(events: &'a [NewEvent], value: impl Fn(&'a NewEvent) -> T) -> Vec<T> {
    events.iter().map(value).collect()
}

/// Whether what this server commits stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It can be written: [`record`] asks for a commit on disk itself.
    Durable,
    /// It is a standby: writes belong on its primary.
    Standby,
    /// Its transactions are read-only by setting.
    ReadOnly,
}

/// Asks the server behind this connection whether an acknowledgement may rest on it.
///
/// # Errors
///
/// Any error of the database.
pub async fn durability(conn: &mut PgConnection) -> Result<Durability, sqlx::Error> {
    let server = sqlx::query!(
        r#"
        select pg_is_in_recovery() as "in_recovery!",
               current_setting('transaction_read_only')::boolean as "read_only!"
        "#
    )
    .fetch_one(conn)
    .await?;
    Ok(if server.in_recovery {
        Durability::Standby
    } else if server.read_only {
        Durability::ReadOnly
    } else {
        Durability::Durable
    })
}

//! The processor's side of the ledger: pending events, and how they finished.
//!
//! Not here: storing events (`inbox.rs`). A fixed limit is a literal in its statement: a generic plan does not know a
//! parameter's value and would scan whole tables.

use std::collections::HashMap;

use sqlx::PgConnection;
use strum::IntoStaticStr;
use time::OffsetDateTime;

use super::column;

/// The advisory lock that one batch holds, over all replicas: `clawback` in ASCII.
pub(super) const BATCH_LOCK: i64 = 0x636c_6177_6261_636b;

/// A pending event.
#[derive(Clone, Debug)]
pub struct PendingEvent {
    /// The order received.
    pub seq: i64,
    /// Stripe's id.
    pub event_id: String,
    /// Stripe's type.
    pub event_type: String,
    /// `data.object.id`, as the envelope says.
    pub object_id: Option<String>,
    /// When it happened, by Stripe's clock.
    pub created_at: Option<OffsetDateTime>,
    /// Failed attempts so far.
    pub attempts: i32,
    /// It is a replay of an event that was processed before.
    pub counted: bool,
}

/// How an event finished. The words are those of `events.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Outcome {
    /// It became state.
    Processed,
    /// No handler reads it.
    Ignored,
    /// It cannot be understood.
    Failed,
}

/// An event and how it finished.
#[derive(Clone, Debug)]
pub struct FinishedEvent {
    /// Its place in the ledger.
    pub seq: i64,
    /// Stripe's id.
    pub event_id: String,
    /// Processed, ignored or failed.
    pub outcome: Outcome,
    /// The payment it is about.
    pub payment_id: Option<String>,
    /// Why it was ignored or failed; of a processed one, what could not be read.
    pub last_error: Option<String>,
}

/// Sets the time-outs and planner settings of this transaction and tries to take the lock that one batch holds; false:
/// another batch runs, or a processor with newer rules is alive. With the time-outs, neither a frozen replica nor a
/// consumer's long transaction stalls the others.
pub async fn try_lock(conn: &mut PgConnection, rules: i32) -> sqlx::Result<bool> {
    let row = sqlx::query!(
        r#"select set_config('lock_timeout', '5s', true), set_config('statement_timeout', '7s', true) as statements,
                  set_config('idle_in_transaction_session_timeout', '7s', true) as idle,
                  -- Every statement of a batch finds a few rows by key. A plan made while tables were empty would keep
                  -- scanning them.
                  set_config('enable_seqscan', 'off', true) as no_whole_tables,
                  set_config('enable_hashjoin', 'off', true) as no_hash,
                  set_config('enable_mergejoin', 'off', true) as no_merge,
                  -- A scan that is needed all the same gets so high a cost that the server would compile the statement:
                  -- 20 ms for a few rows.
                  set_config('jit', 'off', true) as no_jit,
                  -- Planning these statements takes longer than a small batch takes to run them.
                  set_config('plan_cache_mode', 'force_generic_plan', true) as planned_once,
                  pg_try_advisory_xact_lock($1) as "locked!""#,
        BATCH_LOCK
    );
    if !row.fetch_one(&mut *conn).await?.locked {
        return Ok(false);
    }
    // A statement of its own: the one that takes the lock has a snapshot from before it.
    let newer = sqlx::query_scalar!(
        r#"select exists (select from clawback.processors
                          where rules > $1 and seen_at > now() - interval '20 seconds') as "newer!""#,
        rules
    );
    Ok(!newer.fetch_one(conn).await?)
}

/// Pending events as a batch takes them.
#[derive(Debug, Default)]
pub struct Pending {
    /// In the order received.
    pub events: Vec<PendingEvent>,
    /// The `seq` of pending rows whose event is missing from the ledger.
    pub stray: Vec<i64>,
}

/// Bodies in one batch, in bytes, unless a single body is larger: a batch holds them all in memory.
const MAX_BODIES: i64 = 8 << 20;

/// The next events that are due, in the order received: at most 500, with at most 8 MiB of bodies.
pub async fn take(conn: &mut PgConnection) -> sqlx::Result<Pending> {
    let rows = sqlx::query_as!(
        PendingRow,
        r#"select p.seq, e.event_id as "event_id?", e.type as "event_type?", e.object_id, e.created_at,
                  e.attempts as "attempts?", p.counted, octet_length(b.payload) as "size?"
           from (select seq, event_id, counted from clawback.pending_events where run_at <= now()
                 order by seq limit 500) p
           left join lateral (select * from clawback.events e where e.event_id = p.event_id offset 0) e on true
           left join lateral (select b.payload from clawback.event_payloads b where b.event_id = p.event_id offset 0) b
               on true
           order by p.seq"#
    );
    Ok(pending(rows.fetch_all(conn).await?))
}

/// Those of these events that are still pending, in the order received.
pub async fn take_only(conn: &mut PgConnection, seqs: &[i64]) -> sqlx::Result<Pending> {
    let rows = sqlx::query_as!(
        PendingRow,
        r#"select p.seq, e.event_id as "event_id?", e.type as "event_type?", e.object_id, e.created_at,
                  e.attempts as "attempts?", p.counted, null::integer as "size?"
           from clawback.pending_events p
           left join clawback.events e on e.event_id = p.event_id
           where p.seq = any($1)
           order by p.seq"#,
        seqs
    );
    Ok(pending(rows.fetch_all(conn).await?))
}

struct PendingRow {
    seq: i64,
    event_id: Option<String>,
    event_type: Option<String>,
    object_id: Option<String>,
    created_at: Option<OffsetDateTime>,
    attempts: Option<i32>,
    counted: bool,
    /// Bytes of the body, which is not read for it.
    size: Option<i32>,
}

fn pending(rows: Vec<PendingRow>) -> Pending {
    let (mut pending, mut bytes) = (Pending::default(), 0);
    for PendingRow { seq, event_id, event_type, object_id, created_at, attempts, counted, size } in rows {
        bytes += i64::from(size.unwrap_or(0));
        if bytes > MAX_BODIES && !pending.events.is_empty() {
            break;
        }
        match (event_id, event_type) {
            (Some(event_id), Some(event_type)) => pending.events.push(PendingEvent {
                seq,
                event_id,
                event_type,
                object_id,
                created_at,
                attempts: attempts.unwrap_or(0),
                counted,
            }),
            _ => pending.stray.push(seq),
        }
    }
    pending
}

/// Removes pending rows whose event is missing from the ledger. Returns the ids of those events.
pub async fn drop_stray(conn: &mut PgConnection, seqs: &[i64]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("delete from clawback.pending_events where seq = any($1) returning event_id", seqs)
        .fetch_all(conn)
        .await
}

/// The bodies of events by id; pruned ones are missing. A statement of its own: when a body cannot be read, it must
/// still be known which events were taken.
pub async fn bodies(conn: &mut PgConnection, event_ids: &[&str]) -> sqlx::Result<HashMap<String, String>> {
    let rows =
        sqlx::query!("select event_id, payload from clawback.event_payloads where event_id = any($1)", event_ids as _)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|row| (row.event_id, row.payload)).collect())
}

/// Makes the statements of this transaction find rows by key, however few rows the planner believes a table to have.
pub async fn find_by_key(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        r#"select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true) as no_hash,
                  set_config('enable_mergejoin', 'off', true) as no_merge"#
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// The bodies of the events that come after the next 500 that are due, at most 500 and 8 MiB; in no order.
pub async fn bodies_ahead(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        r#"select b.event_id as "event_id!", b.payload as "payload!"
           from (select p.event_id, b.payload, sum(octet_length(b.payload)) over (order by p.seq) as bytes
                 from (select seq, event_id from clawback.pending_events where run_at <= now()
                       order by seq limit 500 offset 500) p
                 join clawback.event_payloads b on b.event_id = p.event_id) b
           where b.bytes <= 8388608"#
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.event_id, row.payload)).collect())
}

/// Milliseconds until the next event is due: 0 when one is; none when nothing is pending.
pub async fn due_in(conn: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "select case
             when exists (select from clawback.pending_events where run_at <= now()) then 0
             -- Reached only when every pending event is backing off: few rows.
             else (select ceil(extract(epoch from min(run_at) - now()) * 1000)::bigint from clawback.pending_events)
         end"
    )
    .fetch_one(conn)
    .await
}

/// Records how events finished and removes them from the pending ones.
pub async fn finish(conn: &mut PgConnection, finished: &[FinishedEvent]) -> sqlx::Result<()> {
    sqlx::query!(
        "with finished as (
             -- Only events that are still pending: a late result must not undo another replica's.
             delete from clawback.pending_events p
             using unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
                 as r (seq, event_id, outcome, payment_id, last_error)
             where p.seq = r.seq
             returning r.*
         ), failed as (
             insert into clawback.failed_events (event_id) select event_id from finished where outcome = 'failed'
         )
         update clawback.events e
         set state = f.outcome, payment_id = f.payment_id, last_error = f.last_error, attempts = e.attempts + 1,
             processed_at = now()
         from finished f
         where e.event_id = f.event_id",
        &column(finished, |event| event.seq),
        &column(finished, |event| event.event_id.as_str()) as &[&str],
        &column(finished, |event| event.outcome.into()) as &[&str],
        &column(finished, |event| event.payment_id.as_deref()) as &[Option<&str>],
        &column(finished, |event| event.last_error.as_deref()) as &[Option<&str>],
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Leaves events for a later batch without counting an attempt.
pub async fn defer(conn: &mut PgConnection, seqs: &[i64], milliseconds: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.pending_events
         set run_at = now() + $2 * interval '1 millisecond'
         where seq = any($1)",
        seqs,
        f64::from(milliseconds)
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Counts a failed attempt of an event and leaves it for later.
pub async fn retry_later(conn: &mut PgConnection, seq: i64, error: &str, seconds: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "with later as (
             update clawback.pending_events set run_at = now() + $3 * interval '1 second' where seq = $1
             returning event_id
         )
         update clawback.events e set attempts = e.attempts + 1, last_error = $2
         from later
         where e.event_id = later.event_id",
        seq,
        error,
        f64::from(seconds)
    )
    .execute(conn)
    .await
    .map(drop)
}

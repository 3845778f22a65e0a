//! Retention: what is old enough to be removed, a page at a time, and who works on it.
//!
//! Each function looks at one page by an index and says how far it got; a fixed limit is a literal in its statement, as in
//! `ledger.rs`. Not here: bodies (`old_bodies.rs`), and how fast pages follow each other ([`crate::retention`]).

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// What is removed. The words are those of `clawback.retention.part`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Part {
    /// Bodies of processed and ignored events.
    Bodies,
    /// Events whose livemode does not match the mode of their signing secret.
    WrongMode,
    /// The content of follow-ups that ended.
    FollowUps,
    /// Finished reads of Stripe.
    Calls,
    /// The bytes of sent evidence.
    Evidence,
}

/// The last row that was looked at, by time and id; where rows are in the order of their ids, by id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When it was stored.
    pub at: OffsetDateTime,
    /// Its id.
    pub id: String,
}

impl Position {
    /// Before the oldest row.
    pub const START: Self = Self { at: OffsetDateTime::UNIX_EPOCH, id: String::new() };
}

/// A page that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows removed or emptied.
    pub removed: i64,
    /// Its last row; none when no row is old enough.
    pub last: Option<Position>,
}

/// A part that this process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which one.
    pub part: Part,
    /// Under which it is held.
    pub id: Uuid,
    /// Where it goes on.
    pub after: Position,
}

/// Sets the time-outs of this transaction, and has every statement find its rows by an index, whatever the plan was made
/// from.
pub async fn limit(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "select set_config('lock_timeout', '2s', true), set_config('statement_timeout', '30s', true) as statements,
                set_config('idle_in_transaction_session_timeout', '30s', true) as idle,
                set_config('enable_seqscan', 'off', true) as no_whole_tables,
                set_config('enable_hashjoin', 'off', true) as no_hash,
                set_config('enable_mergejoin', 'off', true) as no_merge,
                -- A page is read in the order of its index, never sorted out of all that is old enough. So nothing else may
                -- have an order, or its table is read in that order; `skip locked` needs none.
                set_config('enable_sort', 'off', true) as no_sort, set_config('enable_bitmapscan', 'off', true) as no_bitmap,
                set_config('jit', 'off', true) as no_jit"
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// Whether a processor with newer rules is alive: what is old enough is left to its release.
pub async fn is_outdated(conn: &mut PgConnection, rules: i32) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from clawback.processors
                          where rules > $1 and seen_at > now() - interval '20 seconds') as "newer!""#,
        rules
    )
    .fetch_one(conn)
    .await
}

/// Holds the next part that is due, for `lease` seconds. None: nothing is due, or others hold what is.
pub async fn hold(conn: &mut PgConnection, id: Uuid, lease: f64) -> sqlx::Result<Option<Held>> {
    let row = sqlx::query!(
        "update clawback.retention r
         set held_by = $1, held_until = now() + make_interval(secs => $2),
             -- With the oldest row once in a while: something was passed over that can be removed by now.
             after_at = case when due.is_restarted then 'epoch' else r.after_at end,
             after_id = case when due.is_restarted then '' else r.after_id end,
             begun_at = case when due.is_restarted then now() else r.begun_at end
         from (select part, coalesce(begun_at < now() - interval '30 days', true) as is_restarted
               from clawback.retention
               where run_at <= now() and coalesce(held_until, '-infinity') < now()
               order by run_at, part
               limit 1
               for update skip locked) due
         where r.part = due.part
         returning r.part, r.after_at, r.after_id",
        id,
        lease
    )
    .fetch_optional(conn)
    .await?;
    // A newer release may know more parts.
    Ok(row.and_then(|row| {
        let after = Position { at: row.after_at, id: row.after_id };
        Some(Held { part: row.part.parse().ok()?, id, after })
    }))
}

/// Saves how far a held part got, and holds it for `lease` more seconds. False: another process holds it by now.
pub async fn keep(conn: &mut PgConnection, held: &Held, lease: f64) -> sqlx::Result<bool> {
    let part: &str = held.part.into();
    let kept = sqlx::query!(
        "update clawback.retention
         set after_at = $3, after_id = $4, held_until = now() + make_interval(secs => $5)
         where part = $1 and held_by = $2",
        part,
        held.id,
        held.after.at,
        held.after.id,
        lease
    );
    Ok(kept.execute(conn).await?.rows_affected() == 1)
}

/// Lets a part go that was looked at to its end: it is due again after `every` seconds.
pub async fn finish(conn: &mut PgConnection, held: &Held, every: f64) -> sqlx::Result<()> {
    let part: &str = held.part.into();
    sqlx::query!(
        "update clawback.retention
         set held_by = null, held_until = null, finished_at = now(),
             -- It may have been turned off meanwhile.
             run_at = case when run_at = 'infinity' then run_at else now() + make_interval(secs => $3) end
         where part = $1 and held_by = $2",
        part,
        held.id,
        every
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Lets a part go that was interrupted: another process can go on at once.
pub async fn release(conn: &mut PgConnection, held: &Held) -> sqlx::Result<()> {
    let part: &str = held.part.into();
    sqlx::query!(
        "update clawback.retention set held_by = null, held_until = null where part = $1 and held_by = $2",
        part,
        held.id
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records whether retention is on. While it is off, nothing is due.
pub async fn begin(conn: &mut PgConnection, is_on: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.retention
         set run_at = case when $1 then now() else 'infinity' end
         where (run_at = 'infinity') = $1",
        is_on
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Seconds since every part was last looked at to its end, or is due for the first time; 0 while retention is off.
pub async fn age(conn: &mut PgConnection) -> sqlx::Result<f64> {
    sqlx::query_scalar!(
        r#"select coalesce(max(greatest(extract(epoch from now() - coalesce(finished_at, run_at)), 0)), 0)::float8 as "age!"
           from clawback.retention
           where run_at < 'infinity'"#
    )
    .fetch_one(conn)
    .await
}

struct PageRow {
    removed: i64,
    at: Option<OffsetDateTime>,
    id: Option<String>,
}

impl From<PageRow> for Page {
    fn from(PageRow { removed, at, id }: PageRow) -> Self {
        Self { removed, last: at.zip(id).map(|(at, id)| Position { at, id }) }
    }
}

/// Removes events of the wrong mode that were received more than `age` seconds ago: they were never processed.
pub async fn remove_wrong_mode(conn: &mut PgConnection, after: &Position, age: f64) -> sqlx::Result<Page> {
    let page = sqlx::query_as!(
        PageRow,
        r#"with page as materialized (
               select received_at, event_id from clawback.unvouched_events
               where (received_at, event_id) > ($1, $2) and received_at < now() - make_interval(secs => $3)
               order by received_at, event_id
               limit 1000
           ), removed as (
               delete from clawback.unvouched_events u using page where u.event_id = page.event_id returning 1
           )
           select (select count(*) from removed) as "removed!", last.received_at as "at?", last.event_id as "id?"
           from (values (1)) as one
           left join lateral (select * from page order by received_at desc, event_id desc limit 1) last on true"#,
        after.at,
        after.id,
        age
    );
    Ok(page.fetch_one(conn).await?.into())
}

/// Empties follow-ups that ended more than `age` seconds ago. Never deletes them: they would be asked for again. A completed
/// hold keeps its payload, which a release of it takes over.
pub async fn empty_follow_ups(conn: &mut PgConnection, after: &Position, age: f64) -> sqlx::Result<Page> {
    let page = sqlx::query_as!(
        PageRow,
        r#"with next as materialized (
               select id, created_at from clawback.follow_ups
               where id > coalesce(nullif($1, ''), '0')::bigint
               order by id
               limit 1000
           ), page as materialized (
               select * from next where created_at < now() - make_interval(secs => $2)
           ), ended as (
               select f.id, f.kind = 'hold_fulfilment' and f.state = 'done' as keeps_payload
               from clawback.follow_ups f
               join page on page.id = f.id
               where f.state in ('done', 'cancelled', 'discarded') and f.finished_at < now() - make_interval(secs => $2)
               for update of f skip locked
           ), emptied as (
               update clawback.follow_ups f
               set payload = case when ended.keeps_payload then f.payload else '{}' end, result = null, last_error = null
               from ended
               where f.id = ended.id and (f.result is not null or f.last_error is not null
                   or f.payload <> '{}' and not ended.keeps_payload)
               returning 1
           )
           select (select count(*) from emptied) as "removed!", last.created_at as "at?", last.id::text as "id?"
           from (values (1)) as one
           left join lateral (select * from page order by id desc limit 1) last on true"#,
        after.id,
        age
    );
    Ok(page.fetch_one(conn).await?.into())
}

/// Removes reads of Stripe that finished more than `age` seconds ago. Calls that changed something there are kept.
pub async fn remove_reads(conn: &mut PgConnection, after: &Position, age: f64) -> sqlx::Result<Page> {
    let page = sqlx::query_as!(
        PageRow,
        r#"with next as materialized (
               select id, created_at, starts_with(kind, 'read_')
                          and coalesce(finished_at, 'infinity') < now() - make_interval(secs => $2) as is_over
               from clawback.api_calls
               where id > coalesce(nullif($1, ''), '0')::bigint
               order by id
               limit 1000
           ), page as materialized (
               select * from next where created_at < now() - make_interval(secs => $2)
           ), removed as (
               delete from clawback.api_calls c using page where c.id = page.id and page.is_over returning 1
           )
           select (select count(*) from removed) as "removed!", last.created_at as "at?", last.id::text as "id?"
           from (values (1)) as one
           left join lateral (select * from page order by id desc limit 1) last on true"#,
        after.id,
        age
    );
    Ok(page.fetch_one(conn).await?.into())
}

/// Removes the bytes of files that were sent and whose dispute last changed, closed, more than `age` seconds ago. Name, size
/// and hash stay. A page has few rows: a file may have megabytes.
pub async fn remove_evidence(conn: &mut PgConnection, after: &Position, age: f64) -> sqlx::Result<Page> {
    let page = sqlx::query_as!(
        PageRow,
        r#"with page as materialized (
               select attached_at, id from clawback.evidence_files
               where content is not null and (attached_at, id::text) > ($1, $2)
                   and attached_at >= $1 and attached_at < now() - make_interval(secs => $3)
               order by attached_at, id
               limit 50
           ), removed as (
               update clawback.evidence_files f set content = null
               from page, clawback.dispute_responses r, clawback.disputes d
               where f.id = page.id and r.dispute_id = f.dispute_id and r.phase = f.phase
                   and r.state in ('submitted', 'submitted_elsewhere', 'accepted')
                   and d.dispute_id = f.dispute_id and d.outcome is not null
                   and d.updated_at < now() - make_interval(secs => $3)
               returning 1
           )
           select (select count(*) from removed) as "removed!", last.attached_at as "at?", last.id::text as "id?"
           from (values (1)) as one
           left join lateral (select * from page order by attached_at desc, id desc limit 1) last on true"#,
        after.at,
        after.id,
        age
    );
    Ok(page.fetch_one(conn).await?.into())
}

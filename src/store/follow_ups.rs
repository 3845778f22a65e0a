//! The processor's side of the follow-up queue. Not here: what consumers do, by the functions of `clawback_v1`.

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::column;
use crate::domain::reconcile::{Content, FollowUp, Row};

/// Locks the follow-ups of these payments in id order; rows that others hold are left out. Those that
/// follow from a refusal of Stripe's are left out too.
pub async fn lock(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<Vec<FollowUp>> {
    let rows = sqlx::query!(
        r#"select f.id, f.kind, f.subject, f.round, f.order_id, f.payment_id as "payment_id!",
                  f.payload, f.state, f.wanted,
                  floor(extract(epoch from f.run_at))::bigint as "run_at!",
                  extract(epoch from f.due_at)::bigint as due_at, f.attempts, f.rescheduled
           from clawback.follow_ups f
           where f.payment_id = any($1) and not f.from_refusal
           -- Not by the index of the ids: a plan made while the table was empty would walk all of it.
           order by f.id + 0
           for update skip locked"#,
        payment_ids
    )
    .fetch_all(conn)
    .await?;
    let mut follow_ups = Vec::with_capacity(rows.len());
    for row in rows {
        let content = Content {
            kind: row.kind,
            subject: row.subject,
            round: row.round,
            order_id: row.order_id,
            payment_id: row.payment_id,
            payload: row.payload,
            state: row.state.parse().map_err(|error: strum::ParseError| sqlx::Error::Decode(error.into()))?,
            wanted: row.wanted,
            due_at: row.due_at,
            attempts: row.attempts,
        };
        follow_ups.push(FollowUp { id: row.id, content, run_at: row.run_at, rescheduled: row.rescheduled });
    }
    Ok(follow_ups)
}

/// The number of follow-ups of each of these payments, locked or not.
pub async fn counts(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select f.payment_id as "payment_id!", count(*) as "count!" from clawback.follow_ups f
           where f.payment_id = any($1) and not f.from_refusal
           group by f.payment_id"#,
        payment_ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.payment_id, row.count)).collect())
}

/// A follow-up that was inserted.
#[derive(Debug)]
pub struct Added {
    /// What is to be done.
    pub kind: String,
    /// Inserted as `discarded`: its cause is older than `ask_since`.
    pub is_history: bool,
}

/// Inserts follow-ups. One that exists already belonged to a payment outside this batch: it moves to the new payment, and
/// is ready again if it was cancelled. Those past their `until` are left out. Returns the ones that were written.
pub async fn insert(conn: &mut PgConnection, rows: &[Row]) -> sqlx::Result<Vec<Added>> {
    sqlx::query_as!(
        Added,
        r#"with added as (
             select r.*, p.account, p.livemode, h.since, h.since is not null and (r.news_until <= extract(epoch from now())) is not false as old
             from unnest(
                 $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::bigint[], $8::bigint[],
                 $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::boolean[]
             ) as r (kind, subject, round, order_id, payment_id, payload, run_at, run_after, due_at, until, cause,
                     news_until, by_rebuild)
             left join clawback.settings s on s.is_only
             left join clawback.rebuilds b on b.payment_id = r.payment_id and r.by_rebuild
             left join clawback.payments p on p.payment_id = r.payment_id
             left join clawback.api_accounts a on a.account = p.account and a.livemode = p.livemode
             left join lateral (
                 select greatest(s.ask_since, b.ask_since, a.ask_since) as since
             ) h on r.cause < extract(epoch from h.since)
             where r.until is null or to_timestamp(r.until) > now()
         )
         insert into clawback.follow_ups as f
             (kind, subject, round, key, order_id, payment_id, account, livemode, payload, run_at, due_at, state,
              finished_at, last_error)
         select r.kind, r.subject, r.round, r.kind || '/' || r.subject || '/' || r.round, r.order_id, r.payment_id,
                nullif(r.account, ''), coalesce(r.livemode, false), r.payload,
                coalesce(to_timestamp(r.run_at), now() + r.run_after * interval '1 second'), to_timestamp(r.due_at),
                case when r.old then 'discarded' else 'ready' end, case when r.old then now() end,
                case when r.old then 'history: it came about before '
                    || to_char(r.since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') end
         from added r
         on conflict on constraint follow_ups_once do update
         set payment_id = excluded.payment_id, order_id = excluded.order_id, wanted = true,
             payload = case when f.state in ('ready', 'cancelled') then excluded.payload else f.payload end,
             due_at = case when f.state in ('ready', 'cancelled') then excluded.due_at else f.due_at end,
             run_at = case when f.state = 'cancelled' then excluded.run_at else f.run_at end,
             attempts = case when f.state = 'cancelled' then 0 else f.attempts end,
             rescheduled = f.rescheduled and f.state <> 'cancelled',
             finished_at = case when f.state = 'cancelled' then null else f.finished_at end,
             state = case when f.state = 'cancelled' then 'ready' else f.state end
         returning kind, state = 'discarded' as "is_history!""#,
        &column(rows, |row| row.content.kind.as_str()) as &[&str],
        &column(rows, |row| row.content.subject.as_str()) as &[&str],
        &column(rows, |row| row.content.round.as_str()) as &[&str],
        &column(rows, |row| row.content.order_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.content.payment_id.as_str()) as &[&str],
        &column(rows, |row| Json(&row.content.payload)) as &[Json<&Value>],
        &column(rows, |row| row.run_at) as &[Option<i64>],
        &column(rows, |row| row.run_after) as &[Option<i64>],
        &column(rows, |row| row.content.due_at) as &[Option<i64>],
        &column(rows, |row| row.until) as &[Option<i64>],
        &column(rows, |row| row.cause) as &[Option<i64>],
        &column(rows, |row| row.news_until) as &[Option<i64>],
        &column(rows, |row| row.by_rebuild),
    )
    .fetch_all(conn)
    .await
}

/// Writes new content to locked rows. A cancelled one past its `until` stays cancelled.
pub async fn update(conn: &mut PgConnection, rows: &[Row]) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.follow_ups f
         set subject = r.subject, order_id = r.order_id, payment_id = r.payment_id, payload = r.payload,
             state = r.state, wanted = r.wanted, due_at = to_timestamp(r.due_at), attempts = r.attempts,
             run_at = coalesce(to_timestamp(r.run_at), now() + r.run_after * interval '1 second', f.run_at),
             -- A cancelled one starts over.
             rescheduled = f.rescheduled and f.state <> 'cancelled',
             finished_at = case when r.state in ('ready', 'leased') then null else coalesce(f.finished_at, now()) end
         from unnest(
             $1::bigint[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::text[], $7::boolean[], $8::bigint[],
             $9::bigint[], $10::bigint[], $11::integer[], $12::bigint[]
         ) as r (id, subject, order_id, payment_id, payload, state, wanted, run_at, run_after, due_at, attempts, until)
         where f.id = r.id and (r.until is null or f.state <> 'cancelled' or to_timestamp(r.until) > now())",
        &column(rows, |row| row.id) as &[Option<i64>],
        &column(rows, |row| row.content.subject.as_str()) as &[&str],
        &column(rows, |row| row.content.order_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.content.payment_id.as_str()) as &[&str],
        &column(rows, |row| Json(&row.content.payload)) as &[Json<&Value>],
        &column(rows, |row| row.content.state.into()) as &[&str],
        &column(rows, |row| row.content.wanted),
        &column(rows, |row| row.run_at) as &[Option<i64>],
        &column(rows, |row| row.run_after) as &[Option<i64>],
        &column(rows, |row| row.content.due_at) as &[Option<i64>],
        &column(rows, |row| row.content.attempts),
        &column(rows, |row| row.until) as &[Option<i64>],
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Moves the follow-ups from refusals of merged payments to their successors, given as parallel lists. All others are
/// moved by reconciling.
pub async fn move_refusals(conn: &mut PgConnection, removed: &[&str], successors: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.follow_ups f
         set payment_id = p.payment_id, order_id = p.order_id
         from unnest($1::text[], $2::text[]) as moved (removed, successor)
         join clawback.payments p on p.payment_id = moved.successor
         where f.payment_id = moved.removed and f.from_refusal",
        removed as _,
        successors as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Detaches follow-ups from payments that are removed: the follow-ups are kept.
pub async fn detach(conn: &mut PgConnection, removed: &[&str]) -> sqlx::Result<()> {
    sqlx::query!("update clawback.follow_ups set payment_id = null where payment_id = any($1)", removed as _)
        .execute(conn)
        .await
        .map(drop)
}

/// Deletes duplicates.
pub async fn delete(conn: &mut PgConnection, ids: &[i64]) -> sqlx::Result<()> {
    sqlx::query!("delete from clawback.follow_ups where id = any($1)", ids).execute(conn).await.map(drop)
}

/// Notifies listeners of the kinds that can be claimed: a hint only, sent with the commit.
pub async fn notify(conn: &mut PgConnection, kinds: &[&str]) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify('clawback_follow_ups', array_to_string($1::text[], ','))", kinds as _)
        .execute(conn)
        .await
        .map(drop)
}

/// Ends expired leases, for kinds that no consumer claims any more. Returns how many there were.
pub async fn reap(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select clawback.reap_follow_ups() as "reaped!""#).fetch_one(conn).await
}

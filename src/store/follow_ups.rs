//! The processor's side of the follow-up queue. Not here: what consumers do, by the functions of `clawback_v1`.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::reconcile::{FollowUp, Row};

/// Locks the follow-ups of these payments in id order; rows that others hold are left out. Those that
/// follow from a refusal of Stripe's are left out too.
pub async fn lock(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<Vec<FollowUp>> {
    let rows = sqlx::query_scalar!(
        r#"select jsonb_build_object('id', f.id, 'kind', f.kind, 'subject', f.subject, 'round', f.round,
                  'order_id', f.order_id, 'payment_id', f.payment_id, 'payload', f.payload, 'state', f.state,
                  'wanted', f.wanted, 'run_at', floor(extract(epoch from f.run_at))::bigint,
                  'due_at', extract(epoch from f.due_at)::bigint, 'attempts', f.attempts,
                  'rescheduled', f.rescheduled) as "row!: Json<FollowUp>"
           from clawback.follow_ups f
           where f.payment_id = any($1) and not f.from_refusal
           order by f.id
           for update skip locked"#,
        payment_ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
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
             select r.*, h.since, h.since is not null and (r.news_until <= extract(epoch from now())) is not false as old
             from jsonb_to_recordset($1) as r
                 (kind text, subject text, round text, order_id text, payment_id text, payload jsonb, run_at bigint,
                  run_after bigint, due_at bigint, until bigint, cause bigint, news_until bigint,
                  by_rebuild boolean)
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
             (kind, subject, round, order_id, payment_id, payload, run_at, due_at, state, finished_at, last_error)
         select r.kind, r.subject, r.round, r.order_id, r.payment_id, r.payload,
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
        Json(rows) as _
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
         from jsonb_to_recordset($1) as r
             (id bigint, subject text, order_id text, payment_id text, payload jsonb, state text, wanted boolean,
              run_at bigint, run_after bigint, due_at bigint, attempts integer, until bigint)
         where f.id = r.id and (r.until is null or f.state <> 'cancelled' or to_timestamp(r.until) > now())",
        Json(rows) as _
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

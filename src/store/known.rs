//! Objects that are known and may have changed at Stripe without an event: which are read again, and when they were.

use sqlx::PgConnection;

/// An object that may have changed at Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `dispute` or `refund`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The connected account; empty for the key's own.
    pub account: String,
    /// The mode.
    pub livemode: bool,
}

/// The next objects after this id, of those to be read after a long outage: open disputes, those lost in the last 12
/// months, and live refunds younger than 60 days.
pub async fn after(conn: &mut PgConnection, account: &str, livemode: bool, id: &str) -> sqlx::Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        r#"select o.kind as "kind!", o.id as "id!", p.account, p.livemode
           from (select 'dispute' as kind, d.dispute_id as id, d.payment_id from clawback.disputes d
                 where d.outcome is null or d.outcome = 'lost' and d.created_at > now() - interval '12 months'
                 union all
                 select 'refund', r.refund_id, r.payment_id from clawback.refunds r
                 where r.status not in ('failed', 'canceled') and r.created_at > now() - interval '60 days') o
           join clawback.payments p on p.payment_id = o.payment_id
           where p.account = $1 and p.livemode = $2 and o.id > $3
           order by o.id
           limit 100"#,
        account,
        livemode,
        id
    )
    .fetch_all(conn)
    .await
}

/// The open dispute or refund under way that was read longest ago, of those that neither changed nor were read for
/// `after` seconds; marks it as read. None within `every` seconds of the last one.
pub async fn next(conn: &mut PgConnection, modes: &[bool], every: f64, after: f64) -> sqlx::Result<Option<Known>> {
    sqlx::query_as!(
        Known,
        r#"with open as (
               select 'dispute' as kind, d.dispute_id as id, d.payment_id, d.updated_at
               from clawback.disputes d where d.outcome is null
               union all
               select 'refund', r.refund_id, r.payment_id, r.updated_at
               from clawback.refunds r where r.status in ('pending', 'requires_action')
           ), next as (
               select o.kind, o.id, p.account, p.livemode
               from open o
               join clawback.payments p on p.payment_id = o.payment_id
               -- Looked up for each open object: a join would read all that was ever read again.
               left join lateral (
                   select x.read_at from clawback.object_reads x where x.object_id = o.id offset 0) r on true
               left join clawback.api_accounts a on a.account = p.account and a.livemode = p.livemode
               where p.livemode = any($1) and greatest(o.updated_at, r.read_at) < now() - make_interval(secs => $3)
                   and coalesce(a.paused_until, '-infinity') <= now()
                   -- Not `exists`, for which a third of the rows is expected.
                   and coalesce((select max(x.read_at) from clawback.object_reads x), '-infinity')
                       <= now() - make_interval(secs => $2)
               order by r.read_at nulls first, o.id
               limit 1
           ), marked as (
               insert into clawback.object_reads (object_id) select id from next
               on conflict on constraint object_reads_pkey do update set read_at = now()
           )
           select kind as "kind!", id as "id!", account as "account!", livemode as "livemode!" from next"#,
        modes,
        every,
        after
    )
    .fetch_optional(conn)
    .await
}

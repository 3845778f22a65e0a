//! What the commands read and do through `clawback_v1`, as any service would. Rows come as JSON objects.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Begins a transaction in which everything is read as of one moment.
pub const SNAPSHOT: &str = "begin isolation level repeatable read read only";

/// Which events are meant: those that are all of it.
#[derive(Debug, Default)]
pub struct EventFilter {
    /// Only those of which something was passed over.
    pub noted: bool,
    /// `pending`, `processed`, `ignored` or `failed`.
    pub state: Option<String>,
    /// Stripe's type.
    pub event_type: Option<String>,
    /// The object they are about.
    pub object_id: Option<String>,
    /// Received then or later.
    pub since: Option<OffsetDateTime>,
    /// Received before then.
    pub until: Option<OffsetDateTime>,
}

/// Where something that was looked for belongs.
#[derive(Debug)]
pub struct Found {
    /// The payment it is part of.
    pub payment_id: Option<String>,
    /// The order that this payment is for.
    pub order_id: Option<String>,
}

/// All orders, by reference.
pub async fn orders(conn: &mut PgConnection) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select order_id, state, amount_paid, amount_refunded, amount_disputed, amount_lost, currency, hold
               from clawback_v1.orders
               order by order_id) r"#
    )
    .fetch_all(conn)
    .await
}

/// One order, a row for each account, mode and currency.
pub async fn order(conn: &mut PgConnection, order_id: &str) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(o) as "row!" from clawback_v1.orders o where o.order_id = $1
           order by o.livemode, o.account nulls first, o.currency"#,
        order_id
    )
    .fetch_all(conn)
    .await
}

/// All disputes, open ones first, the next deadline first.
pub async fn disputes(conn: &mut PgConnection) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select dispute_id, order_id, phase, status, coalesce(outcome, 'open') as outcome, amount,
                      to_char(evidence_due_by at time zone 'utc', 'YYYY-MM-DD HH24:MI "UTC"') as evidence_due_by,
                      case when outcome is null then date_trunc('hour', evidence_due_by - now())::text end as time_left
               from clawback_v1.disputes d
               order by d.outcome is not null, d.evidence_due_by nulls last, dispute_id) r"#
    )
    .fetch_all(conn)
    .await
}

/// Follow-ups that can be claimed now.
pub async fn ready_follow_ups(conn: &mut PgConnection) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select kind, order_id, subject, to_char(due_at at time zone 'utc', 'YYYY-MM-DD HH24:MI "UTC"') as due_at
               from clawback_v1.follow_ups
               where state = 'ready' and run_at <= now()
               order by kind, order_id, subject) r"#
    )
    .fetch_all(conn)
    .await
}

/// Follow-ups, the newest first; by state, kind or order if given.
pub async fn follow_ups(
    conn: &mut PgConnection,
    state: Option<&str>,
    kind: Option<&str>,
    order_id: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(f) as "row!" from clawback_v1.follow_ups f
           where ($1::text is null or f.state = $1) and ($2::text is null or f.kind = $2)
               and ($3::text is null or f.order_id = $3)
           order by f.id desc
           limit $4"#,
        state,
        kind,
        order_id,
        limit
    )
    .fetch_all(conn)
    .await
}

/// One follow-up; none when it is not there.
pub async fn follow_up(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(r#"select to_jsonb(f) as "row!" from clawback_v1.follow_ups f where f.id = $1"#, id)
        .fetch_optional(conn)
        .await
}

/// Says for the rest of this transaction who acts, and that it is by a command: written down with what is done.
pub async fn act_as(conn: &mut PgConnection, person: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "select set_config('clawback.actor', coalesce($1, ''), true), set_config('clawback.via', 'cli', true) as via",
        person
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// Who did what with something, the first first: an `event`, `follow_up`, `payment` or `fraud_warning`.
pub async fn actions(conn: &mut PgConnection, subject_kind: &str, subject: &str) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select at, action, actor, role, via, reason, detail from clawback_v1.actions
               where subject_kind = $1 and subject = $2
               order by id) r"#,
        subject_kind,
        subject
    )
    .fetch_all(conn)
    .await
}

/// Ready again, with fresh attempts; false: it is not to be had, or only by force.
pub async fn requeue(conn: &mut PgConnection, id: i64, reason: Option<&str>, force: bool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select clawback_v1.requeue_follow_up($1, $2, $3) as "done!""#, id, reason, force)
        .fetch_one(conn)
        .await
}

/// Never to be done; false: it is done, discarded or not there.
pub async fn discard(conn: &mut PgConnection, id: i64, reason: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select clawback_v1.discard_follow_up($1, $2) as "done!""#, id, reason).fetch_one(conn).await
}

/// Lets events be processed again. Returns the ids of those that will be: one that waits, is not there or has lost
/// its body will not.
pub async fn replay(conn: &mut PgConnection, event_ids: &[String], reason: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select u.event_id as "event_id!" from unnest($1::text[]) as u (event_id)
           where clawback_v1.replay_event(u.event_id, $2)"#,
        event_ids,
        reason
    )
    .fetch_all(conn)
    .await
}

/// Events, the last received first.
pub async fn events(conn: &mut PgConnection, like: &EventFilter, limit: i64) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(e) as "row!" from clawback_v1.events e
           where ($1::text is null or e.state = $1) and ($2::text is null or e.type = $2)
               and ($3::text is null or e.object_id = $3) and ($4::timestamptz is null or e.received_at >= $4)
               and ($5::timestamptz is null or e.received_at < $5)
               and (not $6::boolean or e.state = 'processed' and e.last_error is not null)
           order by e.received_at desc
           limit $7"#,
        like.state,
        like.event_type,
        like.object_id,
        like.since,
        like.until,
        like.noted,
        limit
    )
    .fetch_all(conn)
    .await
}

/// One event with its body, client secrets masked; none when it is not there.
pub async fn event(conn: &mut PgConnection, event_id: &str) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select e.*, b.payload
               from clawback_v1.events e
               left join clawback_v1.event_payloads b on b.event_id = e.event_id
               where e.event_id = $1) r"#,
        event_id
    )
    .fetch_optional(conn)
    .await
}

/// Changes of state of one order, oldest first.
pub async fn history(conn: &mut PgConnection, order_id: &str) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(r) as "row!" from (
               select from_state, to_state, amount_paid, amount_refunded, amount_disputed, amount_lost, hold,
                      evidence_due_by, event_type, event_id, event_created_at as happened_at, recorded_at,
                      payment_id, account, livemode, currency
               from clawback_v1.order_history
               where order_id = $1
               order by id) r"#,
        order_id
    )
    .fetch_all(conn)
    .await
}

/// The order with the most changes of state; empty when there is none.
pub async fn most_eventful_order(conn: &mut PgConnection) -> sqlx::Result<String> {
    let order = sqlx::query_scalar!(
        r#"select order_id as "order_id!" from clawback_v1.order_history where order_id is not null
           group by order_id
           order by count(*) desc, order_id
           limit 1"#
    );
    Ok(order.fetch_optional(conn).await?.unwrap_or_default())
}

/// How many events are in each state.
pub async fn event_counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select state as "state!", count(*) as "count!" from clawback_v1.events group by state order by state"#
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.state, row.count)).collect())
}

/// Payments, the last changed first; those only that are for no order yet, if so asked.
pub async fn payments(conn: &mut PgConnection, unlinked: bool, limit: i64) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        r#"select to_jsonb(p) as "row!" from clawback_v1.payments p
           where not $1 or p.order_id is null
           order by p.updated_at desc, p.payment_id
           limit $2"#,
        unlinked,
        limit
    )
    .fetch_all(conn)
    .await
}

/// What a term is: an id of Stripe's that was seen, or an order's reference.
pub async fn find(conn: &mut PgConnection, term: &str) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"select distinct payment_id, order_id from clawback_v1.find($1) order by order_id, payment_id"#,
        term
    )
    .fetch_all(conn)
    .await
}

/// Payments that are for no order yet.
pub async fn unlinked_payments(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select payment_id as "payment_id!" from clawback_v1.payments where order_id is null order by payment_id"#
    )
    .fetch_all(conn)
    .await
}

/// Says which order a payment is for.
pub async fn link_payment(conn: &mut PgConnection, payment_id: &str, order_id: &str) -> sqlx::Result<()> {
    sqlx::query!("select clawback_v1.link_payment($1, $2)", payment_id, order_id).execute(conn).await.map(drop)
}

//! Refund requests: what the executor reads and records, and their states by the refunds that were seen.
//!
//! Not here: making a request, which is a function of `clawback_v1`.

use sqlx::PgConnection;
use uuid::Uuid;

/// A request as it was frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// Its id, which is the idempotency key.
    pub id: Uuid,
    /// The caller's key.
    pub request_key: String,
    /// The charge to refund, or the payment intent.
    pub source_id: String,
    /// The payment intent, where the payment is one.
    pub intent_id: Option<String>,
    /// In minor units.
    pub amount: i64,
    /// Stripe's word.
    pub reason: Option<String>,
    /// Take the money back from the connected account; none: the charge has no transfer.
    pub reverse_transfer: Option<bool>,
    /// Give the application fee back; none: the charge has none.
    pub refund_application_fee: Option<bool>,
    /// `requested`, `sent`, `unknown` and so on.
    pub state: String,
    /// Somebody cancelled it while its outcome was unknown: it is looked up, and not created any more.
    pub cancel_requested: bool,
    /// Other requests with the same key: of payments that were merged, or of other payments.
    pub others: Vec<Uuid>,
}

/// The request; none when it is gone.
pub async fn load(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<RefundRequest>> {
    sqlx::query_as!(
        RefundRequest,
        r#"select q.id, q.request_key, q.source_id, o.object_id as "intent_id?", q.amount, q.reason, q.reverse_transfer,
                  q.refund_application_fee, q.state, q.cancel_requested,
                  array(select o.id from clawback.refund_requests o
                        where o.request_key = q.request_key and o.id <> q.id and o.account = q.account
                            and o.livemode = q.livemode) as "others!"
           from clawback.refund_requests q
           left join clawback.payment_objects o on o.object_id = q.payment_id and o.kind = 'payment_intent'
           where q.id = $1"#,
        id
    )
    .fetch_optional(conn)
    .await
}

/// Marks a leased request as sent. One that was sent before is `unknown`: whether it had an effect is.
pub async fn send(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.refund_requests
         set state = case state when 'requested' then 'sent' else 'unknown' end, sent_at = now(),
             first_sent_at = coalesce(first_sent_at, now()), updated_at = now()
         where id = $1 and state in ('requested', 'sent', 'unknown')",
        id
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records the refund that was created, or found. `status` is Stripe's.
pub async fn made(
    conn: &mut PgConnection,
    id: Uuid,
    refund_id: &str,
    status: &str,
    amount: i64,
    failure: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with answered as (
             update clawback.follow_ups f set wanted = false, state = 'cancelled', finished_at = now()
             where f.kind = 'resolve_refused_request' and f.subject = $1::uuid::text and f.state in ('ready', 'dead')
         )
         update clawback.refund_requests
         set refund_id = $2, state = clawback.request_state($3), updated_at = now(), amount = $4,
             error = coalesce($5, case when amount <> $4
                 then format('%s was requested; a refund of %s with this key existed', amount, $4) end)
         where id = $1 and (refund_id is null or refund_id = $2)",
        id,
        refund_id,
        status,
        amount,
        failure
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records that Stripe refuses it for good, and asks a person to decide.
pub async fn refused(conn: &mut PgConnection, id: Uuid, error: &str, code: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!(
        "with refused as (
             update clawback.refund_requests set state = 'failed', error = $2, updated_at = now()
             where id = $1 and refund_id is null and state <> 'cancelled'
             returning *
         ), asked as (
             insert into clawback.follow_ups (kind, subject, round, order_id, payment_id, payload, run_at)
             select 'resolve_refused_request', q.id::text, '', coalesce(q.order_id, p.order_id), p.payment_id,
                    jsonb_build_object('request_id', q.id, 'request_key', q.request_key, 'amount', q.amount,
                        'currency', q.currency, 'reason', q.reason, 'error', q.error, 'code', $3::text), now()
             from refused q
             left join clawback.payments p on p.payment_id = q.payment_id
             on conflict on constraint follow_ups_once do nothing
             returning kind
         )
         select pg_notify('clawback_follow_ups', kind) from asked",
        id,
        error,
        code
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records why it was not made yet. `unknown`: it may have had an effect; else it goes back to what it was.
pub async fn not_made(conn: &mut PgConnection, id: Uuid, unknown: bool, error: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.refund_requests
         set state = case when $2 or state = 'unknown' then 'unknown' else 'requested' end, error = $3, updated_at = now()
         where id = $1 and state in ('sent', 'unknown')",
        id,
        unknown,
        error
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Ends a request that somebody cancelled while its outcome was unknown, and of which Stripe knows no refund.
pub async fn cancel(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.refund_requests set state = 'cancelled', error = null, updated_at = now()
         where id = $1 and refund_id is null and cancel_requested",
        id
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Brings the requests of these payments in line with their refunds: a refund belongs to the request that its metadata
/// names, by id, else by key. A request matches at most one refund.
pub async fn settle(conn: &mut PgConnection, payment_ids: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "with matched as (
             select distinct on (q.id) q.id, r.refund_id, r.amount, clawback.request_state(r.status) as state,
                    case when r.status in ('failed', 'canceled') then 'the refund ' || case r.status when 'failed'
                        then 'failed' else 'was canceled' end || coalesce(': ' || r.failure_reason, '') end as error
             from clawback.refund_requests q
             join clawback.refunds r on r.payment_id = q.payment_id
                 and (r.refund_id = q.refund_id
                      or q.refund_id is null and (r.metadata ->> 'clawback_request' = q.id::text
                         or r.metadata ->> 'clawback_request_key' = q.request_key and not exists (
                             select from clawback.refund_requests o
                             where o.id::text = r.metadata ->> 'clawback_request')))
             where q.payment_id = any($1)
             order by q.id, r.created_at, r.refund_id
         )
, answered as (
             update clawback.follow_ups f set wanted = false, state = 'cancelled', finished_at = now()
             from matched m
             where f.kind = 'resolve_refused_request' and f.subject = m.id::text and f.state in ('ready', 'dead')
         )
         update clawback.refund_requests q
         set refund_id = m.refund_id, amount = m.amount, state = m.state, updated_at = now(),
             error = coalesce(m.error, case when q.refund_id = m.refund_id and q.state = m.state then q.error end)
         from matched m
         where q.id = m.id and (q.refund_id, q.amount, q.state, q.error) is distinct from (m.refund_id, m.amount, m.state,
                 coalesce(m.error, case when q.refund_id = m.refund_id and q.state = m.state then q.error end))
             and not exists (select from clawback.refund_requests o where o.refund_id = m.refund_id and o.id <> q.id)",
        payment_ids as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Moves the requests of merged payments to their successors, given as parallel lists.
pub async fn move_to_successors(conn: &mut PgConnection, removed: &[&str], successors: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.refund_requests q
         set payment_id = m.successor
         from unnest($1::text[], $2::text[]) as m (removed, successor)
         where q.payment_id = m.removed and not exists (
             select from clawback.refund_requests o where o.payment_id = m.successor and o.request_key = q.request_key)",
        removed as _,
        successors as _
    )
    .execute(conn)
    .await
    .map(drop)
}

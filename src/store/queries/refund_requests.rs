//! Refund requests: what was requested, and requesting and cancelling.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Page, page};

/// A requested refund and its state.
#[derive(Clone, Debug, Serialize)]
pub struct RefundRequest {
    /// Its id, which is the idempotency key at Stripe.
    pub id: Uuid,
    /// The key that the caller gave.
    pub request_key: String,
    /// The order, if the payment is linked.
    pub order_id: Option<String>,
    /// The payment that is refunded.
    pub payment_id: String,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Lower-case ISO code.
    pub currency: String,
    /// In minor units.
    pub amount: i64,
    /// `duplicate`, `fraudulent` or `requested_by_customer`.
    pub reason: Option<String>,
    /// `requested`, `sent`, `unknown`, `pending`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// Stripe's id of the refund.
    pub refund_id: Option<String>,
    /// Why it failed or waits.
    pub error: Option<String>,
    /// The database role.
    pub requested_by: String,
    /// The person, or the role when no name was given.
    pub actor: String,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the row changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Which requests are meant; none of a field: all.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// This one.
    pub id: Option<Uuid>,
    /// In this state.
    pub state: Option<String>,
    /// Of this order.
    pub order_id: Option<String>,
    /// Of this payment.
    pub payment_id: Option<String>,
    /// Made then or later.
    pub since: Option<OffsetDateTime>,
}

/// Requests, the newest first.
pub async fn refund_requests(
    conn: &mut PgConnection,
    filter: &RequestFilter,
    page: &Page,
) -> sqlx::Result<Vec<RefundRequest>> {
    // No request has the nil id.
    let edge = page.edge().map(|id| id.parse::<Uuid>().unwrap_or_default());
    page!(
        conn,
        page,
        RefundRequest,
        r#"select r.id as "id!", r.request_key as "request_key!", r.order_id, r.payment_id as "payment_id!", r.account,
                  r.livemode as "livemode!", r.currency as "currency!", r.amount as "amount!", r.reason,
                  r.state as "state!", r.refund_id, r.error, r.requested_by as "requested_by!", r.actor as "actor!",
                  r.created_at as "created_at!", r.updated_at as "updated_at!"
           from clawback_v1.refund_requests r
           where ($1::uuid is null or r.id = $1) and ($2::text is null or r.state = $2)
               and ($3::text is null or r.order_id = $3) and ($4::text is null or r.payment_id = $4)
               and ($5::timestamptz is null or r.created_at >= $5)"#,
        after: "
               and ($6::uuid is null or (r.created_at, r.id)
                   < (select b.created_at, b.id from clawback_v1.refund_requests b where b.id = $6))
           order by r.created_at desc, r.id desc
           limit $7",
        before: "
               and (r.created_at, r.id)
                   > (select b.created_at, b.id from clawback_v1.refund_requests b where b.id = $6)
           order by r.created_at, r.id
           limit $7",
        filter.id,
        filter.state,
        filter.order_id,
        filter.payment_id,
        filter.since,
        edge,
        page.limit,
    )
}

/// What is requested to be refunded.
#[derive(Clone, Copy, Debug)]
pub enum Refundee<'a> {
    /// An order.
    Order(&'a str),
    /// A payment.
    Payment(&'a str),
}

/// Requests a refund; returns the id of the request. `amount` in minor units; none: all that is left.
///
/// # Errors
/// What the functions of `clawback_v1` refuse, with a hint.
pub async fn request_refund(
    conn: &mut PgConnection,
    of: Refundee<'_>,
    key: &str,
    amount: Option<i64>,
    reason: Option<&str>,
) -> sqlx::Result<Uuid> {
    let (function, id) = match of {
        Refundee::Order(id) => ("request_refund", id),
        Refundee::Payment(id) => ("request_payment_refund", id),
    };
    sqlx::query_scalar!(
        r#"select case $1::text when 'request_refund' then clawback_v1.request_refund($2, $3, $4, $5)
                  else clawback_v1.request_payment_refund($2, $3, $4, $5) end as "id!""#,
        function,
        id,
        key,
        amount,
        reason
    )
    .fetch_one(conn)
    .await
}

/// Cancels a request. False: it was sent, or does not exist.
pub async fn cancel_refund_request(conn: &mut PgConnection, id: Uuid, reason: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select clawback_v1.cancel_refund_request($1, $2) as "cancelled!""#, id, reason)
        .fetch_one(conn)
        .await
}

/// The open inquiries of a payment that a refund of this amount does not end, with what would end them.
pub async fn inquiries_left_open(conn: &mut PgConnection, request: Uuid) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select d.dispute_id as "dispute_id!", d.amount as "amount!"
           from clawback_v1.refund_requests r
           join clawback_v1.disputes d on d.payment_id = r.payment_id
           where r.id = $1 and d.phase = 'inquiry' and d.outcome is null and r.amount < d.amount"#,
        request
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.dispute_id, row.amount)).collect())
}

/// What became of the money of a payment, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remainder {
    /// Captured.
    pub paid: i64,
    /// Refunded, or on its way.
    pub refunded: i64,
    /// Lost in disputes.
    pub lost: i64,
    /// In open chargebacks.
    pub disputed: i64,
    /// Requested through us, where no refund is known yet.
    pub requested: i64,
}

impl Remainder {
    /// What can still be refunded. Of a single charge it can be less.
    #[must_use]
    pub fn left(&self) -> i64 {
        [self.refunded, self.lost, self.disputed, self.requested]
            .iter()
            .fold(self.paid, |left, less| left.saturating_sub(*less))
            .max(0)
    }
}

/// What is left of a payment; none when it is not known.
pub async fn remainder(conn: &mut PgConnection, payment_id: &str) -> sqlx::Result<Option<Remainder>> {
    sqlx::query_as!(
        Remainder,
        r#"select coalesce(p.amount_paid, 0) as "paid!", p.amount_refunded as "refunded!", p.amount_lost as "lost!",
                  p.amount_disputed as "disputed!",
                  (select coalesce(sum(q.amount), 0)::bigint
                   from clawback_v1.refund_requests q
                   where q.payment_id = p.payment_id
                       and q.state in ('requested', 'sent', 'unknown', 'pending', 'succeeded')
                       -- A refund that is known counts as refunded.
                       and not exists (select from clawback_v1.refunds r where r.refund_id = q.refund_id)) as "requested!"
           from clawback_v1.payments p
           where p.payment_id = $1"#,
        payment_id
    )
    .fetch_optional(conn)
    .await
}

/// The request of a payment that was made with this key.
pub async fn request_of_key(conn: &mut PgConnection, payment_id: &str, key: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        r#"select id as "id!" from clawback_v1.refund_requests where payment_id = $1 and request_key = $2"#,
        payment_id,
        key
    )
    .fetch_optional(conn)
    .await
}

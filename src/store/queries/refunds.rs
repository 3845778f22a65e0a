//! Refunds.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Page, page};

/// One refund, in Stripe's words.
#[derive(Clone, Debug, Serialize)]
pub struct Refund {
    /// Its id.
    pub refund_id: String,
    /// The payment; none while no charge or intent of it is known.
    pub payment_id: Option<String>,
    /// The order, if the payment is linked.
    pub order_id: Option<String>,
    /// The charge it names.
    pub charge_id: Option<String>,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// In minor units.
    pub amount: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// `pending`, `requires_action`, `succeeded`, `failed`, `canceled`, or one not known yet.
    pub status: String,
    /// Why it was made.
    pub reason: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// It released an authorization and returned no captured money.
    pub is_release: bool,
    /// Where the money goes, such as `card`.
    pub destination_type: Option<String>,
    /// By which the buyer's bank finds it.
    pub reference: Option<String>,
    /// `pending`, `available` or `unavailable`.
    pub reference_status: Option<String>,
    /// What a pending one waits for.
    pub pending_reason: Option<String>,
    /// The key of our own request; none for a refund made elsewhere.
    pub request_key: Option<String>,
    /// The merchant's own fields.
    pub metadata: Option<Value>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the row changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Which refunds are meant; none of a field: all.
#[derive(Clone, Debug, Default)]
pub struct RefundFilter {
    /// In this status.
    pub status: Option<String>,
    /// Of this order.
    pub order_id: Option<String>,
    /// Of this payment.
    pub payment_id: Option<String>,
    /// Made then or later.
    pub since: Option<OffsetDateTime>,
}

/// Refunds, the newest first.
pub async fn refunds(conn: &mut PgConnection, filter: &RefundFilter, page: &Page) -> sqlx::Result<Vec<Refund>> {
    page!(
        conn,
        page,
        Refund,
        r#"select r.refund_id as "refund_id!", r.payment_id, r.order_id, r.charge_id, r.account,
                  r.livemode as "livemode!", r.amount as "amount!", r.currency as "currency!", r.status as "status!",
                  r.reason, r.failure_reason, r.is_release as "is_release!", r.destination_type, r.reference,
                  r.reference_status, r.pending_reason, r.request_key, r.metadata,
                  r.created_at as "created_at!", r.updated_at as "updated_at!"
           from clawback_v1.refunds r
           where ($1::text is null or r.status = $1) and ($2::text is null or r.order_id = $2)
               and ($3::text is null or r.payment_id = $3) and ($4::timestamptz is null or r.created_at >= $4)"#,
        after: "
               and ($5::text is null or (r.created_at, r.refund_id)
                   < (select b.created_at, b.refund_id from clawback_v1.refunds b where b.refund_id = $5))
           order by r.created_at desc, r.refund_id desc
           limit $6",
        before: "
               and (r.created_at, r.refund_id)
                   > (select b.created_at, b.refund_id from clawback_v1.refunds b where b.refund_id = $5)
           order by r.created_at, r.refund_id
           limit $6",
        filter.status,
        filter.order_id,
        filter.payment_id,
        filter.since,
        page.edge(),
        page.limit,
    )
}

//! Orders, and how they came to be what they are.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Page, page};
use crate::domain::OrderKey;

/// One order in one account, mode and currency.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// The merchant's reference.
    pub order_id: String,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Lower-case ISO code; none while not known.
    pub currency: Option<String>,
    /// The first state that fits.
    pub state: String,
    /// None until a charge or an intent was seen.
    pub amount_paid: Option<i64>,
    /// Refunded, or on its way.
    pub amount_refunded: i64,
    /// In open chargebacks.
    pub amount_disputed: i64,
    /// Lost in disputes.
    pub amount_lost: i64,
    /// Do not ship.
    pub hold: bool,
    /// Disputes without an outcome.
    pub open_disputes: i32,
    /// The nearest deadline for evidence.
    #[serde(with = "time::serde::rfc3339::option")]
    pub evidence_due_by: Option<OffsetDateTime>,
    /// When the row changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Order {
    /// What tells it apart from others.
    #[must_use]
    pub fn key(&self) -> OrderKey {
        OrderKey {
            order_id: self.order_id.clone(),
            account: self.account.clone(),
            livemode: self.livemode,
            currency: self.currency.clone(),
        }
    }
}

/// Which orders are meant; none of a field: all.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// With this reference.
    pub order_id: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Not to be shipped.
    pub hold: Option<bool>,
    /// Live or test mode.
    pub livemode: Option<bool>,
    /// Changed then or later.
    pub since: Option<OffsetDateTime>,
}

/// Orders, the last changed first. A page begins after the first row of its reference, so that one used in several
/// accounts, modes or currencies may be listed again, and is never missed.
pub async fn orders(conn: &mut PgConnection, filter: &OrderFilter, page: &Page) -> sqlx::Result<Vec<Order>> {
    page!(
        conn,
        page,
        Order,
        r#"select o.order_id as "order_id!", o.account, o.livemode as "livemode!", o.currency, o.state as "state!",
                  o.amount_paid, o.amount_refunded as "amount_refunded!", o.amount_disputed as "amount_disputed!",
                  o.amount_lost as "amount_lost!", o.hold as "hold!", o.open_disputes as "open_disputes!",
                  o.evidence_due_by, o.updated_at as "updated_at!"
           from clawback_v1.orders o
           where ($1::text is null or o.order_id = $1) and ($2::text is null or o.state = $2)
               and ($3::boolean is null or o.hold = $3) and ($4::boolean is null or o.livemode = $4)
               and ($5::timestamptz is null or o.updated_at >= $5)"#,
        after: "
               and ($6::text is null or (o.updated_at, o.order_id)
                   < (select max(b.updated_at), b.order_id from clawback_v1.orders b where b.order_id = $6
                      group by b.order_id))
           order by o.updated_at desc, o.order_id desc, o.livemode, o.account nulls first, o.currency
           limit $7",
        before: "
               and (o.updated_at, o.order_id)
                   > (select min(b.updated_at), b.order_id from clawback_v1.orders b where b.order_id = $6
                      group by b.order_id)
           order by o.updated_at, o.order_id, o.livemode desc, o.account desc nulls last, o.currency desc
           limit $7",
        filter.order_id,
        filter.state,
        filter.hold,
        filter.livemode,
        filter.since,
        page.edge(),
        page.limit,
    )
}

/// The references that begin with `prefix`, in the order of their bytes: from at most `limit` rows.
pub async fn orders_beginning_with(conn: &mut PgConnection, prefix: &str, limit: i64) -> sqlx::Result<Vec<String>> {
    let mut order_ids = sqlx::query_scalar!(
        // Bytewise, from the prefix to the prefix and the last character there is: uses the index whatever the plan.
        r#"select o.order_id as "order_id!" from clawback_v1.orders o
           where o.order_id ~>=~ $1 and o.order_id ~<~ ($1 || chr(1114111))
           order by o.order_id using ~<~
           limit $2"#,
        prefix,
        limit
    )
    .fetch_all(conn)
    .await?;
    order_ids.dedup();
    Ok(order_ids)
}

/// The references of the orders that changed last, the latest first.
pub async fn recent_order_ids(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select order_id as "order_id!" from clawback_v1.orders order by updated_at desc, order_id limit 500"#
    )
    .fetch_all(conn)
    .await
}

/// A change of an order, or of a payment while it is unlinked: everything as it is after it.
#[derive(Debug, Serialize)]
pub struct HistoryEntry {
    /// None: it begins.
    pub from_state: Option<String>,
    /// None: the order or payment ended.
    pub to_state: Option<String>,
    /// In minor units.
    pub amount_paid: Option<i64>,
    /// In minor units.
    pub amount_refunded: i64,
    /// In minor units.
    pub amount_disputed: i64,
    /// In minor units.
    pub amount_lost: i64,
    /// Do not ship.
    pub hold: bool,
    /// The nearest deadline for evidence.
    #[serde(with = "time::serde::rfc3339::option")]
    pub evidence_due_by: Option<OffsetDateTime>,
    /// The type of the event that changed it.
    pub event_type: Option<String>,
    /// That event; none for a rebuild.
    pub event_id: Option<String>,
    /// When it happened, by Stripe's clock.
    #[serde(with = "time::serde::rfc3339::option")]
    pub happened_at: Option<OffsetDateTime>,
    /// When it was recorded here.
    #[serde(with = "time::serde::rfc3339")]
    pub recorded_at: OffsetDateTime,
    /// The payment that changed.
    pub payment_id: Option<String>,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Lower-case ISO code; none while not known.
    pub currency: Option<String>,
}

/// Changes in order of arrival: those of an order, or with no order those of these payments.
pub async fn history(
    conn: &mut PgConnection,
    order_id: Option<&str>,
    payment_ids: &[String],
) -> sqlx::Result<Vec<HistoryEntry>> {
    sqlx::query_as!(
        HistoryEntry,
        r#"select from_state, to_state, amount_paid, amount_refunded as "amount_refunded!",
                  amount_disputed as "amount_disputed!", amount_lost as "amount_lost!", hold as "hold!",
                  evidence_due_by, event_type, event_id, event_created_at as happened_at,
                  recorded_at as "recorded_at!", payment_id, account, livemode as "livemode!", currency
           from clawback_v1.order_history
           where order_id = $1 or $1::text is null and payment_id = any($2)
           order by id"#,
        order_id,
        payment_ids
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

//! Orders and their history.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::ledger::PendingEvent;
use crate::domain::history::{Change, Subject};
use crate::domain::{Balance, Order, OrderKey, Scope, State};

/// A row of `order_history` to write: a change of an order, or of a payment while it is unlinked.
#[derive(Debug, Serialize)]
pub struct HistoryRow {
    /// None while the payment is unlinked.
    pub order_id: Option<String>,
    /// The payment that the event is about.
    pub payment_id: String,
    /// None: the order begins.
    pub from_state: Option<State>,
    /// The state from now on; none: the order ends.
    pub to_state: Option<State>,
    /// The sums from now on.
    #[serde(flatten)]
    pub balance: Balance,
    /// The event that caused it; none for a rebuild.
    pub event_id: Option<String>,
    /// Its type.
    pub event_type: String,
    /// When it happened, in unix seconds.
    pub event_created_at: Option<i64>,
    /// Account and mode of the order or payment.
    #[serde(flatten)]
    pub scope: Scope,
    /// Its currency, once known.
    pub currency: Option<String>,
}

impl HistoryRow {
    /// A change caused by an event about `payment_id`; without an event, by a rebuild of it.
    #[must_use]
    pub fn of(event: Option<&PendingEvent>, payment_id: &str, Change { subject, from, to }: Change) -> Self {
        let standing = to.as_ref().or(from.as_ref());
        let (order_id, payment_id, currency) = match subject {
            Subject::Payment(id) => (None, id, standing.and_then(|standing| standing.currency.clone())),
            Subject::Order(key) => (Some(key.order_id), payment_id.to_owned(), key.currency),
        };
        Self {
            order_id,
            payment_id,
            currency,
            from_state: from.as_ref().map(|standing| standing.state),
            to_state: to.as_ref().map(|standing| standing.state),
            scope: standing.map(|standing| standing.scope.clone()).unwrap_or_default(),
            balance: to.map(|standing| standing.balance).unwrap_or_default(),
            event_id: event.map(|event| event.event_id.clone()),
            event_type: event.map_or("clawback.rebuilt", |event| &event.event_type).to_owned(),
            event_created_at: event.and_then(|event| event.created_at).map(OffsetDateTime::unix_timestamp),
        }
    }
}

/// The stored rows of these orders, in every account, mode and currency.
pub async fn stored(conn: &mut PgConnection, order_ids: &[String]) -> sqlx::Result<Vec<Order>> {
    let rows = sqlx::query!(
        r#"select order_id, nullif(account, '') as account, livemode, nullif(currency, '') as currency, state,
                  amount_paid, amount_refunded, amount_disputed, amount_lost, hold, open_disputes,
                  extract(epoch from evidence_due_by)::bigint as evidence_due_by
           from clawback.orders
           where order_id = any($1)"#,
        order_ids
    )
    .fetch_all(conn)
    .await?;
    let orders = rows.into_iter().map(|row| Order {
        key: OrderKey { order_id: row.order_id, account: row.account, livemode: row.livemode, currency: row.currency },
        state: row.state.parse().unwrap_or(State::Unknown),
        balance: Balance {
            amount_paid: row.amount_paid,
            amount_refunded: row.amount_refunded,
            amount_disputed: row.amount_disputed,
            amount_lost: row.amount_lost,
            open_disputes: row.open_disputes,
            hold: row.hold,
            evidence_due_by: row.evidence_due_by,
        },
    });
    Ok(orders.collect())
}

/// Writes the orders that differ from the stored ones.
pub async fn save(conn: &mut PgConnection, orders: &[Order]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.orders
             (order_id, account, livemode, currency, state, amount_paid, amount_refunded, amount_disputed, amount_lost,
              hold, open_disputes, evidence_due_by)
         select r.*
         from jsonb_to_recordset($1) as j
             (order_id text, account text, livemode boolean, currency text, state text, amount_paid bigint,
              amount_refunded bigint, amount_disputed bigint, amount_lost bigint, hold boolean, open_disputes integer,
              evidence_due_by bigint)
         cross join lateral (
             select j.order_id, coalesce(j.account, ''), j.livemode, coalesce(j.currency, ''), j.state, j.amount_paid,
                    j.amount_refunded, j.amount_disputed, j.amount_lost, j.hold, j.open_disputes,
                    to_timestamp(j.evidence_due_by)
         ) as r (order_id, account, livemode, currency, state, amount_paid, amount_refunded, amount_disputed,
                 amount_lost, hold, open_disputes, evidence_due_by)
         -- Compared first: an upsert would lock and log every row.
         where not exists (
             select from clawback.orders o
             where (o.order_id, o.account, o.livemode, o.currency) = (r.order_id, r.account, r.livemode, r.currency)
                 and (o.state, o.amount_paid, o.amount_refunded, o.amount_disputed, o.amount_lost, o.hold,
                      o.open_disputes, o.evidence_due_by)
                     is not distinct from
                     (r.state, r.amount_paid, r.amount_refunded, r.amount_disputed, r.amount_lost, r.hold,
                      r.open_disputes, r.evidence_due_by))
         on conflict on constraint orders_pkey do update
         set state = excluded.state, amount_paid = excluded.amount_paid, amount_refunded = excluded.amount_refunded,
             amount_disputed = excluded.amount_disputed, amount_lost = excluded.amount_lost, hold = excluded.hold,
             open_disputes = excluded.open_disputes, evidence_due_by = excluded.evidence_due_by,
             updated_at = excluded.updated_at",
        Json(orders) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes orders that lost their last payment.
pub async fn remove(conn: &mut PgConnection, keys: &[&OrderKey]) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from clawback.orders o
         using jsonb_to_recordset($1) as r (order_id text, account text, livemode boolean, currency text)
         where o.order_id = r.order_id and o.account = coalesce(r.account, '') and o.livemode = r.livemode
             and o.currency = coalesce(r.currency, '')",
        Json(keys) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Appends rows in the order given, and notifies listeners of the last id: a hint only, sent with the commit.
pub async fn append_history(conn: &mut PgConnection, rows: &[HistoryRow]) -> sqlx::Result<()> {
    sqlx::query!(
        "with appended as (
             insert into clawback.order_history
                 (order_id, payment_id, from_state, to_state, event_id, event_type, event_created_at, account, livemode,
                  currency, amount_paid, amount_refunded, amount_disputed, amount_lost, hold, open_disputes,
                  evidence_due_by)
             select r.order_id, r.payment_id, r.from_state, r.to_state, r.event_id, r.event_type,
                    to_timestamp(r.event_created_at), coalesce(r.account, ''), r.livemode, coalesce(r.currency, ''),
                    r.amount_paid, r.amount_refunded, r.amount_disputed, r.amount_lost, r.hold, r.open_disputes,
                    to_timestamp(r.evidence_due_by)
             from rows from (jsonb_to_recordset($1) as
                 (order_id text, payment_id text, from_state text, to_state text, event_id text, event_type text,
                  event_created_at bigint, account text, livemode boolean, currency text, amount_paid bigint,
                  amount_refunded bigint, amount_disputed bigint, amount_lost bigint, hold boolean,
                  open_disputes integer, evidence_due_by bigint)) with ordinality as r
             order by r.ordinality
             returning id
         )
         select pg_notify('clawback_order_history', max(id)::text) from appended",
        Json(rows) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

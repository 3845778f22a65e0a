//! Orders and their history.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::column;
use super::ledger::PendingEvent;
use crate::domain::history::{Change, Subject};
use crate::domain::{Balance, Order, OrderKey, Scope, State};

/// A row of `order_history` to write: a change of an order, or of a payment while it is unlinked.
#[derive(Debug)]
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
    pub balance: Balance,
    /// The event that caused it; none for a rebuild.
    pub event_id: Option<String>,
    /// Its type.
    pub event_type: String,
    /// When it happened, in unix seconds.
    pub event_created_at: Option<i64>,
    /// Account and mode of the order or payment.
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
        "with derived as (
             select r.order_id, r.account, r.livemode, r.currency, r.state, r.amount_paid, r.amount_refunded,
                    r.amount_disputed, r.amount_lost, r.hold, r.open_disputes,
                    to_timestamp(r.evidence_due_by) as evidence_due_by
             from unnest(
                 $1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                 $8::bigint[], $9::bigint[], $10::boolean[], $11::integer[], $12::bigint[]
             ) as r (order_id, account, livemode, currency, state, amount_paid, amount_refunded, amount_disputed,
                     amount_lost, hold, open_disputes, evidence_due_by)
         )
         insert into clawback.orders
             (order_id, account, livemode, currency, state, amount_paid, amount_refunded, amount_disputed, amount_lost,
              hold, open_disputes, evidence_due_by)
         select d.* from derived d
         -- Compared first: an upsert would lock and log every row.
         where not exists (
             select from clawback.orders o
             where (o.order_id, o.account, o.livemode, o.currency) = (d.order_id, d.account, d.livemode, d.currency)
                 and (o.state, o.amount_paid, o.amount_refunded, o.amount_disputed, o.amount_lost, o.hold,
                      o.open_disputes, o.evidence_due_by)
                     is not distinct from
                     (d.state, d.amount_paid, d.amount_refunded, d.amount_disputed, d.amount_lost, d.hold,
                      d.open_disputes, d.evidence_due_by)
             offset 0)
         on conflict on constraint orders_pkey do update
         set state = excluded.state, amount_paid = excluded.amount_paid, amount_refunded = excluded.amount_refunded,
             amount_disputed = excluded.amount_disputed, amount_lost = excluded.amount_lost, hold = excluded.hold,
             open_disputes = excluded.open_disputes, evidence_due_by = excluded.evidence_due_by,
             updated_at = excluded.updated_at",
        &column(orders, |order| order.key.order_id.as_str()) as &[&str],
        &column(orders, |order| order.key.account.as_deref().unwrap_or_default()) as &[&str],
        &column(orders, |order| order.key.livemode),
        &column(orders, |order| order.key.currency.as_deref().unwrap_or_default()) as &[&str],
        &column(orders, |order| order.state.into()) as &[&str],
        &column(orders, |order| order.balance.amount_paid) as &[Option<i64>],
        &column(orders, |order| order.balance.amount_refunded),
        &column(orders, |order| order.balance.amount_disputed),
        &column(orders, |order| order.balance.amount_lost),
        &column(orders, |order| order.balance.hold),
        &column(orders, |order| order.balance.open_disputes),
        &column(orders, |order| order.balance.evidence_due_by) as &[Option<i64>],
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes orders that lost their last payment.
pub async fn remove(conn: &mut PgConnection, keys: &[&OrderKey]) -> sqlx::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "delete from clawback.orders o
         using unnest($1::text[], $2::text[], $3::boolean[], $4::text[]) as r (order_id, account, livemode, currency)
         where (o.order_id, o.account, o.livemode, o.currency) = (r.order_id, r.account, r.livemode, r.currency)",
        &column(keys, |key| key.order_id.as_str()) as &[&str],
        &column(keys, |key| key.account.as_deref().unwrap_or_default()) as &[&str],
        &column(keys, |key| key.livemode),
        &column(keys, |key| key.currency.as_deref().unwrap_or_default()) as &[&str],
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Appends rows in the order given, and notifies listeners of the last id: a hint only, sent with the commit.
pub async fn append_history(conn: &mut PgConnection, rows: &[HistoryRow]) -> sqlx::Result<()> {
    let word = |state: Option<State>| state.map(<&str>::from);
    sqlx::query!(
        "with appended as (
             insert into clawback.order_history
                 (order_id, payment_id, from_state, to_state, event_id, event_type, event_created_at, account, livemode,
                  currency, amount_paid, amount_refunded, amount_disputed, amount_lost, hold, open_disputes,
                  evidence_due_by)
             select r.order_id, r.payment_id, r.from_state, r.to_state, r.event_id, r.event_type,
                    to_timestamp(r.event_created_at), r.account, r.livemode, r.currency, r.amount_paid,
                    r.amount_refunded, r.amount_disputed, r.amount_lost, r.hold, r.open_disputes,
                    to_timestamp(r.evidence_due_by)
             from unnest(
                 $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
                 $9::boolean[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::boolean[],
                 $16::integer[], $17::bigint[]
             ) with ordinality as r (order_id, payment_id, from_state, to_state, event_id, event_type, event_created_at,
                     account, livemode, currency, amount_paid, amount_refunded, amount_disputed, amount_lost, hold,
                     open_disputes, evidence_due_by, place)
             order by r.place
             returning id
         )
         select pg_notify('clawback_order_history', max(id)::text) from appended",
        &column(rows, |row| row.order_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.payment_id.as_str()) as &[&str],
        &column(rows, |row| word(row.from_state)) as &[Option<&str>],
        &column(rows, |row| word(row.to_state)) as &[Option<&str>],
        &column(rows, |row| row.event_id.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.event_type.as_str()) as &[&str],
        &column(rows, |row| row.event_created_at) as &[Option<i64>],
        &column(rows, |row| row.scope.account.as_deref().unwrap_or_default()) as &[&str],
        &column(rows, |row| row.scope.livemode),
        &column(rows, |row| row.currency.as_deref().unwrap_or_default()) as &[&str],
        &column(rows, |row| row.balance.amount_paid) as &[Option<i64>],
        &column(rows, |row| row.balance.amount_refunded),
        &column(rows, |row| row.balance.amount_disputed),
        &column(rows, |row| row.balance.amount_lost),
        &column(rows, |row| row.balance.hold),
        &column(rows, |row| row.balance.open_disputes),
        &column(rows, |row| row.balance.evidence_due_by) as &[Option<i64>],
    )
    .execute(conn)
    .await
    .map(drop)
}

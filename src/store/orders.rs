//! Orders and the history of their states.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::{Order, OrderKey, Scope, State};

/// One state change as it is to be recorded.
#[derive(Debug, Serialize)]
pub struct HistoryRow {
    /// None while the payment is unlinked.
    pub order_id: Option<String>,
    /// The payment that the event was about.
    pub payment_id: String,
    /// None for the first state.
    pub from_state: Option<State>,
    /// The state from now on.
    pub to_state: State,
    /// The event that brought it about.
    pub event_id: String,
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

/// Writes orders, new or changed.
pub async fn save(conn: &mut PgConnection, orders: &[Order]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.orders as o
             (order_id, account, livemode, currency, state, amount_paid, amount_refunded, amount_disputed, amount_lost,
              hold, open_disputes, evidence_due_by)
         select r.order_id, coalesce(r.account, ''), r.livemode, coalesce(r.currency, ''), r.state, r.amount_paid,
                r.amount_refunded, r.amount_disputed, r.amount_lost, r.hold, r.open_disputes,
                to_timestamp(r.evidence_due_by)
         from jsonb_to_recordset($1) as r
             (order_id text, account text, livemode boolean, currency text, state text, amount_paid bigint,
              amount_refunded bigint, amount_disputed bigint, amount_lost bigint, hold boolean, open_disputes integer,
              evidence_due_by bigint)
         on conflict on constraint orders_pkey do update
         set state = excluded.state, amount_paid = excluded.amount_paid, amount_refunded = excluded.amount_refunded,
             amount_disputed = excluded.amount_disputed, amount_lost = excluded.amount_lost, hold = excluded.hold,
             open_disputes = excluded.open_disputes, evidence_due_by = excluded.evidence_due_by,
             updated_at = excluded.updated_at
         -- One that is written anew may be as it was.
         where to_jsonb(o) - 'updated_at' <> to_jsonb(excluded) - 'updated_at'",
        Json(orders) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Removes orders that lost their last payment.
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

/// Appends state changes, in the order given.
pub async fn append_history(conn: &mut PgConnection, rows: &[HistoryRow]) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.order_history
             (order_id, payment_id, from_state, to_state, event_id, event_type, event_created_at, account, livemode,
              currency)
         select r.value ->> 'order_id', r.value ->> 'payment_id', r.value ->> 'from_state', r.value ->> 'to_state',
                r.value ->> 'event_id', r.value ->> 'event_type',
                to_timestamp((r.value ->> 'event_created_at')::bigint), coalesce(r.value ->> 'account', ''),
                (r.value ->> 'livemode')::boolean, coalesce(r.value ->> 'currency', '')
         from jsonb_array_elements($1) with ordinality as r (value, place)
         order by r.place",
        Json(rows) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

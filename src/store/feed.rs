//! What became of the events that were processed lately, for whoever watches one service on a database of its own.
//!
//! Not for production: it reads the whole ledger. Services follow `clawback_v1.order_history`.

use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

/// An event that was processed, and what it changed.
#[derive(Debug)]
pub struct Processed {
    /// Stripe's id.
    pub event_id: String,
    /// Stripe's type.
    pub event_type: String,
    /// `processed`, `ignored` or `failed`.
    pub state: String,
    /// Why it was ignored or failed; of a processed one, the fields that were passed over.
    pub reason: Option<String>,
    /// When its batch ran.
    pub at: OffsetDateTime,
    /// What changed, in order.
    pub changes: Json<Vec<Change>>,
    /// How many follow-ups it added. What a batch adds for one payment counts for the last
    /// of its events that changed something.
    pub follow_ups: i64,
}

/// A change of an order, or of a payment that belongs to no order yet.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Change {
    /// The order, else the payment.
    pub of: String,
    /// The state before; none when it is new.
    pub from: Option<String>,
    /// The state after; none when it is no more.
    pub to: Option<String>,
}

/// The database's clock.
pub async fn now(conn: &mut PgConnection) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(conn).await
}

/// The events processed since then, in the order in which they were.
pub async fn processed_since(conn: &mut PgConnection, since: OffsetDateTime) -> sqlx::Result<Vec<Processed>> {
    sqlx::query_as!(
        Processed,
        // One batch is one transaction, so all that it wrote has the same time.
        r#"with lately as (
               select e.*, l.seq,
                      (select coalesce(jsonb_agg(jsonb_build_object('of', coalesce(h.order_id, h.payment_id),
                                                                    'from', h.from_state, 'to', h.to_state)
                                                 order by h.id), '[]')
                       from clawback_v1.order_history h
                       where h.event_id = e.event_id and h.recorded_at = e.processed_at) as changes
               from clawback_v1.events e
               left join clawback.events l on l.event_id = e.event_id
               where e.processed_at > $1
           ), counted as (
               select l.*, row_number() over (partition by l.payment_id, l.processed_at
                                              order by l.changes <> '[]' desc, l.seq desc) = 1 as counts
               from lately l
           )
           select event_id as "event_id!", type as "event_type!", state as "state!", last_error as reason,
                  processed_at as "at!", changes as "changes!: Json<Vec<Change>>",
                  (select count(*) from clawback_v1.follow_ups f
                   where counts and f.payment_id = c.payment_id and f.created_at = c.processed_at) as "follow_ups!"
           from counted c
           order by processed_at, seq"#,
        since
    )
    .fetch_all(conn)
    .await
}

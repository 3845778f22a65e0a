//! Recently processed events and what they changed, for `clawback dev`, which has a database of its own.
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
    /// Why it was ignored or failed; of a processed one, the fields that were taken as absent.
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
    /// The state after; none when the order or payment ended.
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
        r#"with changed as (
               select event_id, recorded_at,
                      jsonb_agg(jsonb_build_object('of', coalesce(order_id, payment_id), 'from', from_state,
                                                   'to', to_state) order by id) as changes
               from clawback_v1.order_history
               where recorded_at > $1
               group by event_id, recorded_at
           ), added as (
               select payment_id, created_at, count(*) as follow_ups
               from clawback_v1.follow_ups
               where created_at > $1
               group by payment_id, created_at
           ), lately as (
               select e.*, c.changes, l.seq,
                      row_number() over (partition by e.payment_id, e.processed_at
                                         order by c.changes is not null desc, l.seq desc) = 1 as counts
               from clawback_v1.events e
               left join clawback.events l on l.event_id = e.event_id
               left join changed c on c.event_id = e.event_id and c.recorded_at = e.processed_at
               where e.processed_at > $1
           )
           select e.event_id as "event_id!", e.type as "event_type!", e.state as "state!", e.last_error as reason,
                  e.processed_at as "at!", coalesce(e.changes, '[]') as "changes!: Json<Vec<Change>>",
                  coalesce(a.follow_ups, 0) as "follow_ups!"
           from lately e
           left join added a on e.counts and a.payment_id = e.payment_id and a.created_at = e.processed_at
           order by e.processed_at, e.seq"#,
        since
    )
    .fetch_all(conn)
    .await
}

//! Bodies of old events: which there are, what must be locked before they go, and their removal.
//!
//! Not here: which of them may go, and why the locks suffice ([`crate::retention`]).

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::retention::Position;

/// An event whose body may be old enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgedEvent {
    /// Stripe's id.
    pub event_id: String,
    /// When it was stored.
    pub received_at: OffsetDateTime,
    /// It was processed or ignored, and is not one of our own, which nobody can send again.
    pub is_removable: bool,
}

/// An event, and a payment that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Stripe's id.
    pub event_id: String,
    /// None for an event about no payment.
    pub payment_id: Option<String>,
}

/// The next 1,000 events received more than `age` seconds ago, the oldest first.
pub async fn aged_events(conn: &mut PgConnection, after: &Position, age: f64) -> sqlx::Result<Vec<AgedEvent>> {
    sqlx::query_as!(
        AgedEvent,
        r#"select event_id, received_at,
                  state in ('processed', 'ignored') and not starts_with(type, 'clawback.') as "is_removable!"
           from clawback.events
           where (received_at, event_id) > ($1, $2) and received_at < now() - make_interval(secs => $3)
           order by received_at, event_id
           limit 1000"#,
        after.at,
        after.id,
        age
    )
    .fetch_all(conn)
    .await
}

/// Locks the stored bodies of these events, so that no replay begins. Those that others hold are left out.
pub async fn lock_bodies(conn: &mut PgConnection, event_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select event_id from clawback.event_payloads where event_id = any($1) for update skip locked",
        event_ids
    )
    .fetch_all(conn)
    .await
}

/// Locks the payments that these events are about and whose document was made by these rules, except those that wait for a
/// rebuild, and those with an open dispute, whose evidence is filled in from bodies. Those that others hold are left out.
pub async fn lock_payments(conn: &mut PgConnection, event_ids: &[String], rules: i32) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select p.payment_id
         from clawback.payments p
         where p.payment_id in (
                 select o.payment_id
                 from clawback.events e
                 cross join lateral unnest(array[e.object_id, e.payment_id]) as named (id)
                 join clawback.payment_objects o on o.object_id = named.id
                 where e.event_id = any($1))
             and p.rules = $2 and p.open_disputes = 0
             and not exists (select from clawback.rebuilds b where b.payment_id = p.payment_id)
         for no key update of p skip locked",
        event_ids,
        rules
    )
    .fetch_all(conn)
    .await
}

/// Those of these events that are still processed or ignored, each with every payment that it is about.
pub async fn owned(conn: &mut PgConnection, event_ids: &[String]) -> sqlx::Result<Vec<Owned>> {
    sqlx::query_as!(
        Owned,
        r#"select e.event_id, o.payment_id as "payment_id?"
           from clawback.events e
           left join lateral (
               select o.payment_id
               from unnest(array[e.object_id, e.payment_id]) as named (id)
               join clawback.payment_objects o on o.object_id = named.id
           ) o on true
           where e.event_id = any($1) and e.state in ('processed', 'ignored')"#,
        event_ids
    )
    .fetch_all(conn)
    .await
}

/// Removes the bodies of these events. A trigger marks their payments as pruned.
pub async fn remove(conn: &mut PgConnection, event_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query!("delete from clawback.event_payloads where event_id = any($1)", event_ids)
        .execute(conn)
        .await
        .map(drop)
}

//! Events of the ledger, and processing them again.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Page, page};

/// One event, without its body.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Its id.
    pub event_id: String,
    /// Stripe's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The API version of its body.
    pub api_version: Option<String>,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode; none when it does not say.
    pub livemode: Option<bool>,
    /// The object it is about.
    pub object_id: Option<String>,
    /// The payment that object is part of.
    pub payment_id: Option<String>,
    /// When it happened, by Stripe's clock.
    #[serde(with = "time::serde::rfc3339::option")]
    pub created_at: Option<OffsetDateTime>,
    /// When it was stored.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// `pending`, `processed`, `ignored` or `failed`.
    pub state: String,
    /// How often it was processed.
    pub attempts: i32,
    /// Why it failed or was ignored, or which fields were unreadable.
    pub last_error: Option<String>,
    /// When it was processed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub processed_at: Option<OffsetDateTime>,
}

/// Which events are meant: those for which all of it holds.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// With this id.
    pub event_id: Option<String>,
    /// In live or test mode.
    pub livemode: Option<bool>,
    /// Processed, with unreadable fields.
    pub noted: bool,
    /// `pending`, `processed`, `ignored` or `failed`.
    pub state: Option<String>,
    /// Stripe's type.
    pub event_type: Option<String>,
    /// About one of these objects.
    pub object_ids: Option<Vec<String>>,
    /// Received then or later.
    pub since: Option<OffsetDateTime>,
    /// Received before then.
    pub until: Option<OffsetDateTime>,
}

/// Events, the last received first.
pub async fn events(conn: &mut PgConnection, filter: &EventFilter, page: &Page) -> sqlx::Result<Vec<Event>> {
    page!(
        conn,
        page,
        Event,
        r#"select e.event_id as "event_id!", e.type as "event_type!", e.api_version, e.account, e.livemode, e.object_id,
                  e.payment_id, e.created_at, e.received_at as "received_at!", e.state as "state!",
                  e.attempts as "attempts!", e.last_error, e.processed_at
           from clawback_v1.events e
           where ($1::text is null or e.state = $1) and ($2::text is null or e.type = $2)
               and ($3::text[] is null or e.object_id = any($3)) and ($4::timestamptz is null or e.received_at >= $4)
               and ($5::timestamptz is null or e.received_at < $5)
               and (not $6::boolean or e.state = 'processed' and e.last_error is not null)
               and ($8::text is null or e.event_id = $8) and ($10::boolean is null or e.livemode = $10)"#,
        after: "
               and ($7::text is null or (e.received_at, e.event_id)
                   < (select b.received_at, b.event_id from clawback_v1.events b where b.event_id = $7))
           order by e.received_at desc, e.event_id desc
           limit $9",
        before: "
               and (e.received_at, e.event_id)
                   > (select b.received_at, b.event_id from clawback_v1.events b where b.event_id = $7)
           order by e.received_at, e.event_id
           limit $9",
        filter.state,
        filter.event_type,
        filter.object_ids.as_deref(),
        filter.since,
        filter.until,
        filter.noted,
        page.edge(),
        filter.event_id,
        page.limit,
        filter.livemode,
    )
}

/// How many events [`events_since`] reads at most.
pub const EVENTS_AT_ONCE: usize = 10_000;

/// Events received then or later, the first received first; at most [`EVENTS_AT_ONCE`].
pub async fn events_since(conn: &mut PgConnection, since: OffsetDateTime) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as!(
        Event,
        r#"select e.event_id as "event_id!", e.type as "event_type!", e.api_version, e.account, e.livemode, e.object_id,
                  e.payment_id, e.created_at, e.received_at as "received_at!", e.state as "state!",
                  e.attempts as "attempts!", e.last_error, e.processed_at
           from clawback_v1.events e
           where e.received_at >= $1
           order by e.received_at, e.event_id
           limit $2"#,
        since,
        i64::try_from(EVENTS_AT_ONCE).unwrap_or(i64::MAX)
    )
    .fetch_all(conn)
    .await
}

/// One event; none when it is not in the ledger.
pub async fn event(conn: &mut PgConnection, event_id: &str) -> sqlx::Result<Option<Event>> {
    let only = EventFilter { event_id: Some(event_id.to_owned()), ..EventFilter::default() };
    Ok(events(conn, &only, &Page::first(1)).await?.pop())
}

/// The body of an event, client secrets masked; none when it was pruned.
pub async fn payload(conn: &mut PgConnection, event_id: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(r#"select payload as "payload!" from clawback_v1.event_payloads where event_id = $1"#, event_id)
        .fetch_optional(conn)
        .await
}

/// The ids of all objects that belong to an order's payments.
pub async fn objects_of_order(conn: &mut PgConnection, order_id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select o.object_id
         from clawback.payment_objects o
         join clawback.payments p on p.payment_id = o.payment_id
         where p.order_id = $1
         order by o.object_id",
        order_id
    )
    .fetch_all(conn)
    .await
}

/// How many events are in each state.
pub async fn event_counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select state as "state!", count(*) as "count!" from clawback_v1.events group by state order by state"#
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.state, row.count)).collect())
}

/// Puts events back as pending. Returns the ids of those that will be processed again: not one that is pending already,
/// is not there or has lost its body.
pub async fn replay(conn: &mut PgConnection, event_ids: &[String], reason: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select u.event_id as "event_id!" from unnest($1::text[]) as u (event_id)
           where clawback_v1.replay_event(u.event_id, $2)"#,
        event_ids,
        reason
    )
    .fetch_all(conn)
    .await
}

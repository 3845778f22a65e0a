//! Erasure of personal data: whose payments there are, the bodies about them, and what is written in their place.
//!
//! Not here: what of a body or a document is personal ([`crate::handlers::erased`]), and transactions
//! ([`crate::erasure`]).

use serde_json::Value;
use sqlx::PgConnection;

/// A stored body.
#[derive(Clone, Debug)]
pub struct Body {
    /// Stripe's id of the event.
    pub event_id: String,
    /// The body.
    pub payload: String,
}

/// How many rows of each kind were erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Who paid.
    pub people: i64,
    /// Files, and responses to disputes.
    pub evidence: i64,
    /// Results, errors and reasons that people or their programs wrote.
    pub notes: i64,
}

/// The payments that count in an order, or did.
pub async fn of_order(conn: &mut PgConnection, order_id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select payment_id as "payment_id!" from clawback.payments where order_id = $1
           union
           select o.payment_id from clawback.order_history h
           join clawback.payment_objects o on o.object_id = h.payment_id
           where h.order_id = $1"#,
        order_id
    )
    .fetch_all(conn)
    .await
}

/// The payments on an object of which one of these customers or e-mail addresses is known; addresses but for case.
pub async fn of_people(conn: &mut PgConnection, customers: &[String], emails: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select distinct o.payment_id
         from clawback.people w
         join clawback.payment_objects o on o.object_id = w.object_id
         where w.customer_id = any($1) or lower(w.email) in (select lower(e) from unnest($2::text[]) e)",
        customers,
        emails
    )
    .fetch_all(conn)
    .await
}

/// The payments with a refund whose metadata matches one of these patterns, but for case.
pub async fn of_refunds(conn: &mut PgConnection, patterns: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select distinct r.payment_id as "payment_id!" from clawback.refunds r
           where r.payment_id is not null
               and exists (select from unnest($1::text[]) t where r.metadata::text ~* t)"#,
        patterns
    )
    .fetch_all(conn)
    .await
}

/// The payments whose personal data was erased, and about which some arrived since.
pub async fn returned(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select distinct o.payment_id
         from clawback.erased_payments d
         join clawback.payment_objects o on o.object_id = d.payment_id
         where exists (
                 select from clawback.payment_objects p
                 join clawback.people w on w.object_id = p.object_id
                 where p.payment_id = o.payment_id)
             or exists (
                 select from clawback.payment_objects p
                 join clawback.events e on e.object_id = p.object_id
                 join clawback.event_payloads b on b.event_id = e.event_id
                 where p.payment_id = o.payment_id and not b.erased)"
    )
    .fetch_all(conn)
    .await
}

/// A part of all bodies, in the order of their ids.
#[derive(Debug)]
pub struct Searched {
    /// The last one that was looked at; none: there was none left.
    pub last: Option<String>,
    /// Those that match a pattern.
    pub found: Vec<String>,
}

/// Looks at the next 5,000 bodies after an event for one of these patterns, but for case.
pub async fn search(conn: &mut PgConnection, after: &str, patterns: &[String]) -> sqlx::Result<Searched> {
    sqlx::query_as!(
        Searched,
        r#"with page as materialized (
               select event_id, payload from clawback.event_payloads where event_id > $1 order by event_id limit 5000
           )
           select (select max(p.event_id) from page p) as last,
                  array(select p.event_id from page p where exists (
                      select from unnest($2::text[]) t where p.payload ~* t)) as "found!""#,
        after,
        patterns
    )
    .fetch_one(conn)
    .await
}

/// The payments that these events are about, and which of the events are about none.
pub async fn owners(conn: &mut PgConnection, event_ids: &[String]) -> sqlx::Result<(Vec<String>, Vec<String>)> {
    let rows = sqlx::query!(
        r#"select e.event_id as "event_id!", o.payment_id as "payment_id?"
           from clawback.events e
           left join clawback.payment_objects o on o.object_id = e.object_id
           where e.event_id = any($1)"#,
        event_ids
    )
    .fetch_all(conn)
    .await?;
    let (owned, loose): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.payment_id.is_some());
    let mut payments: Vec<String> = owned.into_iter().filter_map(|row| row.payment_id).collect();
    payments.sort_unstable();
    payments.dedup();
    Ok((payments, loose.into_iter().map(|row| row.event_id).collect()))
}

/// Why a payment cannot be erased now. `even_needed`: an open dispute is no reason.
pub async fn obstacle(conn: &mut PgConnection, payment_id: &str, even_needed: bool) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select clawback.why_not_erased($1, $2)", payment_id, even_needed).fetch_one(conn).await
}

/// The bodies of the events about a payment: those that were not erased yet, or all.
pub async fn bodies_of(conn: &mut PgConnection, payment_id: &str, all: bool) -> sqlx::Result<Vec<Body>> {
    sqlx::query_as!(
        Body,
        "select b.event_id, b.payload
         from clawback.events_of($1) e
         join clawback.event_payloads b on b.event_id = e.event_id
         where $2 or not b.erased",
        payment_id,
        all
    )
    .fetch_all(conn)
    .await
}

/// The first of these events that is pending; none: none is.
pub async fn pending(conn: &mut PgConnection, event_ids: &[String]) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select min(event_id) from clawback.pending_events where event_id = any($1)", event_ids)
        .fetch_one(conn)
        .await
}

/// The bodies of these events.
pub async fn bodies(conn: &mut PgConnection, event_ids: &[String]) -> sqlx::Result<Vec<Body>> {
    sqlx::query_as!(Body, "select event_id, payload from clawback.event_payloads where event_id = any($1)", event_ids)
        .fetch_all(conn)
        .await
}

/// The bodies of the events kept apart that are about an object of a payment: those that were not erased yet, or all.
pub async fn unvouched_of(conn: &mut PgConnection, payment_id: &str, all: bool) -> sqlx::Result<Vec<Body>> {
    sqlx::query_as!(
        Body,
        "select u.event_id, u.payload
         from clawback.unvouched_events u
         where ($2 or not u.erased)
             and u.object_id in (select o.object_id from clawback.payment_objects o where o.payment_id = $1)",
        payment_id,
        all
    )
    .fetch_all(conn)
    .await
}

/// The bodies of the events kept apart that match one of these patterns, but for case.
pub async fn unvouched_with(conn: &mut PgConnection, patterns: &[String]) -> sqlx::Result<Vec<Body>> {
    sqlx::query_as!(
        Body,
        "select u.event_id, u.payload
         from clawback.unvouched_events u
         where exists (select from unnest($1::text[]) t where u.payload ~* t)",
        patterns
    )
    .fetch_all(conn)
    .await
}

/// Writes erased bodies, of events and of those kept apart.
pub async fn save_bodies(conn: &mut PgConnection, bodies: &[Body]) -> sqlx::Result<()> {
    if bodies.is_empty() {
        return Ok(());
    }
    let (ids, payloads): (Vec<&str>, Vec<&str>) =
        bodies.iter().map(|body| (body.event_id.as_str(), body.payload.as_str())).unzip();
    sqlx::query!(
        "with erased as materialized (
             select * from unnest($1::text[], $2::text[]) as e (event_id, payload)
         ), apart as (
             update clawback.unvouched_events u set payload = e.payload, erased = true
             from erased e where u.event_id = e.event_id
         )
         update clawback.event_payloads b set payload = e.payload, erased = true
         from erased e where b.event_id = e.event_id",
        ids as _,
        payloads as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes a payment's document, and the metadata of its refunds: none for those not given. Returns whether the document
/// changed.
pub async fn save_facts(
    conn: &mut PgConnection,
    payment_id: &str,
    facts: &str,
    refunds: &[(String, Value)],
) -> sqlx::Result<bool> {
    let (ids, metadata): (Vec<&str>, Vec<&Value>) = refunds.iter().map(|(id, value)| (id.as_str(), value)).unzip();
    let saved = sqlx::query!(
        "with kept as materialized (
             select * from unnest($3::text[], $4::jsonb[]) as k (refund_id, metadata)
         ), of_refunds as (
             update clawback.refunds r
             set metadata = (select k.metadata from kept k where k.refund_id = r.refund_id), updated_at = now()
             where r.payment_id = $1 and r.metadata is distinct from (
                 select k.metadata from kept k where k.refund_id = r.refund_id)
         )
         update clawback.payments set facts = $2 where payment_id = $1 and facts <> $2",
        payment_id,
        facts,
        ids as _,
        metadata as _
    )
    .execute(conn)
    .await?;
    Ok(saved.rows_affected() > 0)
}

/// Erases whatever else is personal about a payment, and records that it was erased.
pub async fn erase_payment(conn: &mut PgConnection, payment_id: &str) -> sqlx::Result<Rows> {
    sqlx::query_as!(
        Rows,
        r#"select people as "people!", evidence as "evidence!", notes as "notes!" from clawback.erase_payment($1)"#,
        payment_id
    )
    .fetch_one(conn)
    .await
}

/// Removes these people from objects of no payment. Returns how many.
pub async fn erase_people(conn: &mut PgConnection, customers: &[String], emails: &[String]) -> sqlx::Result<i64> {
    let removed = sqlx::query!(
        "delete from clawback.people w
         where w.customer_id = any($1) or lower(w.email) in (select lower(e) from unnest($2::text[]) e)",
        customers,
        emails
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(removed.rows_affected()).unwrap_or(i64::MAX))
}

/// Replaces an order reference wherever it is outside bodies and documents.
pub async fn replace_reference(conn: &mut PgConnection, from: &str, to: &str) -> sqlx::Result<()> {
    sqlx::query!("select clawback.replace_reference($1, $2)", from, to).execute(conn).await.map(drop)
}

/// Records who erased what. The detail has counts only.
pub async fn record(conn: &mut PgConnection, kind: &str, subject: &str, detail: Value) -> sqlx::Result<()> {
    sqlx::query!("select clawback.record_action('erase', $1, $2, null, $3) as recorded", kind, subject, detail)
        .execute(conn)
        .await
        .map(drop)
}

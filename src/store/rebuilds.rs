//! Requested rebuilds of payments, and the events of the ledger that they read.

use futures_util::stream::BoxStream;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// An event of the ledger that counted before.
#[derive(Debug)]
pub struct LedgerEvent {
    /// Stripe's id.
    pub event_id: String,
    /// Its exact body; none when it was pruned.
    pub payload: Option<String>,
}

/// Every event about one of these objects, except new pending ones; in no order, as a stream.
pub fn events_about<'a>(
    conn: &'a mut PgConnection,
    object_ids: &'a [String],
) -> BoxStream<'a, sqlx::Result<LedgerEvent>> {
    sqlx::query_as!(
        LedgerEvent,
        r#"select e.event_id as "event_id!", b.payload as "payload?"
           from clawback.events e
           left join clawback.event_payloads b on b.event_id = e.event_id
           where e.object_id = any($1) and (e.state <> 'pending' or exists (
               select from clawback.pending_events p where p.seq = e.seq and p.counted))"#,
        object_ids
    )
    .fetch(conn)
}

/// The number of events about these objects, counted to 501: enough to compare with the limit of a rebuild.
pub async fn count_about(conn: &mut PgConnection, object_ids: &[String]) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from (select from clawback.events e where e.object_id = any($1) and (e.state <> 'pending' or exists (
               select from clawback.pending_events p where p.seq = e.seq and p.counted)) limit 501) e"#,
        object_ids
    )
    .fetch_one(conn)
    .await
}

/// Notes on processed events that they no longer count, and why: today's rules cannot read them.
pub async fn note_unread(conn: &mut PgConnection, unread: &[(String, String)]) -> sqlx::Result<()> {
    if unread.is_empty() {
        return Ok(());
    }
    let (ids, notes): (Vec<&str>, Vec<&str>) = unread.iter().map(|(id, note)| (id.as_str(), note.as_str())).unzip();
    sqlx::query!(
        "update clawback.events e
         set last_error = u.note
         from unnest($1::text[], $2::text[]) as u (event_id, note)
         where e.event_id = u.event_id and e.state = 'processed' and e.last_error is distinct from u.note",
        ids as _,
        notes as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The objects that a payment holds or names.
pub async fn objects_of(conn: &mut PgConnection, payment_id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select object_id from clawback.payment_objects where payment_id = $1", payment_id)
        .fetch_all(conn)
        .await
}

/// Requests rebuilds of the stored ones of these payments. Follow-ups newly desired for a cause before `ask_since` are
/// history.
pub async fn request(
    conn: &mut PgConnection,
    payment_ids: &[String],
    ask_since: Option<OffsetDateTime>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.rebuilds as r (payment_id, ask_since)
         select p.payment_id, $2::timestamptz from clawback.payments p where p.payment_id = any($1)
         on conflict on constraint rebuilds_pkey do update set ask_since = excluded.ask_since
         where excluded.ask_since is not null",
        payment_ids,
        ask_since
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Requests a rebuild of every payment.
pub async fn request_all(conn: &mut PgConnection, ask_since: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.rebuilds (payment_id, ask_since) select payment_id, $1 from clawback.payments
         on conflict on constraint rebuilds_pkey do update set ask_since = excluded.ask_since",
        ask_since
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The default of `ask_since`: now, or when the oldest pending event happened, which is news.
pub async fn beginning(conn: &mut PgConnection) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        r#"select least(now(), min(e.created_at)) as "beginning!"
           from clawback.pending_events p
           join clawback.events e on e.event_id = p.event_id"#
    )
    .fetch_one(conn)
    .await
}

/// The next payments after an id, in id order: as many as one batch rebuilds.
pub async fn payments_after(conn: &mut PgConnection, payment_id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select payment_id from clawback.payments where payment_id > $1 order by payment_id limit 10",
        payment_id
    )
    .fetch_all(conn)
    .await
}

/// Whether there is a payment to rebuild now.
pub async fn are_due(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select from clawback.rebuilds where run_at <= now()) as "due!""#)
        .fetch_one(conn)
        .await
}

/// The next payments to rebuild, at most ten, so that new events do not wait long.
pub async fn take(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select payment_id from clawback.rebuilds where run_at <= now() order by asked_at, payment_id limit 10"
    )
    .fetch_all(conn)
    .await
}

/// Moves the requests for merged payments to their successors, given as parallel lists.
pub async fn move_to_successors(conn: &mut PgConnection, removed: &[&str], successors: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "with moved as (
             delete from clawback.rebuilds r using unnest($1::text[], $2::text[]) as m (removed, successor)
             where r.payment_id = m.removed
             returning m.successor, r.asked_at, r.ask_since, r.run_at
         )
         insert into clawback.rebuilds (payment_id, asked_at, ask_since, run_at)
         select distinct on (m.successor) m.successor, m.asked_at, m.ask_since, m.run_at from moved m order by m.successor, m.asked_at
         on conflict on constraint rebuilds_pkey do nothing",
        removed as _,
        successors as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Removes the requests for these payments.
pub async fn finish(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<()> {
    sqlx::query!("delete from clawback.rebuilds where payment_id = any($1)", payment_ids).execute(conn).await.map(drop)
}

/// Retries these payments later, with the reason.
pub async fn defer(conn: &mut PgConnection, payment_ids: &[String], error: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.rebuilds set run_at = now() + interval '10 seconds', last_error = $2
         where payment_id = any($1)",
        payment_ids,
        error
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Reports that a processor with these rules is alive, and removes those not seen for a minute.
pub async fn report(conn: &mut PgConnection, processor_id: uuid::Uuid, rules: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "with expired as (delete from clawback.processors where seen_at < now() - interval '1 minute')
         insert into clawback.processors (processor_id, rules) values ($1, $2)
         on conflict on constraint processors_pkey do update set seen_at = now(), rules = excluded.rules",
        processor_id,
        rules
    )
    .execute(conn)
    .await
    .map(drop)
}

/// An event that was ignored or failed.
#[derive(Debug)]
pub struct UnreadEvent {
    /// The order received.
    pub seq: i64,
    /// Stripe's id.
    pub event_id: String,
    /// Its exact body.
    pub payload: String,
}

/// The next 500 events after `seq` that were ignored or failed and still have their body.
pub async fn unread_after(conn: &mut PgConnection, seq: i64) -> sqlx::Result<Vec<UnreadEvent>> {
    sqlx::query_as!(
        UnreadEvent,
        "select e.seq, e.event_id, b.payload
         from clawback.events e
         join clawback.event_payloads b on b.event_id = e.event_id
         where e.seq > $1 and e.state in ('ignored', 'failed')
         order by e.seq
         limit 500",
        seq
    )
    .fetch_all(conn)
    .await
}

/// How many payments wait for a rebuild.
pub async fn waiting(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from clawback.rebuilds"#).fetch_one(conn).await
}

/// The ones of these payments that are not stored.
pub async fn unknown(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select id as "id!" from unnest($1::text[]) as asked (id)
           where not exists (select from clawback.payments p where p.payment_id = asked.id)"#,
        payment_ids
    )
    .fetch_all(conn)
    .await
}

//! Notices: what is posted to the merchant's webhook, and what a notice says. See `migrations/0017_notices.sql`.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// A notice that this replica has to itself for a while.
#[derive(Debug)]
pub struct Held {
    /// `follow_up/ID` or `digest/DATE`.
    pub key: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// What it is about.
    pub about: About,
}

/// What a notice is about.
#[derive(Debug)]
pub enum About {
    /// A follow-up that somebody must do.
    FollowUp(FollowUp),
    /// A follow-up that is wanted no longer.
    Obsolete,
    /// The state of everything on this day, such as `2026-11-26`.
    Digest(String),
}

/// A follow-up as a notice shows it.
#[derive(Debug)]
pub struct FollowUp {
    /// Its id.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The order, if the payment is linked.
    pub order_id: Option<String>,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Its payload.
    pub payload: Value,
    /// When it must be done.
    pub due_at: Option<OffsetDateTime>,
}

/// What a daily digest says.
#[derive(Debug)]
pub struct Digest {
    /// Dead follow-ups by kind.
    pub dead: Vec<(String, i64)>,
    /// Events that could not be processed.
    pub failed_events: i64,
    /// Drafts of responses that nobody submitted, of disputes that can still be answered.
    pub drafts: i64,
    /// The nearest deadlines: those within a week, and those of disputes that will be accepted automatically.
    pub deadlines: Vec<Deadline>,
    /// How many such deadlines there are.
    pub deadlines_in_all: i64,
}

/// A dispute that awaits evidence.
#[derive(Clone, Debug)]
pub struct Deadline {
    /// Its id.
    pub dispute_id: String,
    /// Live or test mode.
    pub livemode: bool,
    /// In minor units.
    pub amount: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// When the evidence is due.
    pub due_at: OffsetDateTime,
    /// There is a draft that nobody submitted.
    pub has_draft: bool,
    /// When it will be accepted automatically, unless somebody changes its draft.
    pub accept_after: Option<OffsetDateTime>,
}

/// Whether notices arrive.
#[derive(Debug)]
pub struct Health {
    /// How many wait to be tried again.
    pub retrying: i64,
    /// How many were given up within a day.
    pub given_up: i64,
    /// Why the last of these failed.
    pub last_error: Option<String>,
}

/// Records when notices were first configured.
pub async fn begin(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("update clawback.settings set notices_since = now() where notices_since is null")
        .execute(conn)
        .await
        .map(drop)
}

/// Adds notices of the follow-ups that are due now.
pub async fn enqueue(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.notices (key, follow_up_id)
         select 'follow_up/' || f.id, f.id
         from clawback.follow_ups f
         join clawback.settings s on f.created_at >= s.notices_since
         where f.wanted and f.run_at <= now() and f.state <> 'discarded'
             and f.kind in ('warn_evidence_due', 'mend_evidence', 'resolve_failed_refund', 'resolve_refused_request')
             and not exists (select from clawback.notices n where n.follow_up_id = f.id)
         order by f.id
         -- Another replica adds the same ones.
         on conflict do nothing"
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Adds the digest of today, once this hour in UTC has come.
pub async fn enqueue_digest(conn: &mut PgConnection, hour: u8) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.notices (key)
         select 'digest/' || (d.at at time zone 'UTC')::date
         from (select (date_trunc('day', now() at time zone 'UTC') + make_interval(hours => $1)) at time zone 'UTC' as at) d
         join clawback.settings s on s.notices_since <= d.at
         where d.at <= now()
         on conflict do nothing",
        i32::from(hour)
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes the next notice that is due, for this many seconds. Committed before anything is posted.
pub async fn hold(conn: &mut PgConnection, seconds: f64) -> sqlx::Result<Option<Held>> {
    let row = sqlx::query!(
        r#"with next as (
               select n.key from clawback.notices n
               where n.state = 'waiting' and n.run_at <= now() and (n.held_until is null or n.held_until < now())
               order by n.run_at, n.key
               limit 1
               for update skip locked
           ), held as (
               update clawback.notices n
               set attempts = n.attempts + 1, held_until = now() + make_interval(secs => $1)
               from next where n.key = next.key
               returning n.key, n.attempts, n.follow_up_id
           )
           select h.key as "key!", h.attempts as "attempts!", h.follow_up_id, f.kind as "kind?", f.subject as "subject?",
                  f.order_id as "order_id?", f.account as "account?", f.livemode as "livemode?", f.payload as "payload?",
                  f.due_at as "due_at?", coalesce(f.wanted and f.state <> 'discarded', false) as "is_wanted!"
           from held h
           left join clawback.follow_ups f on f.id = h.follow_up_id"#,
        seconds
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let date = row.key.strip_prefix("digest/").map(str::to_owned);
        let follow_up = || {
            Some(FollowUp {
                id: row.follow_up_id?,
                kind: row.kind?,
                subject: row.subject?,
                order_id: row.order_id,
                account: row.account,
                livemode: row.livemode?,
                payload: row.payload?,
                due_at: row.due_at,
            })
        };
        let about = match date {
            Some(date) => About::Digest(date),
            None if row.is_wanted => follow_up().map_or(About::Obsolete, About::FollowUp),
            None => About::Obsolete,
        };
        Held { key: row.key, attempt: row.attempts, about }
    }))
}

/// Records that a notice was posted, or dropped. Does nothing when another replica has taken it meanwhile.
pub async fn finish(conn: &mut PgConnection, held: &Held, is_sent: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.notices
         set state = case when $3 then 'sent' else 'dropped' end, held_until = null, last_error = null, finished_at = now()
         where key = $1 and attempts = $2 and state = 'waiting'",
        held.key,
        held.attempt,
        is_sent
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records why a notice was not posted, to be tried again after this many seconds. Returns whether it was given up: a
/// day after it was added.
pub async fn not_sent(conn: &mut PgConnection, held: &Held, error: &str, seconds: f64) -> sqlx::Result<bool> {
    let given_up = sqlx::query_scalar!(
        r#"update clawback.notices
           set state = case when created_at < now() - interval '1 day' then 'failed' else state end,
               finished_at = case when created_at < now() - interval '1 day' then now() end,
               run_at = now() + make_interval(secs => $4), held_until = null, last_error = $3
           where key = $1 and attempts = $2 and state = 'waiting'
           returning state = 'failed' as "given_up!""#,
        held.key,
        held.attempt,
        error,
        seconds
    )
    .fetch_optional(conn)
    .await?;
    Ok(given_up.unwrap_or(false))
}

/// What the digest says now: at most this many of the nearest deadlines.
pub async fn digest(conn: &mut PgConnection, at_most: i64) -> sqlx::Result<Digest> {
    let dead = sqlx::query!(
        r#"select kind, count(*) as "count!" from clawback.follow_ups where state = 'dead' group by kind order by kind"#
    );
    let dead = dead.fetch_all(&mut *conn).await?.into_iter().map(|row| (row.kind, row.count)).collect();
    let counts = sqlx::query!(
        r#"select (select count(*) from clawback.failed_events) as "failed_events!",
                  (select count(*) from clawback.dispute_responses r
                   join clawback.disputes d on d.dispute_id = r.dispute_id and d.phase = r.phase
                   where r.state in ('draft', 'rejected', 'submit_requested') and r.version > 0 and d.can_respond and d.evidence_due_by > now()) as "drafts!",
                  (select count(*) from clawback.disputes d
                   where d.can_respond and d.evidence_due_by > now() and (d.evidence_due_by < now() + interval '7 days'
                       or exists (select from clawback.dispute_responses r where r.dispute_id = d.dispute_id
                           and r.phase = d.phase and r.accept_after is not null))) as "deadlines!""#
    );
    let counts = counts.fetch_one(&mut *conn).await?;
    let deadlines = sqlx::query_as!(
        Deadline,
        r#"select d.dispute_id, p.livemode, d.amount, d.currency, d.evidence_due_by as "due_at!",
                  coalesce(r.state in ('draft', 'rejected') and r.version > 0, false) as "has_draft!", r.accept_after
           from clawback.disputes d
           join clawback.payments p on p.payment_id = d.payment_id
           left join clawback.dispute_responses r on r.dispute_id = d.dispute_id and r.phase = d.phase
           where d.can_respond and d.evidence_due_by > now()
               and (d.evidence_due_by < now() + interval '7 days' or r.accept_after is not null)
           order by d.evidence_due_by, d.dispute_id
           limit $1"#,
        at_most
    );
    Ok(Digest {
        dead,
        failed_events: counts.failed_events,
        drafts: counts.drafts,
        deadlines: deadlines.fetch_all(conn).await?,
        deadlines_in_all: counts.deadlines,
    })
}

/// Whether notices arrive.
///
/// # Errors
///
/// Any error of the database.
pub async fn health(conn: &mut PgConnection) -> Result<Health, sqlx::Error> {
    sqlx::query_as!(
        Health,
        r#"with bad as (
               select n.state, n.last_error, n.run_at from clawback.notices n
               where n.state = 'waiting' and n.last_error is not null
                   or n.state = 'failed' and n.finished_at > now() - interval '1 day'
           )
           select count(*) filter (where b.state = 'waiting') as "retrying!",
                  count(*) filter (where b.state = 'failed') as "given_up!",
                  (array_agg(b.last_error order by b.run_at desc))[1] as last_error
           from bad b"#
    )
    .fetch_one(conn)
    .await
}

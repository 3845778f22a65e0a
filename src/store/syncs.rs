//! Passes that catch up with Stripe: who holds one, and how far it is.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// What a pass reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What happened since the last pass.
    Missed,
    /// What there was before the first webhook.
    Import,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Import => "import",
        }
    }
}

/// Which pass: its kind, account (empty for the key's own) and mode, and who works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What it reads.
    pub kind: Kind,
    /// The connected account; empty for the key's own.
    pub account: String,
    /// The mode.
    pub livemode: bool,
    /// Who works on it.
    pub id: Uuid,
}

/// A pass that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// When it began.
    pub started_at: OffsetDateTime,
    /// It reads what was created since.
    pub reads_from: OffsetDateTime,
    /// The list it is at.
    pub part: i32,
    /// How far that list is read; none: from its beginning.
    pub position: Option<String>,
    /// How much it listed and added before.
    pub listed: i64,
    /// How much of it was new.
    pub added: i64,
}

/// When a pass is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// If it is due.
    Due,
    /// Now.
    Now,
}

/// The accounts of a mode that are known from payments; the key's own, which is empty, first.
pub async fn accounts(conn: &mut PgConnection, livemode: bool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"with recursive seen (account) as (
               select ''
               union all
               select (select min(p.account) from clawback.payments p
                       where p.livemode = $1 and p.account > seen.account)
               from seen where seen.account is not null
           )
           select account as "account!" from seen where account is not null"#,
        livemode
    )
    .fetch_all(conn)
    .await
}

/// Those of [`accounts`] that a pass for missed events is due for.
pub async fn due(conn: &mut PgConnection, livemode: bool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"with recursive seen (account) as (
               select ''
               union all
               select (select min(p.account) from clawback.payments p
                       where p.livemode = $1 and p.account > seen.account)
               from seen where seen.account is not null
           )
           select seen.account as "account!"
           from seen
           left join clawback.syncs s on s.kind = 'missed' and s.account = seen.account and s.livemode = $1
           where seen.account is not null
               and (s.account is null or s.run_at <= now() and coalesce(s.held_until, '-infinity') < now())
           order by s.run_at nulls first"#,
        livemode
    )
    .fetch_all(conn)
    .await
}

/// Makes every pass for missed events of a mode due.
pub async fn make_due(conn: &mut PgConnection, livemode: bool) -> sqlx::Result<()> {
    sqlx::query!("update clawback.syncs set run_at = now() where kind = 'missed' and livemode = $1", livemode)
        .execute(conn)
        .await
        .map(drop)
}

/// Where a new pass for missed events reads from: an hour before the last complete one began; without any, an hour before
/// the first start of the service or its first event, at most 30 days ago.
pub async fn mark(conn: &mut PgConnection, account: &str, livemode: bool) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        r#"select coalesce(
               (select a.caught_up_at - interval '1 hour' from clawback.api_accounts a
                where a.account = $1 and a.livemode = $2),
               greatest((select least(s.ask_since, e.first) - interval '1 hour'
                         from (select min(received_at) as first from clawback.events) e
                         left join clawback.settings s on true),
                        now() - interval '30 days')) as "mark!""#,
        account,
        livemode
    )
    .fetch_one(conn)
    .await
}

/// Holds a pass for `lease` seconds: the one under way, or a new one that reads what was created since `from`. None while
/// another holds it, or when it is not due.
pub async fn hold(
    conn: &mut PgConnection,
    holder: &Holder,
    lease: f64,
    when: When,
    from: OffsetDateTime,
) -> sqlx::Result<Option<Held>> {
    sqlx::query_as!(
        Held,
        r#"insert into clawback.syncs as s (kind, account, livemode, started_at, reads_from, held_by, held_until)
           values ($1, $2, $3, now(), $7, $4, now() + make_interval(secs => $5))
           on conflict on constraint syncs_pkey do update
           set held_by = excluded.held_by, held_until = excluded.held_until,
               started_at = coalesce(s.started_at, excluded.started_at),
               reads_from = coalesce(s.reads_from, excluded.reads_from),
               listed = case when s.started_at is null then 0 else s.listed end,
               added = case when s.started_at is null then 0 else s.added end
           where (coalesce(s.held_until, '-infinity') < now() or s.held_by = excluded.held_by)
               and ($6 or s.run_at <= now())
           returning started_at as "started_at!", reads_from as "reads_from!", part, position, listed, added"#,
        holder.kind.name(),
        holder.account,
        holder.livemode,
        holder.id,
        lease,
        when == When::Now,
        from
    )
    .fetch_optional(conn)
    .await
}

/// Records how far a pass is, and holds it for `lease` more seconds. Returns whether it was still held.
pub async fn advance(
    conn: &mut PgConnection,
    holder: &Holder,
    lease: f64,
    (part, position): (i32, Option<&str>),
    (listed, added): (i64, i64),
) -> sqlx::Result<bool> {
    let advanced = sqlx::query!(
        "update clawback.syncs
         set part = $6, position = $7, listed = listed + $8, added = added + $9,
             held_until = now() + make_interval(secs => $5), failures = 0, last_error = null, disconnected = false
         where kind = $1 and account = $2 and livemode = $3 and held_by = $4",
        holder.kind.name(),
        holder.account,
        holder.livemode,
        holder.id,
        lease,
        part,
        position,
        listed,
        added
    )
    .execute(conn)
    .await?;
    Ok(advanced.rows_affected() > 0)
}

/// Ends a pass: what happened before it began is in the ledger. The next one is due in `seconds`. Returns whether it was
/// still held.
pub async fn finish(conn: &mut PgConnection, holder: &Holder, seconds: f64) -> sqlx::Result<bool> {
    let finished = sqlx::query!(
        "with before as (
             select started_at from clawback.syncs
             where kind = $1 and account = $2 and livemode = $3 and held_by = $4
             for update
         ), mark as (
             insert into clawback.api_accounts as a (account, livemode, caught_up_at)
             select $2, $3, started_at from before where $1 = 'missed'
             on conflict on constraint api_accounts_pkey do update set caught_up_at = excluded.caught_up_at
         )
         update clawback.syncs s
         set started_at = null, reads_from = null, part = 0, position = null, held_by = null, held_until = null,
             failures = 0, last_error = null, disconnected = false, run_at = now() + make_interval(secs => $5)
         from before
         where s.kind = $1 and s.account = $2 and s.livemode = $3",
        holder.kind.name(),
        holder.account,
        holder.livemode,
        holder.id,
        seconds
    )
    .execute(conn)
    .await?;
    Ok(finished.rows_affected() > 0)
}

/// Lets a pass go that failed: it goes on after `seconds`, doubled with each failure in a row up to fifteen minutes. Returns
/// whether it is the first of a row.
pub async fn fail(conn: &mut PgConnection, holder: &Holder, seconds: f64, error: &str) -> sqlx::Result<bool> {
    let is_first = sqlx::query_scalar!(
        r#"update clawback.syncs
           set held_by = null, held_until = null, failures = failures + 1, last_error = $6,
               run_at = now() + least(make_interval(secs => $5) * power(2, least(failures, 20)), interval '15 minutes')
           where kind = $1 and account = $2 and livemode = $3 and held_by = $4
           returning failures = 1 as "is_first!""#,
        holder.kind.name(),
        holder.account,
        holder.livemode,
        holder.id,
        seconds,
        error
    )
    .fetch_optional(conn)
    .await?;
    Ok(is_first.unwrap_or(false))
}

/// Lets a pass go whose account the key has no access to any more. Returns whether that is new.
pub async fn disconnect(conn: &mut PgConnection, holder: &Holder, error: &str) -> sqlx::Result<bool> {
    let was = sqlx::query_scalar!(
        r#"with before as (
               select disconnected from clawback.syncs
               where kind = $1 and account = $2 and livemode = $3 and held_by = $4
               for update
           )
           update clawback.syncs s
           set held_by = null, held_until = null, failures = s.failures + 1, last_error = $5, disconnected = true,
               run_at = now() + interval '1 day'
           from before
           where s.kind = $1 and s.account = $2 and s.livemode = $3
           returning before.disconnected as "was!""#,
        holder.kind.name(),
        holder.account,
        holder.livemode,
        holder.id,
        error
    )
    .fetch_optional(conn)
    .await?;
    Ok(was == Some(false))
}

/// Lets a pass go as it is, for others to go on with.
pub async fn release(conn: &mut PgConnection, holder: &Holder) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.syncs set held_by = null, held_until = null
         where kind = $1 and account = $2 and livemode = $3 and held_by = $4",
        holder.kind.name(),
        holder.account,
        holder.livemode,
        holder.id
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whether more than this many events are pending.
pub async fn is_behind(conn: &mut PgConnection, events: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select count(*) > $1::bigint as "behind!" from (select from clawback.pending_events limit $1::bigint + 1) p"#,
        events
    )
    .fetch_one(conn)
    .await
}

/// Which of these events are not in the ledger.
pub async fn unknown(conn: &mut PgConnection, event_ids: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select id as "id!" from unnest($1::text[]) as id
           where not exists (select from clawback.events e where e.event_id = id)"#,
        event_ids
    )
    .fetch_all(conn)
    .await
}

/// The beginning of what the pass under way reads, if one is.
pub async fn under_way(conn: &mut PgConnection, holder: &Holder) -> sqlx::Result<Option<OffsetDateTime>> {
    let row = sqlx::query_scalar!(
        "select reads_from from clawback.syncs where kind = $1 and account = $2 and livemode = $3",
        holder.kind.name(),
        holder.account,
        holder.livemode
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.flatten())
}

/// Forgets the pass under way, unless somebody holds it.
pub async fn forget(conn: &mut PgConnection, holder: &Holder) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from clawback.syncs
         where kind = $1 and account = $2 and livemode = $3 and coalesce(held_until, '-infinity') < now()",
        holder.kind.name(),
        holder.account,
        holder.livemode
    )
    .execute(conn)
    .await
    .map(drop)
}

/// From now on, follow-ups of an account whose cause is older than this are history.
pub async fn ask_since(
    conn: &mut PgConnection,
    account: &str,
    livemode: bool,
    since: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into clawback.api_accounts (account, livemode, ask_since) values ($1, $2, $3)
         on conflict on constraint api_accounts_pkey do update set ask_since = excluded.ask_since",
        account,
        livemode,
        since
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Seconds since the missed events of the account that lags most were last listed to the end; 0 without API key. Accounts
/// that the key has no access to any more do not count.
pub async fn age(conn: &mut PgConnection) -> sqlx::Result<f64> {
    sqlx::query_scalar!(
        r#"select coalesce(max(extract(epoch from now() - greatest(a.caught_up_at, k.since))), 0)::float8 as "age!"
           from clawback.api_keys k
           join clawback.syncs s on s.kind = 'missed' and s.livemode = k.livemode and not s.disconnected
           left join clawback.api_accounts a on a.account = s.account and a.livemode = s.livemode"#
    )
    .fetch_one(conn)
    .await
}

//! Calls to Stripe's API: leasing the next one under the rate of its account, and recording its outcome.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::column;
use crate::domain::Read;

/// A leased call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedCall {
    /// Its row.
    pub id: i64,
    /// What is to be done.
    pub kind: String,
    /// The id of what it is about.
    pub subject: String,
    /// Distinguishes several calls of one kind and subject.
    pub round: String,
    /// The connected account; empty for the platform's own.
    pub account: String,
    /// Which key is used.
    pub livemode: bool,
    /// How often it was leased, this time included.
    pub attempts: i32,
    /// Proves the lease.
    pub lease_token: Uuid,
}

/// The rate of an account over all replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls per second; also how many may be made at once after a pause.
    pub per_second: f64,
    /// Calls under way at the same time.
    pub at_once: i64,
}

/// Frees the calls whose lease ran out: whoever held them is dead, or too slow.
pub async fn reap(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "with expired as (
             select id from clawback.api_calls where state = 'leased' and leased_until < now() for update skip locked
         )
         update clawback.api_calls c set state = 'ready', run_at = now(), leased_until = null, lease_token = null
         from expired
         where c.id = expired.id"
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Leases the next call that is due in one of these modes, for `lease` seconds, and takes as many tokens of its account's
/// rate as it makes requests: two for the kinds `of_two`, one for others. A call that sends something (no `read_`) goes
/// first, and waits while its account has not caught up since a restore. Skips accounts that pause, have no token or
/// enough calls under way.
pub async fn lease(
    conn: &mut PgConnection,
    modes: &[bool],
    lease: f64,
    rate: Rate,
    of_two: &[&str],
) -> sqlx::Result<Option<LeasedCall>> {
    sqlx::query_as!(
        LeasedCall,
        "with due as (
             select c.id, c.account, c.livemode, c.tokens
             from clawback.api_accounts a
             cross join lateral (
                 select c.*, case when c.kind = any($5) then 2.0 else 1.0 end::float8 as tokens
                 from clawback.api_calls c
                 where c.account = a.account and c.livemode = a.livemode
                     and c.state = 'ready' and c.run_at <= now()
                     and (starts_with(c.kind, 'read_') or not exists (
                         select from clawback.settings s
                         where s.restored_at is not null and a.caught_up_at > s.restored_at is not true))
                 -- Reads may be very many: what people wait for goes first.
                 order by starts_with(c.kind, 'read_'), c.run_at, c.id
                 limit 1
                 for update skip locked
             ) c
             where a.livemode = any($1) and coalesce(a.paused_until, '-infinity') <= now()
                 and a.full_at <= now() + make_interval(secs => 1 - c.tokens / $3::float8)
                 and (select count(*) from clawback.api_calls o
                      where o.account = a.account and o.livemode = a.livemode and o.state = 'leased') < $4
             order by c.run_at
             limit 1
             for update of a skip locked
         ), spent as (
             update clawback.api_accounts a
             set full_at = greatest(a.full_at, now()) + make_interval(secs => due.tokens / $3::float8)
             from due
             where a.account = due.account and a.livemode = due.livemode
         )
         update clawback.api_calls c
         set state = 'leased', attempts = c.attempts + 1, lease_token = gen_random_uuid(),
             leased_until = now() + make_interval(secs => $2)
         from due
         where c.id = due.id
         returning c.id, c.kind, c.subject, c.round, c.account, c.livemode, c.attempts,
                   c.lease_token as \"lease_token!\"",
        modes,
        lease,
        rate.per_second,
        rate.at_once,
        of_two as _
    )
    .fetch_optional(conn)
    .await
}

/// Limits, until the end of the transaction, how long it waits for rows that others hold.
pub async fn limit_waits(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select set_config('lock_timeout', '3s', true) as limited").fetch_one(conn).await.map(drop)
}

/// The modes that a running service has a key for: true is live mode.
pub async fn modes(conn: &mut PgConnection) -> sqlx::Result<Vec<bool>> {
    sqlx::query_scalar!("select livemode from clawback.api_keys").fetch_all(conn).await
}

/// Enqueues those reads that were not enqueued before.
pub async fn enqueue_reads(conn: &mut PgConnection, reads: &[Read]) -> sqlx::Result<()> {
    let account = |read: &Read| read.scope.account.clone().unwrap_or_default();
    sqlx::query!(
        "with wanted as materialized (
             select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::integer[])
                 as w (kind, subject, round, account, livemode, seconds)
         ), accounts as (
             insert into clawback.api_accounts (account, livemode)
             -- Only where there is none: \"do nothing\" waits for whoever is changing the row.
             select distinct w.account, w.livemode from wanted w
             where not exists (select from clawback.api_accounts a where a.account = w.account and a.livemode = w.livemode)
             order by w.account, w.livemode
             on conflict on constraint api_accounts_pkey do nothing
         )
         insert into clawback.api_calls (kind, subject, round, account, livemode, run_at)
         select kind, subject, round, account, livemode, now() + make_interval(secs => seconds) from wanted
         on conflict on constraint api_calls_once do nothing",
        &column(reads, |read| read.kind.as_str()) as _,
        &column(reads, |read| read.object.as_str()) as _,
        &column(reads, |read| read.round.as_str()) as _,
        &column(reads, account),
        &column(reads, |read| read.scope.livemode),
        &column(reads, |read| read.after)
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes tokens of an account's rate for calls outside the queue, and returns for how many seconds to wait before them.
pub async fn take_tokens(
    conn: &mut PgConnection,
    account: &str,
    livemode: bool,
    rate: Rate,
    tokens: f64,
) -> sqlx::Result<f64> {
    sqlx::query_scalar!(
        r#"insert into clawback.api_accounts as a (account, livemode, full_at)
           values ($1, $2, now() + make_interval(secs => $4::float8 / $3::float8))
           on conflict on constraint api_accounts_pkey do update
           set full_at = greatest(a.full_at, now()) + make_interval(secs => $4::float8 / $3::float8)
           returning greatest(0, extract(epoch from full_at - now()) - 1)::float8 as "wait!""#,
        account,
        livemode,
        rate.per_second,
        tokens
    )
    .fetch_one(conn)
    .await
}

/// Ends a call that this lease still holds. Returns whether it did.
pub async fn finish(
    conn: &mut PgConnection,
    call: &LeasedCall,
    state: &str,
    error: Option<&str>,
    code: Option<&str>,
    request_id: Option<&str>,
) -> sqlx::Result<bool> {
    let ended = sqlx::query!(
        "update clawback.api_calls
         set state = $3, finished_at = now(), leased_until = null, lease_token = null, last_error = $4, error_code = $5,
             request_id = coalesce($6, request_id)
         where id = $1 and lease_token = $2",
        call.id,
        call.lease_token,
        state,
        error,
        code,
        request_id
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected() > 0)
}

/// Puts a call back that this lease still holds: it is due again after `seconds`. Returns whether it did.
pub async fn retry(
    conn: &mut PgConnection,
    call: &LeasedCall,
    seconds: f64,
    error: &str,
    code: Option<&str>,
    request_id: Option<&str>,
) -> sqlx::Result<bool> {
    let put_back = sqlx::query!(
        "update clawback.api_calls
         set state = 'ready', run_at = now() + make_interval(secs => $3), leased_until = null, lease_token = null,
             last_error = $4, error_code = $5, request_id = coalesce($6, request_id)
         where id = $1 and lease_token = $2",
        call.id,
        call.lease_token,
        seconds,
        error,
        code,
        request_id
    )
    .execute(conn)
    .await?;
    Ok(put_back.rows_affected() > 0)
}

/// Records that calls of an account succeed.
pub async fn account_answers(conn: &mut PgConnection, account: &str, livemode: bool) -> sqlx::Result<Option<String>> {
    let problem = sqlx::query_scalar!(
        "with before as (select problem from clawback.api_accounts where account = $1 and livemode = $2)
         update clawback.api_accounts a
         set failures = 0, paused_until = null, problem = null
         from before
         where a.account = $1 and a.livemode = $2 and (a.failures > 0 or a.problem is not null)
         returning before.problem",
        account,
        livemode
    )
    .fetch_optional(conn)
    .await?;
    Ok(problem.flatten())
}

/// Counts a call that failed. After `tolerated` in a row, or at once for a `problem` that only a person mends, the account
/// pauses for `seconds`. Returns whether there was none before.
pub async fn account_fails(
    conn: &mut PgConnection,
    account: &str,
    livemode: bool,
    tolerated: i32,
    seconds: f64,
    problem: Option<&str>,
) -> sqlx::Result<bool> {
    let is_new = sqlx::query_scalar!(
        r#"with before as (
               select problem from clawback.api_accounts where account = $1 and livemode = $2 for update
           )
           update clawback.api_accounts a
           set failures = a.failures + 1, problem = $5::text,
               paused_until = case when $5::text is not null or a.failures >= $3
                                   then now() + make_interval(secs => $4) else a.paused_until end
           from before
           where a.account = $1 and a.livemode = $2
           returning $5::text is not null and before.problem is null as "is_new!""#,
        account,
        livemode,
        tolerated,
        seconds,
        problem
    )
    .fetch_optional(conn)
    .await?;
    Ok(is_new.unwrap_or(false))
}

/// Records at the start of the service which modes it has a key for, and how refunds treat transfers and fees. Pauses
/// end: the key may be another.
pub async fn begin(
    conn: &mut PgConnection,
    modes: &[bool],
    transfers: Option<&str>,
    fees: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with policy as (
             update clawback.settings set refund_transfers = $2, refund_fees = $3
         ), gone as (
             delete from clawback.api_keys where livemode <> all($1)
         ), resumed as (
             update clawback.api_accounts set paused_until = null, failures = 0, problem = null where livemode = any($1)
         )
         insert into clawback.api_keys (livemode) select unnest($1::boolean[])
         on conflict on constraint api_keys_pkey do update set since = now()",
        modes,
        transfers,
        fees
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What waits to be sent, for metrics: how many calls, how long the oldest has been due, how many accounts have a problem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    /// Calls that are not ended.
    pub calls: i64,
    /// Seconds since the oldest of them was enqueued.
    pub oldest: f64,
    /// Accounts whose calls wait for a person.
    pub problems: i64,
}

/// What waits to be sent. One branch for each partial index.
pub async fn waiting(conn: &mut PgConnection) -> sqlx::Result<Waiting> {
    sqlx::query_as!(
        Waiting,
        r#"select count(*) as "calls!", coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "oldest!",
                  (select count(*) from clawback.api_accounts a where a.problem is not null) as "problems!"
           from (select created_at from clawback.api_calls where state = 'ready'
                 union all
                 select created_at from clawback.api_calls where state = 'leased') waiting"#
    )
    .fetch_one(conn)
    .await
}

/// When the missed events of an account were last listed to the end; none: never.
pub async fn caught_up_at(
    conn: &mut PgConnection,
    account: &str,
    livemode: bool,
) -> sqlx::Result<Option<OffsetDateTime>> {
    let row = sqlx::query_scalar!(
        "select caught_up_at from clawback.api_accounts where account = $1 and livemode = $2",
        account,
        livemode
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.flatten())
}

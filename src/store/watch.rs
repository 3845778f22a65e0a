//! What is due, in one statement: an idle service asks this and nothing else.

use sqlx::PgConnection;

use super::desk::Wanted;

/// Which parts of a service have something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Events to process, or payments to rebuild.
    pub events: bool,
    /// Calls to make to Stripe, or calls whose lease expired.
    pub calls: bool,
    /// Tasks of the desk.
    pub disputes: bool,
}

/// What is due now. `modes`: those with an API key, true is live mode. `policy`: the desk's.
///
/// # Errors
/// Any error of the database.
pub async fn due(conn: &mut PgConnection, modes: &[bool], policy: &Wanted) -> sqlx::Result<Due> {
    let (reasons, limits, currencies) = policy.columns();
    sqlx::query_as!(
        Due,
        r#"select exists (select from clawback.pending_events where run_at <= now())
                  or exists (select from clawback.rebuilds where run_at <= now()) as "events!",
                  exists (select from clawback.api_accounts a
                      cross join lateral (
                          (select from clawback.api_calls c
                           where c.account = a.account and c.livemode = a.livemode and c.state = 'ready' and c.run_at <= now()
                           limit 1)
                          union all
                          (select from clawback.api_calls c
                           where c.account = a.account and c.livemode = a.livemode and c.state = 'leased'
                               and c.leased_until < now()
                           limit 1)) c
                      where a.livemode = any($1) and coalesce(a.paused_until, '-infinity') <= now()) as "calls!",
                  exists (select from clawback.desk_tasks($2, $3, $4, $5, $6, $7)) as "disputes!""#,
        modes,
        policy.draft,
        policy.submit_before,
        policy.respond_before,
        &reasons as _,
        &limits,
        &currencies as _
    )
    .fetch_one(conn)
    .await
}

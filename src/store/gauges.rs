//! Values for the gauges, read from small indexes: a scrape costs the same at any size.

use sqlx::PgConnection;

use super::api_calls::{self, Waiting};
use super::{retention, syncs};

/// The values at one moment.
#[derive(Debug)]
pub struct Gauges {
    /// Events not processed yet.
    pub pending: i64,
    /// Seconds that the oldest of them has been pending.
    pub oldest_pending_seconds: f64,
    /// Events that could not be processed.
    pub failed: i64,
    /// What is due, in live mode and in test mode.
    pub due: Vec<Due>,
    /// Payments whose nearest deadline for evidence has passed.
    pub evidence_overdue: i64,
    /// Unlinked payments, except those with nothing paid.
    pub unlinked: i64,
    /// Seconds since the newest event from Stripe was received.
    pub newest_event_seconds: f64,
    /// Calls to Stripe that wait.
    pub waiting: Waiting,
    /// Seconds since missed events were last listed to the end.
    pub sync_age_seconds: f64,
    /// Seconds since retention last went through everything; 0 while it is off.
    pub prune_age_seconds: f64,
    /// Follow-ups that are not finished, and dead ones.
    pub follow_ups: Vec<FollowUps>,
}

/// What is due in a mode.
#[derive(Debug)]
pub struct Due {
    /// Live or test mode.
    pub livemode: bool,
    /// Seconds until the nearest deadline for evidence that has not passed.
    pub evidence_seconds: Option<f64>,
    /// Drafts not submitted whose deadline is within 24 hours.
    pub drafts: i64,
}

/// How many follow-ups of a kind are in a state.
#[derive(Debug)]
pub struct FollowUps {
    /// The kind.
    pub kind: String,
    /// ready (due now), leased or dead.
    pub state: String,
    /// How many.
    pub count: i64,
    /// Seconds since the first of them could be claimed.
    pub oldest_seconds: f64,
}

/// Reads the values.
pub async fn read(conn: &mut PgConnection) -> sqlx::Result<Gauges> {
    let follow_ups = follow_ups(conn).await?;
    let due = due(conn).await?;
    let waiting = api_calls::waiting(conn).await?;
    let sync_age_seconds = syncs::age(conn).await?;
    let prune_age_seconds = retention::age(conn).await?;
    let row = sqlx::query!(
        r#"select (select count(*) from clawback.pending_events) as "pending!",
                  (select extract(epoch from now() - min(since))::float8
                   from clawback.pending_events) as oldest_pending_seconds,
                  (select count(*) from clawback.failed_events) as "failed!",
                  (select count(*) from clawback.payments where evidence_due_by <= now()) as "evidence_overdue!",
                  (select count(*) from clawback.payments
                   where order_id is null and not orphan and amount_paid is distinct from 0) as "unlinked!",
                  (select extract(epoch from now() - received_at)::float8 from clawback.events
                   -- Events of our own are no sign of life from Stripe.
                   where type not like 'clawback.%' order by received_at desc limit 1) as newest_event_seconds"#
    )
    .fetch_one(&mut *conn)
    .await?;
    let newest_event_seconds = match row.newest_event_seconds {
        Some(seconds) => seconds,
        None => ledger_seconds(conn).await?,
    };
    Ok(Gauges {
        pending: row.pending,
        oldest_pending_seconds: row.oldest_pending_seconds.unwrap_or(0.0),
        failed: row.failed,
        due,
        evidence_overdue: row.evidence_overdue,
        unlinked: row.unlinked,
        newest_event_seconds,
        waiting,
        sync_age_seconds,
        prune_age_seconds,
        follow_ups,
    })
}

async fn due(conn: &mut PgConnection) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"select m.livemode as "livemode!",
                  (select extract(epoch from min(p.evidence_due_by) - now())::float8 from clawback.payments p
                   where p.evidence_due_by > now() and p.livemode = m.livemode) as evidence_seconds,
                  (select count(*) from clawback.dispute_responses r
                   join clawback.disputes d on d.dispute_id = r.dispute_id and d.phase = r.phase
                   where r.state in ('draft', 'rejected', 'submit_requested') and r.livemode = m.livemode and d.can_respond
                       and d.evidence_due_by between now() and now() + interval '24 hours') as "drafts!"
           from (values (true), (false)) as m (livemode)"#
    )
    .fetch_all(conn)
    .await
}

/// Seconds since the ledger exists.
async fn ledger_seconds(conn: &mut PgConnection) -> sqlx::Result<f64> {
    // Not checked at compile time: the table is made by the migrator, not by a migration.
    sqlx::query_scalar("select extract(epoch from now() - min(installed_on))::float8 from clawback.migrations")
        .fetch_one(conn)
        .await
}

/// One branch for each partial index.
async fn follow_ups(conn: &mut PgConnection) -> sqlx::Result<Vec<FollowUps>> {
    sqlx::query_as!(
        FollowUps,
        r#"select kind as "kind!", 'ready' as "state!", count(*) as "count!",
                  greatest(extract(epoch from now() - min(run_at)), 0)::float8 as "oldest_seconds!"
           from clawback.follow_ups where state = 'ready' and run_at <= now() group by kind
           union all
           select kind, 'leased', count(*), 0 from clawback.follow_ups where state = 'leased' group by kind
           union all
           select kind, 'dead', count(*), 0 from clawback.follow_ups where state = 'dead' group by kind"#
    )
    .fetch_all(conn)
    .await
}

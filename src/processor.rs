//! Turns pending events into state, batch after batch, until it is told to stop.
//!
//! Decides when a batch runs and what happens when one fails. What a batch does is [`crate::apply`]'s.
//! Any number of replicas may run one each: whoever gets the lock works, the others stand by.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use uuid::Uuid;

use crate::apply::{self, Batch, BatchError, Cause, Counts, Rules, Take, Taken};
use crate::store::ledger::{self, Outcome, Verdict};
use crate::store::{follow_ups, health, migrations, rebuilds};
use crate::telemetry;

/// How often an event that fails alone is tried before it is `failed`.
pub const MAX_ATTEMPTS: i32 = 6;
/// Replicas and restarts find work by looking: so often.
const POLL: Duration = Duration::from_millis(500);
/// Who was woken and missed the lock tries again so soon.
const MISSED: Duration = Duration::from_millis(20);
/// Longer than every time-out of a statement: then the network is frozen, not the database slow.
const FROZEN: Duration = Duration::from_secs(60);
/// How often expired leases are ended, for kinds that nobody claims, and this processor says that it lives.
const REAP: Duration = Duration::from_secs(5);
/// So many passing errors in a row, and the batch's events are tried one by one.
const PATIENCE: u32 = 3;
/// So long an event waits after a passing error of its own, in milliseconds.
const PASSING: i32 = 5_000;
/// The longest wait after a passing error.
const MAX_BACK_OFF: Duration = Duration::from_secs(5);

/// The processor of one replica.
#[derive(Debug)]
pub struct Processor {
    /// Where the database is.
    pub database: PgConnectOptions,
    /// By what events become state.
    pub rules: Rules,
    /// Rung by intake when it stored something.
    pub woken: Arc<Notify>,
    /// How long a batch may take as a whole.
    pub limit: Duration,
}

impl Processor {
    /// Works until `stop` turns true; the batch in hand is finished first. Survives the database: what
    /// was not committed is done again.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut course = Course::default();
        while !*stop.borrow() {
            match self.work(&mut stop, &mut course).await {
                Ok(()) => break,
                Err(error) => {
                    course.failures += 1;
                    tracing::warn!(%error, "processing paused: the database is away or refuses; it is tried again");
                    rest(back_off(course.failures), &mut stop).await;
                }
            }
        }
    }

    /// Works on one connection until it fails or it is time to stop.
    async fn work(&self, stop: &mut watch::Receiver<bool>, course: &mut Course) -> Result<(), sqlx::Error> {
        let mut conn = within(self.database.connect()).await?;
        let id = Uuid::new_v4();
        within(rebuilds::report(&mut conn, id, self.rules.version)).await?;
        let mut reaped = Instant::now();
        while !*stop.borrow() {
            let wait = self.step(&mut conn, course).await?;
            let wait = if self.rebuild(&mut conn, course).await? { Duration::ZERO } else { wait };
            course.failures = 0;
            if reaped.elapsed() >= REAP {
                within(follow_ups::reap(&mut conn)).await?;
                within(rebuilds::report(&mut conn, id, self.rules.version)).await?;
                reaped = Instant::now();
            }
            pause(wait, &self.woken, stop).await;
        }
        conn.close().await
    }

    /// One batch, or one event alone of a batch that failed. Returns how long to wait for the next.
    async fn step(&self, conn: &mut PgConnection, course: &mut Course) -> Result<Duration, sqlx::Error> {
        if let Some(event) = course.alone.front().cloned() {
            if !self.alone(conn, &event).await? {
                return Ok(MISSED);
            }
            course.alone.pop_front();
            return Ok(Duration::ZERO);
        }
        let began = Instant::now();
        match self.batch(conn, Take::Next).await {
            Ok(Batch::Done(counts)) => {
                record(counts, began.elapsed());
                Ok(Duration::ZERO)
            }
            Ok(Batch::Busy) => Ok(until_due(conn).await?.max(MISSED)),
            Ok(Batch::Idle) => until_due(conn).await,
            Err(error) => split(error, course).map(|()| Duration::ZERO),
        }
    }

    /// A few of the payments that are to be made again from the ledger, between batches of events. Returns whether there
    /// were any.
    async fn rebuild(&self, conn: &mut PgConnection, course: &mut Course) -> Result<bool, sqlx::Error> {
        if let Some(payment_id) = course.payments_alone.pop_front() {
            return self.rebuild_alone(conn, payment_id).await.map(|()| true);
        }
        match self.batch(conn, Take::Rebuilds).await {
            Ok(done) => Ok(matches!(done, Batch::Done(_))),
            Err(BatchError { cause: Cause::Database(error), .. }) if is_away(&error) => Err(error),
            Err(BatchError { cause, .. }) => {
                tracing::warn!(%cause, "payments cannot be made again from the ledger together; they are tried one by one");
                course.payments_alone = within(rebuilds::take(conn)).await?.into();
                Ok(true)
            }
        }
    }

    /// One that cannot be made again waits, and holds up no other.
    async fn rebuild_alone(&self, conn: &mut PgConnection, payment_id: String) -> Result<(), sqlx::Error> {
        match self.batch(conn, Take::Rebuild(payment_id.clone())).await {
            Ok(_) => Ok(()),
            Err(BatchError { cause: Cause::Database(error), .. }) if is_away(&error) => Err(error),
            Err(BatchError { cause, .. }) => {
                tracing::warn!(%cause, "payment {payment_id} cannot be made again from the ledger now; it is left for later");
                within(rebuilds::defer(conn, &[payment_id], &cause.to_string())).await
            }
        }
    }

    /// One event of a batch that failed. Returns false when another processor was at work.
    async fn alone(&self, conn: &mut PgConnection, event: &Taken) -> Result<bool, sqlx::Error> {
        let began = Instant::now();
        match self.batch(conn, Take::Only(event.seq)).await {
            Ok(Batch::Done(counts)) => record(counts, began.elapsed()),
            Ok(Batch::Busy) => return Ok(false),
            Ok(Batch::Idle) => {}
            Err(BatchError { cause: Cause::Database(error), .. }) if is_away(&error) => return Err(error),
            Err(BatchError { cause, .. }) if within(is_no_fault_of_the_event(conn, &cause)).await? => {
                // No attempt is counted; but its neighbours go on.
                tracing::warn!(event.id = event.event_id, %cause, "event {} is left for later", event.event_id);
                within(ledger::defer(conn, &[event.seq], PASSING)).await?;
            }
            Err(BatchError { cause, .. }) => within(give_up_or_retry(conn, event, &cause)).await?,
        }
        Ok(true)
    }

    /// Runs a batch. One that does not end still waits for an answer on its connection: then there is a new one.
    async fn batch(&self, conn: &mut PgConnection, take: Take) -> Result<Batch, BatchError> {
        let done = apply::batch_within(self.limit, conn, take, &self.rules).await;
        if matches!(done, Err(BatchError { cause: Cause::TooLong(_), .. })) {
            let renewed = within(self.database.connect()).await;
            *conn = renewed.map_err(|error| BatchError { taken: Vec::new(), cause: error.into() })?;
        }
        done
    }
}

/// How a processor fares.
#[derive(Debug, Default)]
struct Course {
    /// Passing errors in a row.
    failures: u32,
    /// Events of a batch that failed: each is tried alone, so that a poison event cannot hold up its neighbours.
    alone: VecDeque<Taken>,
    /// Payments that could not be made again together.
    payments_alone: VecDeque<String>,
}

/// Has the events of a batch that failed tried alone, or fails with what is likely to pass.
fn split(BatchError { taken, cause }: BatchError, course: &mut Course) -> Result<(), sqlx::Error> {
    // What keeps failing on a database that answers may be one event's doing: not for ever.
    let again = |error: &sqlx::Error| is_passing(error) && !took_too_long(error) && course.failures < PATIENCE;
    match cause {
        Cause::Database(error) if taken.is_empty() || is_away(&error) || again(&error) => Err(error),
        cause => {
            tracing::warn!(%cause, "a batch of {} events failed; they are tried one by one", taken.len());
            course.alone = taken.into();
            Ok(())
        }
    }
}

async fn give_up_or_retry(conn: &mut PgConnection, event: &Taken, cause: &Cause) -> Result<(), sqlx::Error> {
    let Taken { seq, event_id, attempts } = event;
    tracing::error!(event.id = event_id, attempts = attempts + 1, %cause, "event {event_id} cannot be processed");
    let reason = format!("processing failed: {cause}");
    if attempts + 1 < MAX_ATTEMPTS {
        return ledger::retry_later(conn, *seq, &reason, retry_in_seconds(*attempts)).await;
    }
    let verdict =
        Verdict { event_id: event_id.clone(), state: Outcome::Failed, payment_id: None, last_error: Some(reason) };
    ledger::finish(conn, &[verdict]).await?;
    count(Counts { failed: 1, ..Counts::default() });
    Ok(())
}

/// 1 s, 4 s, 16 s, 64 s, 256 s after so many failed attempts before.
fn retry_in_seconds(attempts: i32) -> i32 {
    4i32.saturating_pow(u32::try_from(attempts).unwrap_or(0)).min(3600)
}

/// The connection is of no use any more.
fn is_away(error: &sqlx::Error) -> bool {
    use sqlx::Error::{ColumnDecode, Database, Decode, Encode};
    !matches!(error, Database(_) | ColumnDecode { .. } | Decode(_) | Encode(_))
}

/// Refusals that say nothing about the events: a deadlock (40), too few resources (53), a lock time-out
/// (55), a server that stops or cancels (57), one that cannot be written (25), or is not migrated or
/// granted as it should be (42).
fn is_passing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|refusal| refusal.code());
    let code = code.as_deref().unwrap_or_default();
    ["08", "25", "40", "42", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// Of an event that failed alone. Rows that break a rule of the database (23) may break one that only a newer release
/// knows, and keeps.
async fn is_no_fault_of_the_event(conn: &mut PgConnection, cause: &Cause) -> Result<bool, sqlx::Error> {
    let Cause::Database(error) = cause else { return Ok(false) };
    let refused = error.as_database_error().and_then(|refusal| refusal.code());
    if refused.is_some_and(|code| code.starts_with("23")) {
        return Ok(health::schema_version(conn).await? > Some(migrations::required_version()));
    }
    Ok(is_passing(error) && !took_too_long(error))
}

/// A statement exceeded its time: of an event alone that is its own doing, and would be for ever.
fn took_too_long(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|refusal| refusal.code()).as_deref() == Some("57014")
}

async fn until_due(conn: &mut PgConnection) -> Result<Duration, sqlx::Error> {
    let due = within(ledger::due_in(conn)).await?;
    Ok(due.map_or(POLL, |milliseconds| Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)).min(POLL)))
}

/// As long as it takes: new events must not cut a back-off short.
async fn rest(wait: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        _ = stop.changed() => {}
    }
}

async fn pause(wait: Duration, woken: &Notify, stop: &mut watch::Receiver<bool>) {
    if wait.is_zero() {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = woken.notified() => {}
        _ = stop.changed() => {}
    }
}

fn back_off(failures: u32) -> Duration {
    (Duration::from_millis(100) * 2u32.saturating_pow(failures.min(10))).min(MAX_BACK_OFF)
}

async fn within<T>(query: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(FROZEN, query).await.unwrap_or_else(|_| Err(frozen()))
}

fn frozen() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer from the database for a minute"))
}

fn record(counts: Counts, took: Duration) {
    count(counts);
    let Counts { processed, noted, ignored, failed, deferred } = counts;
    metrics::histogram!(telemetry::BATCH_SECONDS).record(took.as_secs_f64());
    tracing::debug!(
        processed,
        noted,
        ignored,
        failed,
        deferred,
        duration_ms = took.as_millis() as u64,
        "batch committed"
    );
}

/// Shows every outcome, also while the database is away.
pub fn count_from_zero() {
    count(Counts::default());
}

/// Each outcome every time, if with 0: a series that begins at its first count hides that count.
fn count(Counts { processed, noted, ignored, failed, deferred }: Counts) {
    metrics::counter!(telemetry::EVENTS_NOTED).increment(noted as u64);
    for (outcome, count) in [("processed", processed), ("ignored", ignored), ("failed", failed), ("deferred", deferred)]
    {
        metrics::counter!(telemetry::EVENTS_FINISHED, "outcome" => outcome).increment(count as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_fails_alone_waits_longer_each_time_and_never_overflows() {
        assert_eq!([0, 1, 2, 3, 4].map(retry_in_seconds), [1, 4, 16, 64, 256]);
        assert_eq!([20, i32::MAX].map(retry_in_seconds), [3600, 3600]);
    }

    #[test]
    fn the_processor_waits_longer_after_each_failure_up_to_five_seconds() {
        let waits: Vec<Duration> = (0..12).map(back_off).collect();
        assert!(waits.is_sorted());
        assert_eq!((waits[0], waits[11]), (Duration::from_millis(100), MAX_BACK_OFF));
        assert_eq!(back_off(u32::MAX), MAX_BACK_OFF);
    }
}

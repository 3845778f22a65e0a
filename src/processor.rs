//! Turns pending events into state, batch after batch, until it is told to stop.
//!
//! Decides when a batch runs and what happens when one fails. What a batch does is in [`crate::apply`]. Any number of
//! replicas may run one processor each: the one that gets the lock works, the others stand by.

mod errors;
mod progress;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::apply::{self, Ahead, Batch, BatchError, Cause, Counts, Rules, Take, Taken};
use crate::backoff;
use crate::store::ledger::{self, FinishedEvent, Outcome};
use crate::store::session::{self, SILENT, within};
use crate::store::{follow_ups, migrations, rebuilds};
use crate::telemetry;
use errors::{is_disconnected, is_unrelated_to_event};
use progress::{Progress, ReadAhead, split};

/// How often an event is tried alone before it is `failed`.
pub const MAX_ATTEMPTS: i32 = 6;
/// How often it looks for work without being notified.
const POLL: Duration = Duration::from_secs(60);
/// Wait of a processor that was woken and did not get the lock.
const LOCK_RETRY: Duration = Duration::from_millis(20);
/// Shortest pause after a batch during which events arrived.
const GATHER: Duration = Duration::from_millis(10);
/// Longest such pause, which a stop waits for too.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// For the goodbye to the server at shutdown.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// How often leases that expired are ended for kinds that nobody claims, and this processor reports that it is alive.
const HOUSEKEEPING: Duration = Duration::from_secs(10);
/// How long a batch that has ended waits for what is read ahead.
const READER_GRACE: Duration = Duration::from_millis(250);
/// Events in a full batch: after it, probably more wait.
const FULL: usize = 500;
/// How long an event waits after a transient error of its own, in milliseconds.
const TRANSIENT_DEFERRAL: i32 = 5_000;

/// The processor of one replica.
#[derive(Debug)]
pub struct Processor {
    /// The database.
    pub database: PgConnectOptions,
    /// The rules by which events become state.
    pub rules: Rules,
    /// Notified when something may be due.
    pub woken: Arc<Notify>,
    /// Notified when this replica stored an event.
    pub arrived: Arc<Notify>,
    /// Time limit of a whole batch of events.
    pub limit: Duration,
}

impl Processor {
    /// Works until `stop` is cancelled; the current batch is finished first. Survives database outages: what was not
    /// committed is done again.
    pub async fn run(&self, stop: CancellationToken) {
        let mut progress = Progress::default();
        while !stop.is_cancelled() {
            match self.work(&stop, &mut progress).await {
                Ok(()) => break,
                Err(error) => {
                    progress.pause(&error);
                    // Bodies may be erased during an outage.
                    progress.ahead = Ahead::default();
                    // Not cut short by new events.
                    stop.run_until_cancelled(sleep(backoff::delay(progress.failures))).await;
                }
            }
        }
    }

    /// Works on one connection until it fails or `stop` is cancelled.
    async fn work(&self, stop: &CancellationToken, progress: &mut Progress) -> Result<(), sqlx::Error> {
        let Some(conn) = stop.run_until_cancelled(within(self.connect())).await else { return Ok(()) };
        let mut conn = conn?;
        if !within(migrations::is_whole(&mut conn)).await? {
            return Err(sqlx::Error::Protocol(
                "a foreign key of the schema is missing: a restore is under way, or left it out".to_owned(),
            ));
        }
        let id = Uuid::new_v4();
        within(rebuilds::report(&mut conn, id, self.rules.version)).await?;
        let mut last_housekeeping = Instant::now();
        while !stop.is_cancelled() {
            let wait = self.step(&mut conn, progress).await?;
            let wait = if self.rebuild(&mut conn, progress).await? { Duration::ZERO } else { wait };
            progress.resume();
            stop.run_until_cancelled(self.rest(&mut conn, id, wait, &mut last_housekeeping)).await.unwrap_or(Ok(()))?;
        }
        // Everything is committed: an unclean close does no harm.
        let _ = timeout(CLOSE_LIMIT, conn.close()).await;
        Ok(())
    }

    /// Waits until the time is up or it is woken, and does the housekeeping when that is due.
    async fn rest(
        &self,
        conn: &mut PgConnection,
        id: Uuid,
        wait: Duration,
        last_housekeeping: &mut Instant,
    ) -> Result<(), sqlx::Error> {
        let until = Instant::now() + wait;
        loop {
            if last_housekeeping.elapsed() >= HOUSEKEEPING {
                within(follow_ups::reap(conn)).await?;
                within(rebuilds::report(conn, id, self.rules.version)).await?;
                *last_housekeeping = Instant::now();
            }
            let left = until.saturating_duration_since(Instant::now());
            let pause = left.min(HOUSEKEEPING.saturating_sub(last_housekeeping.elapsed()));
            if left.is_zero() || timeout(pause, self.wake()).await.is_ok() {
                return Ok(());
            }
        }
    }

    async fn wake(&self) {
        tokio::select! {
            () = self.woken.notified() => (),
            () = self.arrived.notified() => (),
        }
    }

    /// Runs one batch, or a part of a failed one. Returns how long to wait before the next.
    async fn step(&self, conn: &mut PgConnection, progress: &mut Progress) -> Result<Duration, sqlx::Error> {
        if let Some(part) = progress.parts.pop_front() {
            return self.retry(conn, part, progress).await;
        }
        let began = Instant::now();
        match self.next_batch(conn, progress).await {
            Ok(Batch::Done(counts)) => {
                record(counts, began.elapsed());
                progress.is_behind &= !self.yield_to_arrivals(began.elapsed()).await;
                if progress.is_behind { Ok(Duration::ZERO) } else { until_due(conn).await }
            }
            Ok(Batch::Busy) => {
                // Not cut short by new events, each of which would try again at once.
                sleep(LOCK_RETRY).await;
                until_due(conn).await
            }
            Ok(Batch::Idle) => until_due(conn).await,
            Err(error) => split(error, progress).map(|()| Duration::ZERO),
        }
    }

    /// Pauses if events arrived during a batch: storing them goes first, and a steady trickle shares batches, each of which
    /// costs some twenty statements. Returns whether any did.
    async fn yield_to_arrivals(&self, took: Duration) -> bool {
        let arrived = self.arrived.notified().now_or_never().is_some();
        if arrived {
            sleep((took * 2 / 5).clamp(GATHER, LONGEST_PAUSE)).await;
        }
        arrived
    }

    /// Runs a batch of events. With a backlog, the bodies of the next batch are read at the same time.
    async fn next_batch(&self, conn: &mut PgConnection, progress: &mut Progress) -> Result<Batch, BatchError> {
        let reading =
            progress.is_behind.then(|| AbortOnDropHandle::new(tokio::spawn(self.read_ahead(progress.reader.take()))));
        let done = self.batch_with(conn, Take::Next, std::mem::take(&mut progress.ahead)).await;
        if let Some(reading) = reading {
            // Dropped when it is late: a reader whose connection hangs must not hold up what can do without it.
            progress.keep(timeout(READER_GRACE, reading).await.ok());
        }
        progress.is_behind = matches!(done, Ok(Batch::Done(counts)) if counts.all() >= FULL);
        if !progress.is_behind {
            (progress.ahead, progress.reader) = (Ahead::default(), None);
        }
        done
    }

    /// Reads ahead on a second connection, which lives while batches are full.
    fn read_ahead(&self, reader: Option<PgConnection>) -> impl Future<Output = Result<ReadAhead, Cause>> + use<> {
        let (database, order_key) = (self.database.clone(), self.rules.order_key.clone());
        async move {
            let mut reader = match reader {
                Some(reader) => reader,
                None => session::connect(&database, SILENT).await?,
            };
            Ok(ReadAhead { ahead: Ahead::read(&mut reader, order_key).await?, reader })
        }
    }

    /// Rebuilds a few of the payments that were requested, between batches of events. Returns whether there were any.
    async fn rebuild(&self, conn: &mut PgConnection, progress: &mut Progress) -> Result<bool, sqlx::Error> {
        if let Some(payment_id) = progress.payments.pop_front() {
            return self.rebuild_alone(conn, payment_id).await.map(|()| true);
        }
        if !within(rebuilds::are_due(conn)).await? {
            return Ok(false);
        }
        match self.batch(conn, Take::Rebuilds).await {
            Ok(done) => Ok(matches!(done, Batch::Done(_))),
            Err(BatchError { cause: Cause::Database(error), .. }) if is_disconnected(&error) => Err(error),
            Err(BatchError { cause, .. }) => {
                tracing::warn!(%cause, "a batch of rebuilds failed; retrying the payments one by one");
                progress.payments = within(rebuilds::take(conn)).await?.into();
                Ok(true)
            }
        }
    }

    /// A payment that cannot be rebuilt is deferred and holds up no other.
    async fn rebuild_alone(&self, conn: &mut PgConnection, payment_id: String) -> Result<(), sqlx::Error> {
        match self.batch(conn, Take::Rebuild(payment_id.clone())).await {
            Ok(_) => Ok(()),
            Err(BatchError { cause: Cause::Database(error), .. }) if is_disconnected(&error) => Err(error),
            Err(BatchError { cause, .. }) => {
                tracing::warn!(%cause, "cannot rebuild payment {payment_id} now; deferred");
                within(rebuilds::defer(conn, &[payment_id], &cause.to_string())).await
            }
        }
    }

    /// Runs a part of a failed batch: several events, which are divided again if they fail, or one alone.
    async fn retry(
        &self,
        conn: &mut PgConnection,
        part: Vec<Taken>,
        progress: &mut Progress,
    ) -> Result<Duration, sqlx::Error> {
        let began = Instant::now();
        match self.batch(conn, Take::Only(part.iter().map(|event| event.seq).collect())).await {
            Ok(Batch::Done(counts)) => record(counts, began.elapsed()),
            Ok(Batch::Idle) => {}
            Ok(Batch::Busy) => {
                progress.parts.push_front(part);
                sleep(LOCK_RETRY).await;
            }
            Err(BatchError { cause: Cause::Database(error), .. }) if is_disconnected(&error) => {
                progress.parts.push_front(part);
                return Err(error);
            }
            Err(BatchError { cause, .. }) => match &part[..] {
                [event] => self.blame(conn, event, &cause).await?,
                several => progress.divide(several),
            },
        }
        Ok(Duration::ZERO)
    }

    /// Leaves an event that failed alone for later, or gives it up.
    async fn blame(&self, conn: &mut PgConnection, event: &Taken, cause: &Cause) -> Result<(), sqlx::Error> {
        if !within(is_unrelated_to_event(conn, cause)).await? {
            return within(give_up_or_retry(conn, event, cause)).await;
        }
        // No attempt is counted, and the other events go on.
        tracing::warn!(event.id = event.event_id, %cause, "event {} is deferred", event.event_id);
        within(ledger::defer(conn, &[event.seq], TRANSIENT_DEFERRAL)).await
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        session::connect(&self.database, SILENT).await
    }

    async fn batch(&self, conn: &mut PgConnection, take: Take) -> Result<Batch, BatchError> {
        self.batch_with(conn, take, Ahead::default()).await
    }

    /// Runs a batch. One that timed out leaves its connection in the middle of a statement: then it is replaced.
    async fn batch_with(&self, conn: &mut PgConnection, take: Take, ahead: Ahead) -> Result<Batch, BatchError> {
        // A payment may have ten thousand events to read again, and no event may fail because the network is slow.
        let is_patient = match &take {
            Take::Rebuilds | Take::Rebuild(_) => true,
            Take::Only(events) => events.len() == 1,
            Take::Next => false,
        };
        let limit = if is_patient { self.limit * 8 } else { self.limit };
        let done = apply::batch_within(limit, conn, take, &self.rules, ahead).await;
        if matches!(done, Err(BatchError { cause: Cause::TooLong(_), .. })) {
            let renewed = within(self.connect()).await;
            *conn = renewed.map_err(|error| BatchError { taken: Vec::new(), cause: error.into() })?;
        }
        done
    }
}

async fn give_up_or_retry(conn: &mut PgConnection, event: &Taken, cause: &Cause) -> Result<(), sqlx::Error> {
    let Taken { seq, event_id, attempts } = event;
    let (attempt, reason) = (attempts + 1, format!("processing failed: {cause}"));
    if attempt < MAX_ATTEMPTS {
        let seconds = retry_in_seconds(*attempts);
        tracing::warn!(
            event.id = event_id,
            attempt,
            reason,
            "event {event_id}: attempt {attempt} of {MAX_ATTEMPTS} failed, retrying in {seconds} s: {cause}"
        );
        return ledger::retry_later(conn, *seq, &reason, seconds).await;
    }
    tracing::error!(event.id = event_id, attempt, reason, "event {event_id} failed after {attempt} attempts: {cause}");
    let (seq, event_id, outcome) = (*seq, event_id.clone(), Outcome::Failed);
    ledger::finish(conn, &[FinishedEvent { seq, event_id, outcome, payment_id: None, last_error: Some(reason) }])
        .await?;
    count(Counts { failed: 1, ..Counts::default() });
    Ok(())
}

/// 1 s, 4 s, 16 s, 64 s, 256 s, by the number of attempts that failed before.
fn retry_in_seconds(attempts: i32) -> i32 {
    4i32.saturating_pow(u32::try_from(attempts).unwrap_or(0)).min(3600)
}

async fn until_due(conn: &mut PgConnection) -> Result<Duration, sqlx::Error> {
    let due = within(ledger::due_in(conn)).await?;
    Ok(due.map_or(POLL, |milliseconds| Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)).min(POLL)))
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

/// Creates every metric series at 0, also while the database is away.
pub fn count_from_zero() {
    count(Counts::default());
}

/// Every outcome each time, even with 0: `increase()` misses the first count of a series that begins with it.
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
}

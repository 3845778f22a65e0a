//! The one task that writes to the inbox, on a connection of its own.
//!
//! Requests do not wait for a database that is unreachable: after a short grace period they are refused. Not here: what
//! goes into a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::{counter, histogram};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout, timeout_at};
use tracing::{error, info, warn};

use super::batch::Batch;
use super::problem::{Problem, TIME_LIMIT, WAIT_LIMIT};
use super::{Unavailable, Waiting};
use crate::backoff;
use crate::store::health::{self, Access};
use crate::store::inbox::{self, NewEvent};
use crate::store::session;
use crate::stripe::envelope::Envelope;
use crate::telemetry;

/// Events in one statement.
const MAX_EVENTS: usize = 256;
/// How long events may wait for the first attempt to reconnect.
const GRACE: Duration = Duration::from_secs(1);
/// An event that is never stored.
const TRIAL: &str = r#"{"id":"clawback_trial","type":"clawback.trial"}"#;
/// For a statement whose client has given up.
const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// How often the connection is checked, so that one that died while idle is replaced before the next event.
const CHECK_EVERY: Duration = Duration::from_secs(3);

/// Stores what [`super::Intake`] is given.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Receiver<Waiting>,
    available: Arc<AtomicBool>,
    database: PgConnectOptions,
    wake: Arc<Notify>,
    /// The problem last logged; it is not logged again while it lasts.
    logged: Option<String>,
    /// Failed connections and statements since something was stored.
    failures: u32,
    /// How long events wait for a connection before they are refused.
    grace: Duration,
}

/// How the work on one connection ended.
enum Ended {
    /// All handles are dropped and everything they sent is answered.
    Drained,
    /// The connection cannot be used any more; what deliveries are answered meanwhile.
    Lost(Unavailable),
}

impl Writer {
    pub(super) fn new(
        queue: mpsc::Receiver<Waiting>,
        available: Arc<AtomicBool>,
        database: PgConnectOptions,
        wake: Arc<Notify>,
    ) -> Self {
        Self { queue, available, database, wake, logged: None, failures: 0, grace: GRACE }
    }

    /// Runs until every [`super::Intake`] handle is dropped and what they sent is answered.
    pub async fn run(mut self) {
        let mut reason = Unavailable::NoDatabase;
        loop {
            let attempt = tokio::select! {
                attempt = connect(&self.database, self.failures > 0) => attempt,
                () = refuse(&mut self.queue, self.grace, reason) => return,
            };
            match attempt {
                Ok(connection) => match self.work(connection).await {
                    Ended::Drained => return,
                    Ended::Lost(why) => reason = why,
                },
                Err(problem) => {
                    self.fail(&problem);
                    reason = problem.reason();
                }
            }
            tokio::select! {
                () = sleep(backoff::delay(self.failures)) => (),
                () = refuse(&mut self.queue, self.grace, reason) => return,
            }
        }
    }

    async fn work(&mut self, mut connection: PgConnection) -> Ended {
        if self.failures == 0 {
            info!("intake connected to the database");
        }
        self.available.store(true, Ordering::Relaxed);
        let ended = match self.write_batches(&mut connection).await {
            Ok(()) => {
                // Everything is committed: an unclean close does no harm.
                let _ = timeout(TIME_LIMIT, connection.close()).await;
                Ended::Drained
            }
            Err(problem) => {
                self.fail(&problem);
                Ended::Lost(problem.reason())
            }
        };
        self.available.store(false, Ordering::Relaxed);
        ended
    }

    /// Until the queue is closed and empty, or the connection fails. In both cases every event taken from the queue has
    /// been answered.
    async fn write_batches(&mut self, connection: &mut PgConnection) -> Result<(), Problem> {
        let mut check = interval_at(Instant::now() + CHECK_EVERY, CHECK_EVERY);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gathered = Vec::with_capacity(MAX_EVENTS);
        loop {
            tokio::select! {
                _ = check.tick() => {
                    confirm(connection).await?;
                    self.recover();
                }
                taken = self.queue.recv_many(&mut gathered, MAX_EVENTS) => if taken == 0 {
                    return Ok(());
                },
            }
            loop {
                for late in gathered.extract_if(.., |waiting| waiting.since.elapsed() > WAIT_LIMIT) {
                    late.reply.send(Err(Unavailable::QueueFull));
                }
                if gathered.is_empty() {
                    break;
                }
                let stored = self.store(connection, Batch::take(&mut gathered)).await;
                if stored.is_err() {
                    gathered.drain(..).for_each(|w| w.reply.send(Err(Unavailable::NotStored)));
                }
                stored?;
            }
        }
    }

    /// One statement, one commit, and an answer to everyone.
    async fn store(&mut self, connection: &mut PgConnection, batch: Batch) -> Result<(), Problem> {
        let until = Instant::now() + TIME_LIMIT;
        match record(connection, &batch, until).await {
            Ok(new) => {
                self.recover();
                self.answer(batch, &new);
                Ok(())
            }
            Err(problem) if problem.is_about_data() => {
                warn!(%problem, "the database refused the data of a batch; storing its events one by one");
                self.store_one_by_one(connection, batch, until).await
            }
            Err(problem) => {
                batch.refuse(Unavailable::NotStored);
                Err(problem)
            }
        }
    }

    /// So that one event whose data is refused takes no other with it.
    async fn store_one_by_one(
        &self,
        connection: &mut PgConnection,
        batch: Batch,
        until: Instant,
    ) -> Result<(), Problem> {
        let mut outcome = Ok(());
        for alone in batch.split() {
            if outcome.is_err() {
                alone.refuse(Unavailable::NotStored);
                continue;
            }
            match record(connection, &alone, until).await {
                Ok(new) => self.answer(alone, &new),
                Err(problem) if problem.is_about_data() => {
                    let id = alone.events().first().map(|event| event.envelope.id.as_str());
                    error!(event.id = id, %problem, "the database refused the data of event {}", id.unwrap_or_default());
                    alone.refuse(Unavailable::DataRefused);
                }
                Err(problem) => {
                    alone.refuse(Unavailable::NotStored);
                    outcome = Err(problem);
                }
            }
        }
        outcome
    }

    fn answer(&self, batch: Batch, new: &[String]) {
        if !new.is_empty() {
            self.wake.notify_one();
        }
        batch.answer(new, |event_type, recorded| {
            // Stripe's types are shorter, and a label is kept for the life of the process.
            let event_type = if event_type.len() <= 64 { event_type.to_owned() } else { "other".to_owned() };
            let outcome = recorded.label();
            counter!(telemetry::EVENTS_RECEIVED, "type" => event_type, "outcome" => outcome).increment(1);
        });
    }

    /// A connection counts again when something was stored, or when it was tried out and lived for a while: one that is
    /// lost at its first statement is no recovery, and is waited for longer each time.
    fn recover(&mut self) {
        if self.failures > 0 {
            info!("storing events again");
        }
        (self.failures, self.logged, self.grace) = (0, None, GRACE);
    }

    fn fail(&mut self, problem: &Problem) {
        self.failures = self.failures.saturating_add(1);
        // A connection that broke is usually back within a moment. After a time-out deliveries fail at once.
        self.grace = if self.failures == 1 && problem.is_lost_connection() { GRACE } else { Duration::ZERO };
        let text = problem.to_string();
        if self.logged.as_ref() != Some(&text) {
            error!(problem = text, "cannot store events, answering 503: {text}");
            self.logged = Some(text);
        }
    }
}

/// Connects; after a failure also tries out whether events can be stored, for a server may answer and still store nothing:
/// its disk is full, a table is locked, a right was revoked, a standby that commits wait for is away.
async fn connect(database: &PgConnectOptions, after_failure: bool) -> Result<PgConnection, Problem> {
    let opened = timeout(TIME_LIMIT, session::connect(database, STATEMENT_LIMIT)).await;
    let mut connection = opened.map_err(|_| Problem::TooSlow)??;
    confirm(&mut connection).await?;
    if after_failure {
        timeout(TIME_LIMIT, try_out(&mut connection)).await.map_err(|_| Problem::TooSlow)??;
    }
    Ok(connection)
}

/// Does what storing an event takes, up to a commit that is on disk, and stores nothing.
async fn try_out(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    // A savepoint: what was written is undone, and the commit still waits for the disk.
    let mut undone = tx.begin().await?;
    let envelope = Envelope::read(TRIAL).expect("an event");
    inbox::record(&mut undone, &[NewEvent { envelope, payload: TRIAL.to_owned(), mode_matches: true }]).await?;
    undone.rollback().await?;
    tx.commit().await
}

async fn confirm(connection: &mut PgConnection) -> Result<(), Problem> {
    match timeout(TIME_LIMIT, health::access(connection)).await.map_err(|_| Problem::TooSlow)?? {
        Access::ReadWrite => Ok(()),
        access @ (Access::Standby | Access::ReadOnly) => Err(Problem::NotWritable(access)),
    }
}

/// After a time-out the connection is in the middle of a statement and must not be used again.
async fn record(connection: &mut PgConnection, batch: &Batch, until: Instant) -> Result<Vec<String>, Problem> {
    histogram!(telemetry::INTAKE_BATCH_SIZE).record(batch.events().len() as f64);
    let new = timeout_at(until, inbox::record(connection, batch.events())).await;
    Ok(new.map_err(|_| Problem::TooSlow)??)
}

/// Refuses every waiting event for as long as it is polled. Returns when all handles are dropped.
async fn refuse(queue: &mut mpsc::Receiver<Waiting>, grace: Duration, reason: Unavailable) {
    sleep(grace).await;
    while let Some(waiting) = queue.recv().await {
        waiting.reply.send(Err(reason));
    }
}

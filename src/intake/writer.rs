//! The one task that writes to the inbox, on a connection of its own.
//!
//! Nobody waits for a database that is away: after a moment's grace, in which a lost connection is
//! usually back, whoever waits is told so. Not here: what goes into a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::{counter, histogram};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tracing::{error, info, warn};

use super::batch::Batch;
use super::problem::{Problem, TIME_LIMIT};
use super::{Unavailable, Waiting};
use crate::store::inbox::{self, Durability};
use crate::telemetry;

/// Events in one statement.
const MAX_EVENTS: usize = 256;
/// How long events may wait for the first attempt to connect.
const GRACE: Duration = Duration::from_secs(1);
/// How often the connection is looked at, so that one that died idle is found before an event is.
const CHECK_EVERY: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Stores what [`super::Intake`] is given.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Receiver<Waiting>,
    available: Arc<AtomicBool>,
    database: PgConnectOptions,
    wake: Arc<Notify>,
    /// The problem last logged: while it stays the same, it is not told again.
    told: Option<String>,
}

/// How the work on one connection ended.
enum Ended {
    /// All handles are gone and everything they sent is answered.
    Drained,
    /// The connection is of no more use.
    Lost,
}

impl Writer {
    pub(super) fn new(
        queue: mpsc::Receiver<Waiting>,
        available: Arc<AtomicBool>,
        database: PgConnectOptions,
        wake: Arc<Notify>,
    ) -> Self {
        Self { queue, available, database, wake, told: None }
    }

    /// Runs until every [`super::Intake`] handle is dropped and what they sent is answered.
    pub async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut grace = GRACE;
        let mut reason = Unavailable::NoDatabase;
        loop {
            let attempt = tokio::select! {
                attempt = connect(&self.database) => attempt,
                () = refuse(&mut self.queue, grace, reason) => return,
            };
            match attempt {
                Ok(connection) => {
                    if let Ended::Drained = self.work(connection).await {
                        return;
                    }
                    (pause, grace) = (FIRST_PAUSE, GRACE);
                    continue;
                }
                Err(problem) => {
                    self.tell(&problem);
                    reason = problem.reason();
                }
            }
            tokio::select! {
                () = sleep(pause) => (),
                () = refuse(&mut self.queue, Duration::ZERO, reason) => return,
            }
            (pause, grace) = ((pause * 2).min(LONGEST_PAUSE), Duration::ZERO);
        }
    }

    async fn work(&mut self, mut connection: PgConnection) -> Ended {
        info!("intake is connected to the database");
        self.told = None;
        self.available.store(true, Ordering::Relaxed);
        let ended = match self.write_batches(&mut connection).await {
            Ok(()) => {
                // All is committed: a connection that does not close politely does no harm.
                let _ = timeout(TIME_LIMIT, connection.close()).await;
                Ended::Drained
            }
            Err(problem) => {
                self.tell(&problem);
                Ended::Lost
            }
        };
        self.available.store(false, Ordering::Relaxed);
        ended
    }

    /// Until the queue is closed and empty, or the connection is of no more use. Either way everyone
    /// whose event was taken has been answered.
    async fn write_batches(&mut self, connection: &mut PgConnection) -> Result<(), Problem> {
        let mut check = interval_at(Instant::now() + CHECK_EVERY, CHECK_EVERY);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gathered = Vec::with_capacity(MAX_EVENTS);
        loop {
            tokio::select! {
                _ = check.tick() => confirm(connection).await?,
                taken = self.queue.recv_many(&mut gathered, MAX_EVENTS) => if taken == 0 {
                    return Ok(());
                },
            }
            while !gathered.is_empty() {
                let stored = self.store(connection, Batch::take(&mut gathered)).await;
                if stored.is_err() {
                    gathered.drain(..).for_each(|w| w.reply.send(Err(Unavailable::NotStored)));
                }
                stored?;
            }
        }
    }

    /// One statement, one commit, and an answer to everyone.
    async fn store(&self, connection: &mut PgConnection, batch: Batch) -> Result<(), Problem> {
        match record(connection, &batch).await {
            Ok(new) => {
                self.answer(batch, &new);
                Ok(())
            }
            Err(problem) if problem.is_about_data() => {
                warn!(%problem, "a batch was refused for its data: its events are stored one by one");
                self.store_one_by_one(connection, batch).await
            }
            Err(problem) => {
                batch.refuse(Unavailable::NotStored);
                Err(problem)
            }
        }
    }

    /// So that one bad event takes no other with it.
    async fn store_one_by_one(&self, connection: &mut PgConnection, batch: Batch) -> Result<(), Problem> {
        let mut outcome = Ok(());
        for alone in batch.split() {
            if outcome.is_err() {
                alone.refuse(Unavailable::NotStored);
                continue;
            }
            match record(connection, &alone).await {
                Ok(new) => self.answer(alone, &new),
                Err(problem) if problem.is_about_data() => {
                    let id = alone.events().first().map(|event| event.event_id.as_str());
                    error!(event.id = id, %problem, "the database refuses the data of an event");
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
            // Stripe's own are shorter: a label lives as long as the process.
            let event_type = if event_type.len() <= 64 { event_type.to_owned() } else { "other".to_owned() };
            let outcome = recorded.label();
            counter!(telemetry::EVENTS_RECEIVED, "type" => event_type, "outcome" => outcome).increment(1);
        });
    }

    fn tell(&mut self, problem: &Problem) {
        let text = problem.to_string();
        if self.told.as_ref() != Some(&text) {
            error!(problem = text, "intake cannot store events and answers 503");
            self.told = Some(text);
        }
    }
}

async fn connect(database: &PgConnectOptions) -> Result<PgConnection, Problem> {
    let mut connection = timeout(TIME_LIMIT, database.connect()).await.map_err(|_| Problem::TooSlow)??;
    confirm(&mut connection).await?;
    Ok(connection)
}

async fn confirm(connection: &mut PgConnection) -> Result<(), Problem> {
    match timeout(TIME_LIMIT, inbox::durability(connection)).await.map_err(|_| Problem::TooSlow)?? {
        Durability::Durable => Ok(()),
        other => Err(Problem::NotDurable(other)),
    }
}

/// After a time-out the connection is in the middle of a statement: it must not be used again.
async fn record(connection: &mut PgConnection, batch: &Batch) -> Result<Vec<String>, Problem> {
    histogram!(telemetry::INTAKE_BATCH_SIZE).record(batch.events().len() as f64);
    let new = timeout(TIME_LIMIT, inbox::record(connection, batch.events())).await;
    Ok(new.map_err(|_| Problem::TooSlow)??)
}

/// Answers everyone who waits, for as long as it is polled. Returns when all handles are gone.
async fn refuse(queue: &mut mpsc::Receiver<Waiting>, grace: Duration, reason: Unavailable) {
    sleep(grace).await;
    while let Some(waiting) = queue.recv().await {
        waiting.reply.send(Err(reason));
    }
}

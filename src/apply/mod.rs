//! One batch: load, fold, save. The only place where events become state.
//!
//! One batch runs at a time over all replicas, under an advisory lock; so batches need no locks against each other,
//! and history is written in commit order. The transaction begins and ends in [`batch_within`], with no network call
//! inside but the database's. Not here: when a batch runs and what happens when one fails ([`crate::processor`]).

mod ahead;
mod load;
mod news;
mod read;
mod reads;
mod save;
pub mod working_set;

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use crate::domain::{Facts, Marks, RULES_VERSION, Read};
use crate::store::follow_ups::Added;
use crate::store::ledger::{FinishedEvent, Outcome, Pending, PendingEvent};
use crate::store::orders::HistoryRow;
use crate::store::{ledger, people, rebuilds};
pub use ahead::Ahead;
use load::{Loaded, load};
pub use news::{only_news, would_change};
use read::{Unfolded, read};
pub use reads::is_still_wanted;
use save::save;
use working_set::WorkingSet;

/// Time limit of a whole batch. Each of its statements has the server's own time-outs; this one ends a batch whose
/// network is silent, or whose statements are all slow.
pub const LIMIT: Duration = Duration::from_secs(8);
/// How long an event waits when another transaction holds a row of its payment, in milliseconds.
const HELD_FOR: i32 = 250;

/// The rules by which events become state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The metadata key of the merchant's order reference.
    pub order_key: String,
    /// How long before an evidence deadline a warning is due.
    pub marks: Marks,
    /// Facts of another version are rebuilt; of two processors the one with the older version stands by.
    pub version: i32,
}

impl Rules {
    /// The rules of this release, with the default marks.
    #[must_use]
    pub fn current(order_key: &str) -> Self {
        Self { order_key: order_key.to_owned(), marks: Marks::default(), version: RULES_VERSION }
    }
}

/// What a batch works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    /// The next pending events that are due.
    Next,
    /// These events alone, by their `seq`: how a batch that failed is retried.
    Only(Vec<i64>),
    /// No events; the next payments for which a rebuild was requested.
    Rebuilds,
    /// No events; this payment alone, by its id.
    Rebuild(String),
}

/// The result of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Another processor holds the lock.
    Busy,
    /// Nothing was due.
    Idle,
    /// Committed.
    Done(Counts),
}

/// How many events of a batch ended in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Became state.
    pub processed: usize,
    /// Of the processed ones: those with fields that could not be read and were taken as absent.
    pub noted: usize,
    /// No handler reads them.
    pub ignored: usize,
    /// Cannot be understood.
    pub failed: usize,
    /// Left to a later batch, since another transaction holds a row of their payment.
    pub deferred: usize,
}

impl Counts {
    /// All events of the batch.
    #[must_use]
    pub fn all(self) -> usize {
        self.processed + self.ignored + self.failed + self.deferred
    }
}

/// An event that was in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its place in the ledger.
    pub seq: i64,
    /// Stripe's id.
    pub event_id: String,
    /// Failed attempts before this one.
    pub attempts: i32,
}

/// A batch that failed as a whole and was rolled back.
#[derive(Debug, thiserror::Error)]
#[error("a batch of {} events: {cause}", taken.len())]
pub struct BatchError {
    /// The events that were in it; empty when it failed before any was taken.
    pub taken: Vec<Taken>,
    /// Why.
    #[source]
    pub cause: Cause,
}

/// Why a batch failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The database refused a statement or is unreachable.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A bug in the pure core.
    #[error("the core panicked")]
    Panic,
    /// The time limit of the whole batch passed. The connection must not be used again.
    #[error("it took longer than {0:?}")]
    TooLong(Duration),
}

/// Takes pending events, turns them into state and follow-ups, and commits once.
///
/// An event that cannot be understood is marked `failed` with the field's name and holds up no other.
///
/// # Errors
/// [`BatchError`] when the database refuses a statement or is unreachable.
pub async fn batch(conn: &mut PgConnection, take: Take, rules: &Rules) -> Result<Batch, BatchError> {
    batch_within(LIMIT, conn, take, rules, Ahead::default()).await
}

/// [`batch`] with another time limit for the whole of it, and with what was read ahead.
///
/// # Errors
/// [`BatchError`], also when the time is up.
pub async fn batch_within(
    limit: Duration,
    conn: &mut PgConnection,
    take: Take,
    rules: &Rules,
    ahead: Ahead,
) -> Result<Batch, BatchError> {
    let deadline = Deadline { limit, at: Instant::now() + limit };
    let before = |cause| BatchError { taken: Vec::new(), cause };
    let mut tx = deadline.bound(async { Ok(conn.begin().await?) }).await.map_err(before)?;
    let work = match deadline.bound(lock_and_take(&mut tx, take, rules.version)).await.map_err(before)? {
        Lock::Acquired(work) if !work.is_empty() => work,
        lock => {
            deadline.bound(async { Ok(tx.rollback().await?) }).await.map_err(before)?;
            return Ok(if matches!(lock, Lock::Busy) { Batch::Busy } else { Batch::Idle });
        }
    };
    let taken = work.taken();
    let committed = deadline.bound(async {
        let counts = perform(&mut tx, work, rules, ahead).await?;
        tx.commit().await?;
        Ok(counts)
    });
    let (finished, deferred) = committed.await.map_err(|cause| BatchError { taken, cause })?;
    finished.iter().for_each(log);
    Ok(Batch::Done(count(&finished, deferred)))
}

/// The time limit of a whole batch.
struct Deadline {
    limit: Duration,
    at: Instant,
}

impl Deadline {
    async fn bound<T>(&self, step: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
        timeout_at(self.at, step).await.unwrap_or(Err(Cause::TooLong(self.limit)))
    }
}

/// Whether this processor may run a batch, and what is in it.
enum Lock {
    Busy,
    Acquired(Work),
}

/// What a batch works on.
struct Work {
    pending: Pending,
    /// Payments to rebuild, by id.
    rebuild: Vec<String>,
}

impl Work {
    fn is_empty(&self) -> bool {
        self.pending.events.is_empty() && self.pending.stray.is_empty() && self.rebuild.is_empty()
    }

    fn taken(&self) -> Vec<Taken> {
        let taken = |e: &PendingEvent| Taken { seq: e.seq, event_id: e.event_id.clone(), attempts: e.attempts };
        self.pending.events.iter().map(taken).collect()
    }
}

async fn lock_and_take(tx: &mut PgConnection, take: Take, version: i32) -> Result<Lock, Cause> {
    if !ledger::try_lock(tx, version).await? {
        return Ok(Lock::Busy);
    }
    let (pending, rebuild) = match take {
        Take::Next => (ledger::take(tx).await?, Vec::new()),
        Take::Only(seqs) => (ledger::take_only(tx, &seqs).await?, Vec::new()),
        Take::Rebuilds => (Pending::default(), rebuilds::take(tx).await?),
        Take::Rebuild(payment_id) => (Pending::default(), vec![payment_id]),
    };
    Ok(Lock::Acquired(Work { pending, rebuild }))
}

/// The body of a batch. Returns the finished events, and how many were deferred.
async fn perform(
    tx: &mut PgConnection,
    Work { pending, rebuild: requested }: Work,
    rules: &Rules,
    ahead: Ahead,
) -> Result<(Vec<FinishedEvent>, usize), Cause> {
    drop_stray(tx, &pending.stray).await?;
    let ids = pending.events.iter().map(|event| event.event_id.as_str());
    let bodies = ledger::bodies(tx, &ids.filter(|id| !ahead.contains(id)).collect::<Vec<_>>()).await?;
    let Unfolded { events, people, mut finished, mut reads } =
        guarded(|| read(pending.events, ahead, &bodies, &rules.order_key))?;
    drop(bodies);
    let Loaded { mut set, queue, events, rebuild, deferred } = load(tx, events, &requested, rules).await?;
    let Folded { history, finished: folded, reads: of_facts } = guarded(|| fold(&mut set, &rebuild, events))?;
    finished.extend(folded);
    reads.extend(of_facts);
    save(tx, &set, queue, &history, rules.version).await?;
    people::save(tx, &people).await?;
    reads::enqueue(tx, reads, &mut finished).await?;
    ledger::finish(tx, &finished).await?;
    if !deferred.is_empty() {
        ledger::defer(tx, &deferred, HELD_FOR).await?;
    }
    finish_rebuilds(tx, requested, &rebuild).await?;
    Ok((finished, deferred.len()))
}

async fn drop_stray(tx: &mut PgConnection, stray: &[i64]) -> sqlx::Result<()> {
    if !stray.is_empty() {
        let ids = ledger::drop_stray(tx, stray).await?;
        tracing::error!(events = ?ids, "pending events are missing from the ledger: resend them from Stripe");
    }
    Ok(())
}

async fn finish_rebuilds(tx: &mut PgConnection, requested: Vec<String>, rebuilt: &[String]) -> sqlx::Result<()> {
    if requested.is_empty() {
        return Ok(());
    }
    let held: Vec<String> = requested.into_iter().filter(|id| !rebuilt.contains(id)).collect();
    rebuilds::finish(tx, rebuilt).await?;
    rebuilds::defer(tx, &held, "another transaction holds a row of the payment").await
}

/// What rebuilding payments would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Rows of `order_history` it would write.
    pub changes: usize,
    /// Follow-ups it would insert, by kind.
    pub asked: BTreeMap<String, usize>,
    /// Follow-ups it would insert as discarded, since they are history, by kind.
    pub history: BTreeMap<String, usize>,
}

/// Rebuilds payments from the ledger and rolls back; none while another processor holds the lock.
///
/// # Errors
/// When the database refuses a statement or is unreachable.
pub async fn rehearse(
    conn: &mut PgConnection,
    payment_ids: &[String],
    rules: &Rules,
    ask_since: OffsetDateTime,
) -> Result<Option<Rehearsal>, Cause> {
    let mut tx = conn.begin().await?;
    if !ledger::try_lock(&mut tx, rules.version).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    rebuilds::request(&mut tx, payment_ids, Some(ask_since)).await?;
    let Loaded { mut set, queue, rebuild, .. } = load(&mut tx, Vec::new(), payment_ids, rules).await?;
    let Folded { history, .. } = guarded(|| fold(&mut set, &rebuild, Vec::new()))?;
    let mut rehearsal = Rehearsal { changes: history.len(), ..Rehearsal::default() };
    for Added { kind, is_history } in save(&mut tx, &set, queue, &history, rules.version).await? {
        let counts = if is_history { &mut rehearsal.history } else { &mut rehearsal.asked };
        *counts.entry(kind).or_default() += 1;
    }
    tx.rollback().await?;
    Ok(Some(rehearsal))
}

/// Runs a part of the pure core. A panic there fails this batch, and with it at most one event for good.
fn guarded<T>(part: impl FnOnce() -> T) -> Result<T, Cause> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(part)).map_err(|_| Cause::Panic)
}

/// An event that was read.
struct ReadEvent {
    event: PendingEvent,
    facts: Facts,
    /// What could not be read of it and was taken as absent.
    note: Option<String>,
}

/// What came of the events and rebuilt payments of a batch.
#[derive(Default)]
struct Folded {
    history: Vec<HistoryRow>,
    finished: Vec<FinishedEvent>,
    /// What to read from Stripe.
    reads: Vec<Read>,
}

/// Derives the rebuilt payments, then folds in the events in the order received.
fn fold(set: &mut WorkingSet, rebuild: &[String], events: Vec<ReadEvent>) -> Folded {
    let Folded { mut history, mut finished, mut reads } = Folded::default();
    for payment_id in rebuild {
        let changes = set.rederive(payment_id).changes;
        history.extend(changes.into_iter().map(|change| HistoryRow::of(None, payment_id, change)));
    }
    for ReadEvent { event, facts, note } in events {
        let folded = set.fold(event.object_id.as_deref(), facts);
        // A replayed event was folded before: what it called for was read then.
        reads.extend(folded.reads.into_iter().filter(|_| !event.counted));
        let about = folded.payment_id.as_deref().or(event.object_id.as_deref()).unwrap_or_default();
        history.extend(folded.changes.into_iter().map(|change| HistoryRow::of(Some(&event), about, change)));
        let PendingEvent { seq, event_id, .. } = event;
        let payment_id = folded.payment_id;
        finished.push(FinishedEvent { seq, event_id, outcome: Outcome::Processed, payment_id, last_error: note });
    }
    Folded { history, finished, reads }
}

/// Logs an event that failed, or of which something could not be read.
fn log(FinishedEvent { event_id, outcome, last_error, .. }: &FinishedEvent) {
    match (outcome, last_error) {
        (Outcome::Failed, Some(reason)) => {
            tracing::error!(event.id = event_id, reason, "event {event_id} failed: {reason}");
        }
        (Outcome::Processed, Some(note)) => tracing::info!(event.id = event_id, note, "event {event_id}: {note}"),
        (Outcome::Failed | Outcome::Processed | Outcome::Ignored, _) => {}
    }
}

fn count(finished: &[FinishedEvent], deferred: usize) -> Counts {
    let mut counts = Counts { deferred, ..Counts::default() };
    for event in finished {
        match event.outcome {
            Outcome::Processed => counts.processed += 1,
            Outcome::Ignored => counts.ignored += 1,
            Outcome::Failed => counts.failed += 1,
        }
        if event.outcome == Outcome::Processed && event.last_error.is_some() {
            counts.noted += 1;
        }
    }
    counts
}

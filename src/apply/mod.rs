//! One batch: load, fold, save. The only place where events become state.
//!
//! One batch runs at a time, over all replicas, under an advisory lock; so payments and orders need no
//! locks among batches, and history is written in commit order. The transaction begins and ends in
//! [`batch`], with no network call but the database's inside. When to run a batch and what to do when
//! one fails is decided in [`crate::processor`].

pub mod book;

use std::collections::{BTreeSet, HashMap};

use sqlx::{Connection, PgConnection};

use crate::domain::Facts;
use crate::domain::align::FollowUp;
use crate::handlers::{self, Reading};
use crate::store::ledger::{PendingEvent, Verdict};
use crate::store::orders::HistoryRow;
use crate::store::payments::PaymentRow;
use crate::store::{follow_ups, ledger, orders, payments};
use book::Book;

/// So long an event waits when somebody else holds a row of its payment, in milliseconds.
const HELD_FOR: i32 = 250;

/// Which events a batch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// The next that are due.
    Next,
    /// This one alone, by its place in the ledger: how a batch that failed is tried again.
    Only(i64),
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Another batch is at work.
    Busy,
    /// Nothing was due.
    Idle,
    /// Events were finished.
    Done(Counts),
}

/// How many events of a batch ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Became state.
    pub processed: usize,
    /// Nothing here reads them.
    pub ignored: usize,
    /// Cannot be understood.
    pub failed: usize,
    /// Left for later: somebody holds a row of their payment.
    pub deferred: usize,
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

/// A batch that failed as a whole; nothing of it was kept.
#[derive(Debug, thiserror::Error)]
#[error("a batch of {} events: {cause}", taken.len())]
pub struct BatchError {
    /// The events that were in it; empty when none was taken yet.
    pub taken: Vec<Taken>,
    /// Why.
    #[source]
    pub cause: Cause,
}

/// Why a batch failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The database refused or is away.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A mistake in the pure core.
    #[error("the core panicked")]
    Panic,
}

/// Takes pending events, makes them state and follow-ups, and commits once. `order_key` is the metadata
/// key of the merchant's order reference.
///
/// An event that cannot be understood is marked `failed` with the field's name and holds up nobody.
///
/// # Errors
/// [`BatchError`] when the database refuses or is away.
pub async fn batch(conn: &mut PgConnection, take: Take, order_key: &str) -> Result<Batch, BatchError> {
    let mut taken = Vec::new();
    transact(conn, take, order_key, &mut taken).await.map_err(|cause| BatchError { taken, cause })
}

async fn transact(
    conn: &mut PgConnection,
    take: Take,
    order_key: &str,
    taken: &mut Vec<Taken>,
) -> Result<Batch, Cause> {
    let mut tx = conn.begin().await?;
    if !ledger::try_lock(&mut tx).await? {
        tx.rollback().await?;
        return Ok(Batch::Busy);
    }
    let events = match take {
        Take::Next => ledger::take(&mut tx).await?,
        Take::Only(seq) => ledger::take_one(&mut tx, seq).await?,
    };
    if events.is_empty() {
        tx.rollback().await?;
        return Ok(Batch::Idle);
    }
    taken.extend(events.iter().map(|e| Taken { seq: e.seq, event_id: e.event_id.clone(), attempts: e.attempts }));
    let ids: Vec<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    let bodies = ledger::bodies(&mut tx, &ids).await?;
    let (read, mut verdicts) = guarded(|| read(events, &bodies, order_key))?;
    let Loaded { book, queue, events, deferred } = load(&mut tx, read).await?;
    let (book, history, posted) = guarded(|| post(book, events))?;
    verdicts.extend(posted);
    save(&mut tx, &book, queue, &history).await?;
    ledger::finish(&mut tx, &verdicts).await?;
    if !deferred.is_empty() {
        ledger::defer(&mut tx, &deferred, HELD_FOR).await?;
    }
    tx.commit().await?;
    Ok(Batch::Done(count(&verdicts, deferred.len())))
}

/// Runs a part of the pure core. A panic there fails this batch, and with it at most one event for good.
fn guarded<T>(part: impl FnOnce() -> T) -> Result<T, Cause> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(part)).map_err(|_| Cause::Panic)
}

/// Reads the bodies: the events that tell of payments, and what became of the others.
fn read(
    events: Vec<PendingEvent>,
    bodies: &HashMap<String, String>,
    order_key: &str,
) -> (Vec<(PendingEvent, Facts)>, Vec<Verdict>) {
    let mut read = Vec::new();
    let mut verdicts = Vec::new();
    for event in events {
        let Some(body) = bodies.get(&event.event_id) else {
            verdicts.push(verdict(event, "failed", None, Some("its body is gone".to_owned())));
            continue;
        };
        match handlers::read(&event.event_id, body, order_key) {
            Ok(Reading::Facts(facts)) => read.push((event, facts)),
            Ok(Reading::Ignored(reason)) => verdicts.push(verdict(event, "ignored", None, Some(reason))),
            Err(unreadable) => verdicts.push(verdict(event, "failed", None, Some(unreadable.to_string()))),
        }
    }
    (read, verdicts)
}

fn verdict(
    event: PendingEvent,
    state: &'static str,
    payment_id: Option<String>,
    last_error: Option<String>,
) -> Verdict {
    Verdict { event_id: event.event_id, state, payment_id, last_error }
}

/// What a batch works on.
struct Loaded {
    book: Book,
    queue: Vec<FollowUp>,
    events: Vec<(PendingEvent, Facts)>,
    /// Events of a payment of which somebody else holds a row.
    deferred: Vec<i64>,
}

/// Loads and locks the payments and follow-ups that the events touch.
async fn load(tx: &mut PgConnection, read: Vec<(PendingEvent, Facts)>) -> sqlx::Result<Loaded> {
    let named = distinct(read.iter().flat_map(|(_, facts)| facts.ids()));
    let homes = payments::homes(tx, &named).await?;
    let concerned = distinct(read.iter().flat_map(|(_, facts)| Book::concerned(facts, &homes)));
    let existing = payments::stored(tx, &concerned).await?;
    let locked = payments::lock(tx, &existing).await?;
    let queue_sizes = follow_ups::counts(tx, &existing).await?;
    let queue = follow_ups::lock(tx, &existing).await?;

    let held = held(&existing, &locked, &queue_sizes, &queue);
    let is_held = |facts: &Facts| Book::concerned(facts, &homes).any(|id| held.contains(id));
    let (left, events): (Vec<_>, Vec<_>) = read.into_iter().partition(|(_, facts)| is_held(facts));
    let facts = events.iter().map(|(_, facts)| facts).chain(locked.iter().map(|(_, facts)| facts));
    let refs = distinct(facts.flat_map(Facts::order_refs));
    // One that somebody else holds is not in the book, and counts in its order as it is stored.
    let in_book: Vec<String> = locked.iter().map(|(id, _)| id.clone()).collect();
    let others = payments::tallies(tx, &refs, &in_book).await?;
    let deferred = left.into_iter().map(|(event, _)| event.seq).collect();
    Ok(Loaded { book: Book::new(locked, homes, others), queue, events, deferred })
}

fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    ids.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}

/// Payments of which a row exists that could not be locked.
fn held(
    existing: &[String],
    locked: &[(String, Facts)],
    sizes: &[(String, i64)],
    queue: &[FollowUp],
) -> BTreeSet<String> {
    let locked: BTreeSet<&str> = locked.iter().map(|(id, _)| id.as_str()).collect();
    let mut rows: HashMap<&str, i64> = HashMap::new();
    for row in queue {
        *rows.entry(&row.payment_id).or_default() += 1;
    }
    let payments = existing.iter().filter(|id| !locked.contains(id.as_str()));
    let queues = sizes.iter().filter(|(id, count)| rows.get(id.as_str()).copied().unwrap_or(0) < *count);
    payments.chain(queues.map(|(id, _)| id)).cloned().collect()
}

/// Posts events in the order received: the states they brought about, and what became of each.
fn post(mut book: Book, events: Vec<(PendingEvent, Facts)>) -> (Book, Vec<HistoryRow>, Vec<Verdict>) {
    let mut history = Vec::new();
    let mut verdicts = Vec::new();
    for (event, facts) in events {
        let object_id = event.object_id.as_deref();
        let posted = if event.replayed { book.post_again(object_id, facts) } else { book.post(object_id, facts) };
        history.extend(posted.transitions.into_iter().map(|transition| HistoryRow {
            order_id: transition.order_id,
            payment_id: transition.payment_id,
            from_state: transition.from,
            to_state: transition.to,
            event_id: event.event_id.clone(),
            event_type: event.event_type.clone(),
            event_created_at: event.created_at.map(time::OffsetDateTime::unix_timestamp),
            scope: transition.scope,
            currency: transition.currency,
        }));
        verdicts.push(verdict(event, "processed", posted.payment_id, None));
    }
    (book, history, verdicts)
}

/// Writes what the book says changed: what others point to before they do, and away when none does any more.
async fn save(tx: &mut PgConnection, book: &Book, stored: Vec<FollowUp>, history: &[HistoryRow]) -> sqlx::Result<()> {
    let changes = book.changes();
    if !changes.orders.is_empty() {
        orders::save(tx, &changes.orders).await?;
    }
    if !changes.payments.is_empty() {
        save_payments(tx, &changes).await?;
    }
    save_follow_ups(tx, book, stored).await?;
    if !changes.gone.is_empty() {
        let (gone, heirs): (Vec<&str>, Vec<&str>) = book.heirs(&changes.gone).unzip();
        follow_ups::move_own(tx, &gone, &heirs).await?;
        payments::remove(tx, &changes.gone).await?;
    }
    if !changes.gone_orders.is_empty() {
        orders::remove(tx, &changes.gone_orders).await?;
    }
    if !history.is_empty() {
        orders::append_history(tx, history).await?;
    }
    Ok(())
}

async fn save_payments(tx: &mut PgConnection, changes: &book::Changes<'_>) -> sqlx::Result<()> {
    let rows: Vec<PaymentRow> = (changes.payments.iter())
        .map(|(entry, _)| PaymentRow { payment: &entry.derived.payment, facts: &entry.facts })
        .collect();
    payments::save(tx, &rows).await?;
    let (objects, homes): (Vec<&str>, Vec<&str>) = changes.moved_objects().unzip();
    if !objects.is_empty() {
        payments::save_homes(tx, &objects, &homes).await?;
    }
    let refunds = changes.refunds();
    if !refunds.is_empty() {
        payments::save_refunds(tx, &refunds).await?;
    }
    let disputes = changes.disputes();
    if !disputes.is_empty() {
        payments::save_disputes(tx, &disputes).await?;
    }
    let warnings = changes.warnings();
    if !warnings.is_empty() {
        payments::save_warnings(tx, &warnings).await?;
    }
    let reviews = changes.reviews();
    if !reviews.is_empty() {
        payments::save_reviews(tx, &reviews).await?;
    }
    Ok(())
}

async fn save_follow_ups(tx: &mut PgConnection, book: &Book, stored: Vec<FollowUp>) -> sqlx::Result<()> {
    let alignment = book.align(stored);
    if !alignment.delete.is_empty() {
        follow_ups::delete(tx, &alignment.delete).await?;
    }
    if !alignment.update.is_empty() {
        follow_ups::update(tx, &alignment.update).await?;
    }
    let inserted = if alignment.insert.is_empty() { 0 } else { follow_ups::insert(tx, &alignment.insert).await? };
    if inserted > 0 || alignment.made_ready() {
        follow_ups::notify(tx).await?;
    }
    Ok(())
}

fn count(verdicts: &[Verdict], deferred: usize) -> Counts {
    let ended = |state: &str| verdicts.iter().filter(|verdict| verdict.state == state).count();
    Counts { processed: ended("processed"), ignored: ended("ignored"), failed: ended("failed"), deferred }
}

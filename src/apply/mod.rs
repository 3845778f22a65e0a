//! One batch: load, fold, save. The only place where events become state.
//!
//! One batch runs at a time, over all replicas, under an advisory lock; so payments and orders need no
//! locks among batches, and history is written in commit order. The transaction begins and ends in
//! [`batch`], with no network call but the database's inside. When to run a batch and what to do when
//! one fails is decided in [`crate::processor`].

pub mod book;
mod load;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::domain::align::FollowUp;
use crate::domain::{Derived, Facts, Marks, Person, RULES};
use crate::handlers::{self, Reading};
use crate::store::follow_ups::Added;
use crate::store::ledger::{Outcome, Pending, PendingEvent, Verdict};
use crate::store::orders::HistoryRow;
use crate::store::payments::{Home, PaymentRow};
use crate::store::{follow_ups, ledger, objects, orders, payments, people, rebuilds};
use crate::stripe::object::Unreadable;
use book::Book;
use load::{Loaded, load};

/// Longer than every time-out of one statement: then the network is frozen, or all of it together too slow.
pub const LIMIT: Duration = Duration::from_secs(60);
/// So long an event waits when somebody else holds a row of its payment, in milliseconds.
const HELD_FOR: i32 = 250;

/// By what events become state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The metadata key of the merchant's order reference.
    pub order_key: String,
    /// How long before a deadline somebody is warned.
    pub marks: Marks,
    /// Of another version are facts made again, and of two processors the older stands by.
    pub version: i32,
}

impl Rules {
    /// The rules of this release, with the marks that nobody chose.
    #[must_use]
    pub fn current(order_key: &str) -> Self {
        Self { order_key: order_key.to_owned(), marks: Marks::default(), version: RULES }
    }
}

/// Which events a batch takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    /// The next that are due.
    Next,
    /// This one alone, by its place in the ledger: how a batch that failed is tried again.
    Only(i64),
    /// None, but the next payments that somebody asked to be made again from the ledger.
    Rebuilds,
    /// None, but this payment alone, by its id.
    Rebuild(String),
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Another batch is at work.
    Busy,
    /// Nothing was due.
    Idle,
    /// Events were finished, or payments made again.
    Done(Counts),
}

/// How many events of a batch ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Became state.
    pub processed: usize,
    /// Those of them of which something was passed over, since it could not be read.
    pub noted: usize,
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
    /// It did not end within its time as a whole. The connection is of no use any more.
    #[error("it took longer than {0:?}")]
    TooLong(Duration),
}

/// Takes pending events, makes them state and follow-ups, and commits once.
///
/// An event that cannot be understood is marked `failed` with the field's name and holds up nobody.
///
/// # Errors
/// [`BatchError`] when the database refuses or is away.
pub async fn batch(conn: &mut PgConnection, take: Take, rules: &Rules) -> Result<Batch, BatchError> {
    batch_within(LIMIT, conn, take, rules).await
}

/// The same, with another time limit for the whole of it.
///
/// # Errors
/// [`BatchError`], which tells what was taken also when the time is up.
pub async fn batch_within(
    limit: Duration,
    conn: &mut PgConnection,
    take: Take,
    rules: &Rules,
) -> Result<Batch, BatchError> {
    let mut taken = Vec::new();
    let done = timeout(limit, transact(conn, take, rules, &mut taken)).await;
    done.unwrap_or(Err(Cause::TooLong(limit))).map_err(|cause| BatchError { taken, cause })
}

async fn transact(conn: &mut PgConnection, take: Take, rules: &Rules, taken: &mut Vec<Taken>) -> Result<Batch, Cause> {
    let mut tx = conn.begin().await?;
    if !ledger::try_lock(&mut tx, rules.version).await? {
        tx.rollback().await?;
        return Ok(Batch::Busy);
    }
    let (pending, asked) = match take {
        Take::Next => (ledger::take(&mut tx).await?, Vec::new()),
        Take::Only(seq) => (ledger::take_one(&mut tx, seq).await?, Vec::new()),
        Take::Rebuilds => (Pending::default(), rebuilds::take(&mut tx).await?),
        Take::Rebuild(payment_id) => (Pending::default(), vec![payment_id]),
    };
    let Pending { events, stray } = pending;
    if events.is_empty() && asked.is_empty() && stray.is_empty() {
        tx.rollback().await?;
        return Ok(Batch::Idle);
    }
    if !stray.is_empty() {
        let ids = ledger::drop_stray(&mut tx, &stray).await?;
        tracing::error!(events = ?ids, "pending events are not in the ledger and cannot be processed: have Stripe send them again");
    }
    taken.extend(events.iter().map(|e| Taken { seq: e.seq, event_id: e.event_id.clone(), attempts: e.attempts }));
    let ids: Vec<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    let bodies = ledger::bodies(&mut tx, &ids).await?;
    let Read { events: read, people, notes, mut verdicts } = guarded(|| read(events, &bodies, &rules.order_key))?;
    let Loaded { book, queue, events, again, deferred } = load(&mut tx, read, &asked, rules).await?;
    let (book, history, posted) = guarded(|| post(book, &again, events, notes))?;
    verdicts.extend(posted);
    save(&mut tx, &book, queue, &history, rules.version).await?;
    people::save(&mut tx, &people).await?;
    ledger::finish(&mut tx, &verdicts).await?;
    if !deferred.is_empty() {
        ledger::defer(&mut tx, &deferred, HELD_FOR).await?;
    }
    if !asked.is_empty() {
        let held: Vec<String> = asked.into_iter().filter(|id| !again.contains(id)).collect();
        rebuilds::finish(&mut tx, &again).await?;
        rebuilds::defer(&mut tx, &held, "a row of the payment is held").await?;
    }
    tx.commit().await?;
    verdicts.iter().for_each(log);
    Ok(Batch::Done(count(&verdicts, deferred.len())))
}

/// What making payments again would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Rows of history that it would write.
    pub changes: usize,
    /// What it would ask for, by kind.
    pub asked: BTreeMap<String, usize>,
    /// What it would want for the first time and not ask for, since it is history, by kind.
    pub history: BTreeMap<String, usize>,
}

/// Makes payments again from the ledger and takes it back; none while another batch is at work.
///
/// # Errors
/// When the database refuses or is away.
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
    rebuilds::ask(&mut tx, payment_ids, Some(ask_since)).await?;
    let Loaded { book, queue, again, .. } = load(&mut tx, Vec::new(), payment_ids, rules).await?;
    let (book, history, _) = guarded(|| post(book, &again, Vec::new(), HashMap::new()))?;
    let mut rehearsal = Rehearsal { changes: history.len(), ..Rehearsal::default() };
    for Added { kind, is_history } in save(&mut tx, &book, queue, &history, rules.version).await? {
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

/// What the bodies say.
#[derive(Default)]
struct Read {
    /// The events that tell of payments.
    events: Vec<(PendingEvent, Facts)>,
    /// Who paid, as they say.
    people: Vec<Person>,
    /// What of them was passed over, by the event's id.
    notes: HashMap<String, String>,
    /// What became of the others.
    verdicts: Vec<Verdict>,
}

fn read(events: Vec<PendingEvent>, bodies: &HashMap<String, String>, order_key: &str) -> Read {
    let Read { events: mut read, mut people, mut notes, mut verdicts } = Read::default();
    for event in events {
        let Some(body) = bodies.get(&event.event_id) else {
            verdicts.push(verdict(event, Outcome::Failed, None, Some("its body is gone".to_owned())));
            continue;
        };
        match handlers::read(&event.event_id, body, order_key) {
            Ok(Reading::Facts(facts, met, odd)) => {
                people.extend(met);
                notes.extend(note(&odd).map(|note| (event.event_id.clone(), note)));
                read.push((event, facts));
            }
            Ok(Reading::Ignored(reason)) => verdicts.push(verdict(event, Outcome::Ignored, None, Some(reason))),
            Err(unreadable) => verdicts.push(verdict(event, Outcome::Failed, None, Some(unreadable.to_string()))),
        }
    }
    Read { events: read, people, notes, verdicts }
}

/// Which fields of an event that was processed were taken as absent; at most ten, for a list can hold very many.
fn note(odd: &[Unreadable]) -> Option<String> {
    let told: Vec<String> = odd.iter().take(10).map(ToString::to_string).collect();
    (!odd.is_empty()).then(|| format!("passed over: {}", told.join("; ")))
}

fn verdict(event: PendingEvent, state: Outcome, payment_id: Option<String>, last_error: Option<String>) -> Verdict {
    Verdict { event_id: event.event_id, state, payment_id, last_error }
}

/// Derives payments again, then posts events in the order received: what the history tells, and what became of each.
fn post(
    mut book: Book,
    again: &[String],
    events: Vec<(PendingEvent, Facts)>,
    mut notes: HashMap<String, String>,
) -> (Book, Vec<HistoryRow>, Vec<Verdict>) {
    let mut history = Vec::new();
    let mut verdicts = Vec::new();
    for payment_id in again {
        let changes = book.post_again(payment_id).changes;
        history.extend(changes.into_iter().map(|change| HistoryRow::of(None, payment_id, change)));
    }
    for (event, facts) in events {
        let posted = book.post(event.object_id.as_deref(), facts);
        let about = posted.payment_id.as_deref().or(event.object_id.as_deref()).unwrap_or_default();
        history.extend(posted.changes.into_iter().map(|change| HistoryRow::of(Some(&event), about, change)));
        let note = notes.remove(&event.event_id);
        verdicts.push(verdict(event, Outcome::Processed, posted.payment_id, note));
    }
    (book, history, verdicts)
}

/// Writes what differs from what is stored: what others point to before they do, and away when none does any more.
/// Returns the follow-ups that were added.
async fn save(
    tx: &mut PgConnection,
    book: &Book,
    stored: Vec<FollowUp>,
    history: &[HistoryRow],
    rules: i32,
) -> sqlx::Result<Vec<Added>> {
    orders::save(tx, &book.orders()).await?;
    save_payments(tx, book, rules).await?;
    let gone = book.gone();
    let (moved, heirs): (Vec<&str>, Vec<&str>) = book.heirs(&gone).unzip();
    if !moved.is_empty() {
        rebuilds::inherit(tx, &moved, &heirs).await?;
    }
    let added = save_follow_ups(tx, book, stored).await?;
    if !gone.is_empty() {
        follow_ups::move_own(tx, &moved, &heirs).await?;
        payments::inherit_pruned(tx, &moved, &heirs).await?;
        follow_ups::leave(tx, &gone).await?;
        payments::remove(tx, &gone).await?;
    }
    orders::remove(tx, &book.gone_orders()).await?;
    if !history.is_empty() {
        orders::append_history(tx, history).await?;
    }
    Ok(added)
}

async fn save_payments(tx: &mut PgConnection, book: &Book, rules: i32) -> sqlx::Result<()> {
    let touched: Vec<&str> = book.touched().collect();
    let rows: Vec<PaymentRow> =
        book.payments().map(|(facts, derived)| PaymentRow { payment: &derived.payment, facts, rules }).collect();
    payments::save(tx, &rows).await?;
    let homes: Vec<Home> = book.payments().flat_map(|(facts, derived)| homes(facts, derived)).collect();
    payments::save_homes(tx, &touched, &homes).await?;
    let derived: Vec<&Derived> = book.payments().map(|(_, derived)| derived).collect();
    objects::save_refunds(tx, &touched, &all(&derived, |derived| &derived.refunds)).await?;
    objects::save_disputes(tx, &touched, &all(&derived, |derived| &derived.disputes)).await?;
    objects::save_warnings(tx, &touched, &all(&derived, |derived| &derived.warnings)).await?;
    objects::save_reviews(tx, &touched, &all(&derived, |derived| &derived.reviews)).await
}

/// All objects that a payment holds or names.
fn homes<'a>(facts: &'a Facts, derived: &'a Derived) -> impl Iterator<Item = Home<'a>> {
    let payment_id = derived.payment.payment_id.as_str();
    let home = move |(object_id, kind), is_held| Home { object_id, payment_id, kind, is_held };
    let held: BTreeSet<&str> = facts.held().map(|(id, _)| id).collect();
    let named: BTreeMap<&str, &str> = facts.named().filter(|(id, _)| !held.contains(id)).collect();
    facts.held().map(move |object| home(object, true)).chain(named.into_iter().map(move |object| home(object, false)))
}

fn all<'a, T>(derived: &[&'a Derived], part: fn(&Derived) -> &[T]) -> Vec<&'a T> {
    derived.iter().flat_map(|derived| part(derived)).collect()
}

async fn save_follow_ups(tx: &mut PgConnection, book: &Book, stored: Vec<FollowUp>) -> sqlx::Result<Vec<Added>> {
    let alignment = book.align(stored);
    if !alignment.delete.is_empty() {
        follow_ups::delete(tx, &alignment.delete).await?;
    }
    if !alignment.update.is_empty() {
        follow_ups::update(tx, &alignment.update).await?;
    }
    let added =
        if alignment.insert.is_empty() { Vec::new() } else { follow_ups::insert(tx, &alignment.insert).await? };
    let mut ready = alignment.made_ready();
    ready.extend(added.iter().filter(|added| !added.is_history).map(|added| added.kind.as_str()));
    if !ready.is_empty() {
        follow_ups::notify(tx, &ready.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(added)
}

/// A line for whoever looks at the log of what became of an event that did not go through whole.
fn log(Verdict { event_id, state, last_error, .. }: &Verdict) {
    match (state, last_error) {
        (Outcome::Failed, Some(reason)) => {
            tracing::error!(event.id = event_id, reason, "event {event_id} failed: {reason}");
        }
        (Outcome::Processed, Some(note)) => tracing::info!(event.id = event_id, note, "event {event_id}: {note}"),
        (Outcome::Failed | Outcome::Processed | Outcome::Ignored, _) => {}
    }
}

fn count(verdicts: &[Verdict], deferred: usize) -> Counts {
    let ended = |state: Outcome| verdicts.iter().filter(|verdict| verdict.state == state).count();
    let noted = verdicts.iter().filter(|v| v.state == Outcome::Processed && v.last_error.is_some()).count();
    Counts {
        processed: ended(Outcome::Processed),
        noted,
        ignored: ended(Outcome::Ignored),
        failed: ended(Outcome::Failed),
        deferred,
    }
}

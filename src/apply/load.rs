//! What a batch works on: payments and their follow-ups, locked, and the rows of their orders.
//!
//! Facts that other rules made, or that cannot be read, are made again from the ledger here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::TryStreamExt;
use sqlx::PgConnection;

use super::book::{Book, Known, Stored};
use super::{Cause, Rules, guarded};
use crate::domain::Facts;
use crate::domain::align::FollowUp;
use crate::handlers::{self, Reading};
use crate::store::ledger::PendingEvent;
use crate::store::payments::StoredPayment;
use crate::store::{follow_ups, orders, payments, rebuilds};

/// Maximum payments rebuilt within a batch of events. The others are queued, and their events wait.
const MOST_PAYMENTS: usize = 20;
/// Only payments with so many events at most.
const MOST_EVENTS: i64 = 500;

/// What a batch works on.
pub(super) struct Loaded {
    pub book: Book,
    pub queue: Vec<FollowUp>,
    pub events: Vec<(PendingEvent, Facts)>,
    /// Payments to be derived again.
    pub again: Vec<String>,
    /// Events of a payment of which somebody else holds a row.
    pub deferred: Vec<i64>,
}

/// Loads and locks the payments and follow-ups that the events touch, and those to be made `again`.
pub(super) async fn load(
    tx: &mut PgConnection,
    read: Vec<(PendingEvent, Facts)>,
    again: &[String],
    rules: &Rules,
) -> Result<Loaded, Cause> {
    let named = read.iter().flat_map(|(_, facts)| facts.ids()).map(str::to_owned);
    let Locked { homes, existing, payments } =
        lock(tx, named.chain(again.iter().cloned()).collect(), again, rules).await?;
    let queue_sizes = follow_ups::counts(tx, &existing).await?;
    let queue = follow_ups::lock(tx, &existing).await?;

    let held = held(&existing, &payments, &homes, &queue_sizes, &queue);
    let is_held = |facts: &Facts| Book::concerned(facts, &homes).any(|id| held.contains(id));
    let (left, events): (Vec<_>, Vec<_>) = read.into_iter().partition(|(_, facts)| is_held(facts));
    let facts = events.iter().map(|(_, facts)| facts).chain(payments.iter().map(|payment| &payment.facts));
    let stored_refs = payments.iter().filter_map(|payment| payment.row.order_id.as_deref());
    let refs = distinct(facts.flat_map(Facts::order_refs).chain(stored_refs));
    // One that somebody else holds is not in the book, and counts in its order as it is stored.
    let in_book: Vec<String> = payments.iter().map(|payment| payment.payment_id.clone()).collect();
    let others = payments::tallies(tx, &refs, &in_book).await?;
    let orders = orders::stored(tx, &refs).await?;
    let deferred = left.into_iter().map(|(event, _)| event.seq).collect();
    let again = again.iter().filter(|id| !held.contains(*id)).cloned().collect();
    Ok(Loaded {
        book: Book::new(Stored { payments, homes, orders, others, marks: rules.marks.clone() }),
        queue,
        events,
        again,
        deferred,
    })
}

struct Locked {
    homes: HashMap<String, String>,
    existing: Vec<String>,
    payments: Vec<Known>,
}

/// Locks the payments of these objects. Made again from the ledger, one may name objects of others: then those are
/// locked too.
async fn lock(
    tx: &mut PgConnection,
    mut named: BTreeSet<String>,
    again: &[String],
    rules: &Rules,
) -> Result<Locked, Cause> {
    let mut remade: BTreeMap<String, Facts> = BTreeMap::new();
    let mut queued: BTreeSet<String> = BTreeSet::new();
    loop {
        let asked: Vec<String> = named.iter().cloned().collect();
        let homes = payments::homes(tx, &asked).await?;
        let concerned = distinct(asked.iter().chain(homes.values()).map(String::as_str));
        let existing = payments::stored(tx, &concerned).await?;
        let locked = payments::lock(tx, &existing).await?;
        for payment in &locked {
            let id = &payment.payment_id;
            let is_current = payment.rules == rules.version && payment.facts.is_some() && !again.contains(id);
            if is_current || remade.contains_key(id) || queued.contains(id) {
                continue;
            }
            let about = objects(tx, payment).await?;
            // A rebuild makes all that it needs, or two payments that name each other would wait for ever.
            if again.is_empty() && (remade.len() == MOST_PAYMENTS || is_long(tx, &about).await?) {
                queued.insert(id.clone());
                continue;
            }
            let facts = from_ledger(tx, payment, &about, rules).await?;
            named.extend(facts.ids().into_iter().map(str::to_owned));
            remade.insert(id.clone(), facts);
        }
        if named.len() == asked.len() {
            let known = locked.into_iter().filter(|payment| !queued.contains(&payment.payment_id));
            let known = known.filter_map(|StoredPayment { payment_id, facts, row, .. }| {
                let made = remade.remove(&payment_id);
                Some(Known { remade: made.is_some(), facts: made.or(facts)?, payment_id, row })
            });
            let queued: Vec<String> = queued.iter().cloned().collect();
            if !queued.is_empty() {
                rebuilds::ask(tx, &queued, None).await?;
            }
            return Ok(Locked { homes, existing, payments: known.collect() });
        }
    }
}

/// What the events of a payment may be about: all that it holds or names.
async fn objects(tx: &mut PgConnection, payment: &StoredPayment) -> Result<Vec<String>, Cause> {
    let held = rebuilds::objects_of(tx, &payment.payment_id).await?;
    let named = payment.facts.iter().flat_map(Facts::ids);
    Ok(distinct(held.iter().map(String::as_str).chain(named).chain([payment.payment_id.as_str()])))
}

async fn is_long(tx: &mut PgConnection, objects: &[String]) -> Result<bool, Cause> {
    Ok(rebuilds::count_about(tx, objects).await? > MOST_EVENTS)
}

/// What the events of the ledger say of a payment, read by today's rules and from nothing, so that what was misread
/// is retracted. Where a body is gone, joined with what is stored, if that can be read.
async fn from_ledger(
    tx: &mut PgConnection,
    payment: &StoredPayment,
    objects: &[String],
    rules: &Rules,
) -> Result<Facts, Cause> {
    let (mut facts, mut is_pruned, mut unread) = (Facts::default(), false, Vec::new());
    let mut events = rebuilds::events_about(tx, objects);
    while let Some(event) = events.try_next().await? {
        let Some(body) = event.payload else {
            is_pruned = true;
            continue;
        };
        match guarded(|| handlers::read(&event.event_id, &body, &rules.order_key))? {
            Ok(Reading::Facts(seen, ..)) => facts.join(seen),
            Ok(Reading::Ignored(reason)) => unread.push((event.event_id, format!("passed over: {reason}"))),
            Err(unreadable) => unread.push((event.event_id, format!("passed over: {unreadable}"))),
        }
    }
    drop(events);
    rebuilds::note_unread(tx, &unread).await?;
    let mut stored = payment.facts.clone().filter(|_| is_pruned).unwrap_or_default();
    stored.join(facts);
    Ok(stored)
}

fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    ids.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}

/// Payments of which a row exists that could not be locked, or that wait to be made again; and those whose facts name
/// such a one.
fn held(
    existing: &[String],
    known: &[Known],
    homes: &HashMap<String, String>,
    sizes: &[(String, i64)],
    queue: &[FollowUp],
) -> BTreeSet<String> {
    let ids: BTreeSet<&str> = known.iter().map(|payment| payment.payment_id.as_str()).collect();
    let mut rows: HashMap<&str, i64> = HashMap::new();
    for row in queue {
        *rows.entry(&row.payment_id).or_default() += 1;
    }
    let payments = existing.iter().filter(|id| !ids.contains(id.as_str()));
    let queues = sizes.iter().filter(|(id, count)| rows.get(id.as_str()).copied().unwrap_or(0) < *count);
    let mut held: BTreeSet<String> = payments.chain(queues.map(|(id, _)| id)).cloned().collect();
    loop {
        let names_held = |payment: &&Known| {
            !held.contains(&payment.payment_id) && Book::concerned(&payment.facts, homes).any(|id| held.contains(id))
        };
        let more: Vec<String> = known.iter().filter(names_held).map(|payment| payment.payment_id.clone()).collect();
        if more.is_empty() {
            return held;
        }
        held.extend(more);
    }
}

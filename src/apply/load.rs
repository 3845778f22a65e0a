//! Loads what a batch works on: payments and their follow-ups, locked, and the rows of their orders.
//!
//! Facts that were made by other rules, or that cannot be read, are rebuilt from the ledger here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::TryStreamExt;
use sqlx::PgConnection;

use super::working_set::{LoadedPayment, Stored, WorkingSet};
use super::{Cause, ReadEvent, Rules, guarded};
use crate::domain::Facts;
use crate::domain::reconcile::FollowUp;
use crate::handlers::{self, Reading};
use crate::store::payments::StoredPayment;
use crate::store::{follow_ups, orders, payments, rebuilds};

/// Maximum payments rebuilt within a batch of events. The others are queued, and their events wait.
const MOST_PAYMENTS: usize = 20;
/// Payments with more events than this are queued too.
const MOST_EVENTS: i64 = 500;

/// What a batch works on.
pub(super) struct Loaded {
    pub set: WorkingSet,
    /// The locked follow-ups of its payments.
    pub queue: Vec<FollowUp>,
    pub events: Vec<ReadEvent>,
    /// The payments to derive again.
    pub rebuild: Vec<String>,
    /// `seq` of the events of a payment of which another transaction holds a row.
    pub deferred: Vec<i64>,
}

/// Loads and locks the payments and follow-ups that the events concern, and the payments to `rebuild`.
pub(super) async fn load(
    tx: &mut PgConnection,
    events: Vec<ReadEvent>,
    rebuild: &[String],
    rules: &Rules,
) -> Result<Loaded, Cause> {
    let named = events.iter().flat_map(|event| event.facts.ids()).map(str::to_owned);
    let Locked { owners, existing, payments } =
        lock(tx, named.chain(rebuild.iter().cloned()).collect(), rebuild, rules).await?;
    let queue_sizes = follow_ups::counts(tx, &existing).await?;
    let queue = follow_ups::lock(tx, &existing).await?;

    let held = held(&existing, &payments, &owners, &queue_sizes, &queue);
    let is_held = |facts: &Facts| WorkingSet::affected(facts, &owners).any(|id| held.contains(id));
    let (deferred, events): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| is_held(&event.facts));
    let facts = events.iter().map(|event| &event.facts).chain(payments.iter().map(|payment| &payment.facts));
    let stored_refs = payments.iter().filter_map(|payment| payment.row.order_id.as_deref());
    let refs = distinct(facts.flat_map(Facts::order_refs).chain(stored_refs));
    // A held payment is not in the working set, and counts in its order as it is stored.
    let loaded: Vec<String> = payments.iter().map(|payment| payment.payment_id.clone()).collect();
    let others = payments::tallies(tx, &refs, &loaded).await?;
    let orders = orders::stored(tx, &refs).await?;
    Ok(Loaded {
        set: WorkingSet::new(Stored { payments, owners, orders, others, marks: rules.marks.clone() }),
        queue,
        events,
        rebuild: rebuild.iter().filter(|id| !held.contains(*id)).cloned().collect(),
        deferred: deferred.into_iter().map(|event| event.event.seq).collect(),
    })
}

struct Locked {
    owners: HashMap<String, String>,
    existing: Vec<String>,
    payments: Vec<LoadedPayment>,
}

/// Locks the payments of these objects. A rebuilt payment may name objects of others: then those are locked too.
async fn lock(
    tx: &mut PgConnection,
    mut named: BTreeSet<String>,
    rebuild: &[String],
    rules: &Rules,
) -> Result<Locked, Cause> {
    let mut rebuilt: BTreeMap<String, Facts> = BTreeMap::new();
    let mut queued: BTreeSet<String> = BTreeSet::new();
    loop {
        let asked: Vec<String> = named.iter().cloned().collect();
        let owners = payments::owners(tx, &asked).await?;
        let affected = distinct(asked.iter().chain(owners.values()).map(String::as_str));
        let existing = payments::stored(tx, &affected).await?;
        let locked = payments::lock(tx, &existing).await?;
        for payment in &locked {
            let id = &payment.payment_id;
            let is_current = payment.rules == rules.version && payment.facts.is_some() && !rebuild.contains(id);
            if is_current || rebuilt.contains_key(id) || queued.contains(id) {
                continue;
            }
            let about = objects(tx, payment).await?;
            // A requested rebuild rebuilds all it needs, else two payments that name each other would wait for ever.
            if rebuild.is_empty() && (rebuilt.len() == MOST_PAYMENTS || is_long(tx, &about).await?) {
                queued.insert(id.clone());
                continue;
            }
            let facts = from_ledger(tx, payment, &about, rules).await?;
            named.extend(facts.ids().into_iter().map(str::to_owned));
            rebuilt.insert(id.clone(), facts);
        }
        if named.len() == asked.len() {
            let loaded = locked.into_iter().filter(|payment| !queued.contains(&payment.payment_id));
            let loaded = loaded.filter_map(|StoredPayment { payment_id, facts, row, .. }| {
                let from_ledger = rebuilt.remove(&payment_id);
                Some(LoadedPayment { rebuilt: from_ledger.is_some(), facts: from_ledger.or(facts)?, payment_id, row })
            });
            let queued: Vec<String> = queued.iter().cloned().collect();
            if !queued.is_empty() {
                rebuilds::request(tx, &queued, None).await?;
            }
            return Ok(Locked { owners, existing, payments: loaded.collect() });
        }
    }
}

/// The objects that a payment owns or names: its events are about these.
async fn objects(tx: &mut PgConnection, payment: &StoredPayment) -> Result<Vec<String>, Cause> {
    let held = rebuilds::objects_of(tx, &payment.payment_id).await?;
    let named = payment.facts.iter().flat_map(Facts::ids);
    Ok(distinct(held.iter().map(String::as_str).chain(named).chain([payment.payment_id.as_str()])))
}

async fn is_long(tx: &mut PgConnection, objects: &[String]) -> Result<bool, Cause> {
    Ok(rebuilds::count_about(tx, objects).await? > MOST_EVENTS)
}

/// Rebuilds a payment's facts from the events of the ledger, by today's rules and from nothing, so that what was
/// misread is retracted. Where a body was pruned, the stored facts are joined in, if they can be read.
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
            Ok(Reading::Ignored(reason)) => unread.push((event.event_id, format!("counts no longer: {reason}"))),
            Err(unreadable) => unread.push((event.event_id, format!("counts no longer: {unreadable}"))),
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

/// The payments that this batch must leave alone: those with a row that could not be locked, those queued for a
/// rebuild, and those whose facts name such a payment.
fn held(
    existing: &[String],
    loaded: &[LoadedPayment],
    owners: &HashMap<String, String>,
    sizes: &[(String, i64)],
    queue: &[FollowUp],
) -> BTreeSet<String> {
    let ids: BTreeSet<&str> = loaded.iter().map(|payment| payment.payment_id.as_str()).collect();
    let mut rows: HashMap<&str, i64> = HashMap::new();
    for row in queue {
        *rows.entry(&row.content.payment_id).or_default() += 1;
    }
    let payments = existing.iter().filter(|id| !ids.contains(id.as_str()));
    let queues = sizes.iter().filter(|(id, count)| rows.get(id.as_str()).copied().unwrap_or(0) < *count);
    let mut held: BTreeSet<String> = payments.chain(queues.map(|(id, _)| id)).cloned().collect();
    loop {
        let names_held = |payment: &&LoadedPayment| {
            !held.contains(&payment.payment_id)
                && WorkingSet::affected(&payment.facts, owners).any(|id| held.contains(id))
        };
        let more: Vec<String> = loaded.iter().filter(names_held).map(|payment| payment.payment_id.clone()).collect();
        if more.is_empty() {
            return held;
        }
        held.extend(more);
    }
}

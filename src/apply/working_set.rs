//! The working set: the payments of one batch in memory. Events are folded into it one after another; then it gives
//! the rows to store and the history to record. Pure; [`super`] loads and saves.
//!
//! Changes are found by comparing with the stored rows, never with what today's rules would derive from stored facts:
//! an older release may have derived those rows differently.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::history::{self, Change, PaymentStanding, Standing, Subject};
use crate::domain::reconcile::{FollowUp, QueueChanges, reconcile, retracted};
use crate::domain::{Derived, Desired, Facts, Marks, Order, OrderKey, Payment, Read, Tally, derive_with, order};

/// A payment as stored, or as rebuilt from the ledger.
#[derive(Clone, Debug)]
pub struct LoadedPayment {
    /// Its id.
    pub payment_id: String,
    /// The facts known of it.
    pub facts: Facts,
    /// Its stored row.
    pub row: PaymentStanding,
    /// Its facts were rebuilt from the ledger in this batch.
    pub rebuilt: bool,
}

/// What a batch loads from the database.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The payments that its events concern.
    pub payments: Vec<LoadedPayment>,
    /// The payment that owns each object named by its events.
    pub owners: HashMap<String, String>,
    /// The stored rows of the orders that its events may change.
    pub orders: Vec<Order>,
    /// The sums of the payments of these orders that are not among `payments`.
    pub others: BTreeMap<OrderKey, Tally>,
    /// How long before an evidence deadline a warning is due.
    pub marks: Marks,
}

/// The effect of folding in one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// The payment the event is about; none for an object that names no payment yet.
    pub payment_id: Option<String>,
    /// The history to record, in this order.
    pub changes: Vec<Change>,
    /// What to read from Stripe.
    pub reads: Vec<Read>,
}

/// The payments of a batch by id, with what it takes to find them and to add up their orders.
#[derive(Clone, Debug, Default)]
pub struct WorkingSet {
    facts: BTreeMap<String, Facts>,
    rows: BTreeMap<String, PaymentStanding>,
    /// Of the payments that events touched.
    derived: BTreeMap<String, Derived>,
    owners: HashMap<String, String>,
    members: BTreeMap<OrderKey, BTreeSet<String>>,
    others: BTreeMap<OrderKey, Tally>,
    /// The last standing in the history.
    recorded: BTreeMap<Subject, Standing>,
    touched: BTreeSet<String>,
    touched_orders: BTreeSet<OrderKey>,
    marks: Marks,
    /// Kind, subject and round of the follow-ups that rebuilt payments desire without the events of this batch.
    desired_by_rebuild: BTreeSet<(String, String, String)>,
    /// One object of each payment that was merged away: its owner is the successor.
    former_objects: BTreeMap<String, String>,
}

impl WorkingSet {
    /// A working set of what was loaded.
    #[must_use]
    pub fn new(stored: Stored) -> Self {
        let mut set = Self { owners: stored.owners, others: stored.others, marks: stored.marks, ..Self::default() };
        let orders = stored.orders.iter().map(|order| (Subject::Order(order.key.clone()), Standing::from(order)));
        set.recorded.extend(orders);
        for LoadedPayment { payment_id, facts, row, rebuilt } in stored.payments {
            if rebuilt {
                let desired = derive_with(&payment_id, &facts, &set.marks).desired;
                set.desired_by_rebuild.extend(desired.into_iter().map(|d| (d.kind.to_owned(), d.subject, d.round)));
            }
            if row.is_unlinked() {
                set.recorded.insert(Subject::Payment(payment_id.clone()), row.standing.clone());
            }
            set.insert(&payment_id, facts, row);
        }
        set
    }

    /// The ids of the stored payments that facts may affect: they must be loaded before the facts are folded in.
    pub fn affected<'a>(facts: &'a Facts, owners: &'a HashMap<String, String>) -> impl Iterator<Item = &'a str> {
        facts.ids().into_iter().flat_map(|id| [Some(id), owners.get(id).map(String::as_str)]).flatten()
    }

    /// Folds in the facts of one event about `object_id`.
    pub fn fold(&mut self, object_id: Option<&str>, facts: Facts) -> Folded {
        let affected = Self::affected(&facts, &self.owners).map(str::to_owned).collect();
        self.merge(object_id, affected, facts)
    }

    /// Derives a payment again from what is known of it.
    pub fn rederive(&mut self, payment_id: &str) -> Folded {
        self.merge(Some(payment_id), [payment_id.to_owned()].into(), Facts::default())
    }

    fn merge(&mut self, object_id: Option<&str>, mut affected: BTreeSet<String>, facts: Facts) -> Folded {
        let mut joined = Facts::default();
        let mut subjects = BTreeSet::new();
        while let Some(id) = affected.pop_first() {
            let Some((known, row)) = self.remove(&id) else { continue };
            // A rebuilt payment may own objects that are still stored with another one.
            affected.extend(Self::affected(&known, &self.owners).map(str::to_owned));
            subjects.extend(row.subject(&id));
            joined.join(known);
        }
        let mut reads = joined.contradicted_by(&facts);
        let seen: BTreeSet<String> = facts.held_ids().cloned().collect();
        joined.join(facts);
        let after: Vec<String> = joined.by_payment().into_iter().map(|(id, facts)| self.put(id, facts)).collect();
        subjects.extend(after.iter().filter_map(|id| self.rows[id].subject(id)));
        reads.extend(after.iter().flat_map(|id| self.facts[id].missing_for(&seen)));
        let owner = object_id.and_then(|id| self.owners.get(id)).or_else(|| after.first()).cloned();
        Folded {
            payment_id: owner.filter(|id| self.rows.get(id).is_some_and(|row| !row.orphan)),
            changes: self.record(subjects),
            reads,
        }
    }

    /// The payments to store: all that events touched, with what is derived from them.
    pub fn payments(&self) -> impl Iterator<Item = (&Facts, &Derived)> {
        self.derived.iter().filter_map(|(id, derived)| Some((self.facts.get(id)?, derived)))
    }

    /// Every payment that events touched, including those that were merged away.
    pub fn touched(&self) -> impl Iterator<Item = &str> {
        self.touched.iter().map(String::as_str)
    }

    /// The payments that were merged away.
    #[must_use]
    pub fn removed(&self) -> Vec<&str> {
        self.touched().filter(|id| !self.facts.contains_key(*id)).collect()
    }

    /// Each removed payment with its successor.
    pub fn successors<'a>(&'a self, removed: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        removed.iter().filter_map(|id| Some((*id, self.successor(id)?)))
    }

    /// The orders to store.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        self.touched_orders.iter().filter_map(|key| self.order(key)).collect()
    }

    /// The orders that have no payment left.
    #[must_use]
    pub fn removed_orders(&self) -> Vec<&OrderKey> {
        self.touched_orders.iter().filter(|key| self.order(key).is_none()).collect()
    }

    /// Brings the stored follow-ups of the touched payments in line with the desired ones.
    #[must_use]
    pub fn reconcile(&self, stored: Vec<FollowUp>) -> QueueChanges {
        let is_touched = |row: &FollowUp| self.touched.contains(&row.content.payment_id);
        let touched: Vec<FollowUp> = stored.into_iter().filter(is_touched).collect();
        let retracted = self.retracted(&touched);
        let desired: Vec<(&Payment, &Desired)> = (self.derived.values())
            .flat_map(|derived| derived.desired.iter().map(|desired| (&derived.payment, desired)))
            .chain(retracted.iter().map(|(payment, desired)| (*payment, desired)))
            .collect();
        let owner = |id: &str| self.successor(id).map(|successor| &self.derived[successor].payment);
        let mut changes = reconcile(touched, &desired, owner);
        for row in &mut changes.insert {
            row.by_rebuild = self.desired_by_rebuild.contains(&row.content.key());
        }
        changes
    }

    /// Releases of holds that rested on something that was misread.
    fn retracted(&self, touched: &[FollowUp]) -> Vec<(&Payment, Desired)> {
        let mut rows: BTreeMap<&str, Vec<&FollowUp>> = BTreeMap::new();
        for row in touched {
            rows.entry(self.successor(&row.content.payment_id).unwrap_or_default()).or_default().push(row);
        }
        let of = |id: &str| rows.get(id).map_or(&[][..], Vec::as_slice);
        (self.derived.iter())
            .map(|(id, derived)| (&derived.payment, retracted(derived, &self.facts[id], of(id))))
            .flat_map(|(payment, desired)| desired.into_iter().map(move |desired| (payment, desired)))
            .collect()
    }

    /// The payment that a touched one is now: itself, or its successor.
    fn successor<'a>(&'a self, payment_id: &'a str) -> Option<&'a str> {
        let moved = || self.owners.get(self.former_objects.get(payment_id)?);
        let here = self.derived.contains_key(payment_id).then_some(payment_id);
        here.or_else(|| moved().map(String::as_str).filter(|id| self.derived.contains_key(*id)))
    }

    /// How these subjects changed since the last record of them.
    fn record(&mut self, subjects: BTreeSet<Subject>) -> Vec<Change> {
        let orders = subjects.iter().filter_map(|subject| match subject {
            Subject::Order(key) => Some(key.clone()),
            Subject::Payment(_) => None,
        });
        self.touched_orders.extend(orders);
        let mut recorded = std::mem::take(&mut self.recorded);
        let changes = history::changes(&mut recorded, subjects, |subject| self.standing(subject));
        self.recorded = recorded;
        changes
    }

    fn standing(&self, subject: &Subject) -> Option<Standing> {
        match subject {
            Subject::Order(key) => self.order(key).as_ref().map(Standing::from),
            Subject::Payment(id) => self.rows.get(id).filter(|row| row.is_unlinked()).map(|row| row.standing.clone()),
        }
    }

    /// Derives a payment and adds it; returns its id.
    fn put(&mut self, payment_id: String, facts: Facts) -> String {
        let derived = derive_with(&payment_id, &facts, &self.marks);
        self.insert(&payment_id, facts, PaymentStanding::from(&derived.payment));
        self.derived.insert(payment_id.clone(), derived);
        self.touched.insert(payment_id.clone());
        payment_id
    }

    fn insert(&mut self, payment_id: &str, facts: Facts, row: PaymentStanding) {
        for object in facts.held_ids() {
            self.owners.insert(object.clone(), payment_id.to_owned());
        }
        for (object, _) in facts.named() {
            self.owners.entry(object.to_owned()).or_insert_with(|| payment_id.to_owned());
        }
        if let Some(key) = row.order_key() {
            self.members.entry(key).or_default().insert(payment_id.to_owned());
        }
        self.facts.insert(payment_id.to_owned(), facts);
        self.rows.insert(payment_id.to_owned(), row);
    }

    fn remove(&mut self, payment_id: &str) -> Option<(Facts, PaymentStanding)> {
        let facts = self.facts.remove(payment_id)?;
        let row = self.rows.remove(payment_id)?;
        if let Some(members) = row.order_key().and_then(|key| self.members.get_mut(&key)) {
            members.remove(payment_id);
        }
        self.derived.remove(payment_id);
        self.touched.insert(payment_id.to_owned());
        // Its own id may never have been an object: then one that it owned leads to the successor.
        self.former_objects.extend(facts.held_ids().next().map(|object| (payment_id.to_owned(), object.clone())));
        Some((facts, row))
    }

    fn order(&self, key: &OrderKey) -> Option<Order> {
        let members = self.members.get(key).into_iter().flatten().map(|id| self.rows[id].tally());
        Some(order(key, members.chain(self.others.get(key).cloned()).reduce(Tally::plus)?))
    }
}

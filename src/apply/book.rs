//! The payments of one batch in memory: events are folded in one after another, and the book says what is
//! to be stored and what the history tells of it. Pure; loading and saving is done in [`super`].
//!
//! What changed is found against the rows as they are stored, never against what today's rules would have made of
//! stored facts: an older release may have derived them differently.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::align::{Alignment, Asked, FollowUp, Place, align, retracted};
use crate::domain::history::{self, Change, PaymentStanding, Standing, Subject};
use crate::domain::{Derived, Facts, Marks, Order, OrderKey, Tally, Wanted, derive_with, order};

/// A payment as it is stored, or as the ledger says that it is.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its id.
    pub payment_id: String,
    /// What was seen.
    pub facts: Facts,
    /// What its row shows.
    pub row: PaymentStanding,
    /// The facts were made again from the ledger just now.
    pub remade: bool,
}

/// What of the database a batch works on.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The payments that its events touch.
    pub payments: Vec<Known>,
    /// The payment of each object that its events name.
    pub homes: HashMap<String, String>,
    /// The orders that its events may touch, as their rows are.
    pub orders: Vec<Order>,
    /// What the payments of these orders that are not among `payments` add up to.
    pub others: BTreeMap<OrderKey, Tally>,
    /// How long before a deadline somebody is warned.
    pub marks: Marks,
}

/// What folding in one event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The payment the event was about; none for an object that names no payment yet.
    pub payment_id: Option<String>,
    /// What the history tells of it, in this order.
    pub changes: Vec<Change>,
}

/// Payments by id, with what is needed to find them and to add up their orders.
#[derive(Clone, Debug, Default)]
pub struct Book {
    facts: BTreeMap<String, Facts>,
    rows: BTreeMap<String, PaymentStanding>,
    /// What was derived of the payments that events touched.
    derived: BTreeMap<String, Derived>,
    homes: HashMap<String, String>,
    members: BTreeMap<OrderKey, BTreeSet<String>>,
    others: BTreeMap<OrderKey, Tally>,
    told: BTreeMap<Subject, Standing>,
    touched: BTreeSet<String>,
    touched_orders: BTreeSet<OrderKey>,
    marks: Marks,
    /// Kind, subject and round of what payments that were made again ask for without the events of now.
    remade: BTreeSet<(String, String, String)>,
    /// An object of each payment that is no more: its home now is the payment that took its place.
    traces: BTreeMap<String, String>,
}

impl Book {
    /// A book of what is stored.
    #[must_use]
    pub fn new(stored: Stored) -> Self {
        let mut book = Self { homes: stored.homes, others: stored.others, marks: stored.marks, ..Self::default() };
        let orders = stored.orders.iter().map(|order| (Subject::Order(order.key.clone()), Standing::from(order)));
        book.told.extend(orders);
        for Known { payment_id, facts, row, remade } in stored.payments {
            if remade {
                let wanted = derive_with(&payment_id, &facts, &book.marks).wanted;
                book.remade.extend(wanted.into_iter().map(|w| (w.kind.to_owned(), w.subject, w.round)));
            }
            if row.is_unlinked() {
                book.told.insert(Subject::Payment(payment_id.clone()), row.standing.clone());
            }
            book.insert(&payment_id, facts, row);
        }
        book
    }

    /// The stored payments that facts may touch, by id: to be loaded before they are folded in.
    pub fn concerned<'a>(facts: &'a Facts, homes: &'a HashMap<String, String>) -> impl Iterator<Item = &'a str> {
        facts.ids().into_iter().flat_map(|id| [Some(id), homes.get(id).map(String::as_str)]).flatten()
    }

    /// Folds in the facts of one event about `object_id`.
    pub fn post(&mut self, object_id: Option<&str>, facts: Facts) -> Posted {
        let concerned = Self::concerned(&facts, &self.homes).map(str::to_owned).collect();
        self.fold(object_id, concerned, facts)
    }

    /// Derives a payment again from what is known of it.
    pub fn post_again(&mut self, payment_id: &str) -> Posted {
        self.fold(Some(payment_id), [payment_id.to_owned()].into(), Facts::default())
    }

    fn fold(&mut self, object_id: Option<&str>, mut concerned: BTreeSet<String>, facts: Facts) -> Posted {
        let mut joined = Facts::default();
        let mut subjects = BTreeSet::new();
        while let Some(id) = concerned.pop_first() {
            let Some((known, row)) = self.remove(&id) else { continue };
            // Made again from the ledger, it may hold what stands at another payment.
            concerned.extend(Self::concerned(&known, &self.homes).map(str::to_owned));
            subjects.extend(row.subject(&id));
            joined.join(known);
        }
        joined.join(facts);
        let after: Vec<String> = joined.by_payment().into_iter().map(|(id, facts)| self.put(id, facts)).collect();
        subjects.extend(after.iter().filter_map(|id| self.rows[id].subject(id)));
        let home = object_id.and_then(|id| self.homes.get(id)).or_else(|| after.first()).cloned();
        Posted {
            payment_id: home.filter(|id| self.rows.get(id).is_some_and(|row| !row.orphan)),
            changes: self.tell(subjects),
        }
    }

    /// Payments to be stored: all that events touched, with what is derived of them.
    pub fn payments(&self) -> impl Iterator<Item = (&Facts, &Derived)> {
        self.derived.iter().filter_map(|(id, derived)| Some((self.facts.get(id)?, derived)))
    }

    /// Every payment that events touched, those that are no more among them.
    pub fn touched(&self) -> impl Iterator<Item = &str> {
        self.touched.iter().map(String::as_str)
    }

    /// Payments that are no more.
    #[must_use]
    pub fn gone(&self) -> Vec<&str> {
        self.touched().filter(|id| !self.facts.contains_key(*id)).collect()
    }

    /// Of payments that are no more: each with the one that took its place.
    pub fn heirs<'a>(&'a self, gone: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        gone.iter().filter_map(|id| Some((*id, self.heir(id)?)))
    }

    /// Orders to be stored.
    #[must_use]
    pub fn orders(&self) -> Vec<Order> {
        self.touched_orders.iter().filter_map(|key| self.order(key)).collect()
    }

    /// Orders of which no payment is left.
    #[must_use]
    pub fn gone_orders(&self) -> Vec<&OrderKey> {
        self.touched_orders.iter().filter(|key| self.order(key).is_none()).collect()
    }

    /// Brings the stored follow-ups of what was touched in line with what is wanted now.
    #[must_use]
    pub fn align(&self, stored: Vec<FollowUp>) -> Alignment {
        let touched: Vec<FollowUp> = stored.into_iter().filter(|row| self.touched.contains(&row.payment_id)).collect();
        let mut of: BTreeMap<&str, Vec<&FollowUp>> = BTreeMap::new();
        for row in &touched {
            of.entry(self.heir(&row.payment_id).unwrap_or_default()).or_default().push(row);
        }
        let retracted: Vec<(&Derived, Vec<Wanted>)> = (self.derived.iter())
            .map(|(id, derived)| {
                (derived, retracted(derived, &self.facts[id], of.get(id.as_str()).map_or(&[], Vec::as_slice)))
            })
            .collect();
        let asked: Vec<Asked> = (retracted.iter())
            .flat_map(|(derived, retracted)| {
                let place = Place::of(&derived.payment);
                derived.wanted.iter().chain(retracted).map(move |wanted| Asked { place, wanted })
            })
            .collect();
        let mut alignment =
            align(touched, &asked, |id| self.heir(id).map(|heir| Place::of(&self.derived[heir].payment)));
        for row in &mut alignment.insert {
            row.by_rebuild = self.remade.contains(&(row.kind.clone(), row.subject.clone(), row.round.clone()));
        }
        alignment
    }

    /// The payment that a touched one is now: itself, or the one that took its place.
    fn heir<'a>(&'a self, payment_id: &'a str) -> Option<&'a str> {
        let moved = || self.homes.get(self.traces.get(payment_id)?);
        let here = self.derived.contains_key(payment_id).then_some(payment_id);
        here.or_else(|| moved().map(String::as_str).filter(|id| self.derived.contains_key(*id)))
    }

    /// How things stand now, told once.
    fn tell(&mut self, subjects: BTreeSet<Subject>) -> Vec<Change> {
        let orders = subjects.iter().filter_map(|subject| match subject {
            Subject::Order(key) => Some(key.clone()),
            Subject::Payment(_) => None,
        });
        self.touched_orders.extend(orders);
        let mut told = std::mem::take(&mut self.told);
        let changes = history::changes(&mut told, subjects, |subject| self.standing(subject));
        self.told = told;
        changes
    }

    fn standing(&self, subject: &Subject) -> Option<Standing> {
        match subject {
            Subject::Order(key) => self.order(key).as_ref().map(Standing::from),
            Subject::Payment(id) => self.rows.get(id).filter(|row| row.is_unlinked()).map(|row| row.standing.clone()),
        }
    }

    /// Derives a payment and puts it into the book; returns its id.
    fn put(&mut self, payment_id: String, facts: Facts) -> String {
        let derived = derive_with(&payment_id, &facts, &self.marks);
        self.insert(&payment_id, facts, PaymentStanding::from(&derived.payment));
        self.derived.insert(payment_id.clone(), derived);
        self.touched.insert(payment_id.clone());
        payment_id
    }

    fn insert(&mut self, payment_id: &str, facts: Facts, row: PaymentStanding) {
        for object in facts.held_ids() {
            self.homes.insert(object.clone(), payment_id.to_owned());
        }
        for (object, _) in facts.named() {
            self.homes.entry(object.to_owned()).or_insert_with(|| payment_id.to_owned());
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
        // Its own id may have been a name only, never an object: then what it held shows the way.
        self.traces.extend(facts.held_ids().next().map(|object| (payment_id.to_owned(), object.clone())));
        Some((facts, row))
    }

    fn order(&self, key: &OrderKey) -> Option<Order> {
        let members = self.members.get(key).into_iter().flatten().map(|id| self.rows[id].tally());
        Some(order(key, members.chain(self.others.get(key).cloned()).reduce(Tally::plus)?))
    }
}

//! The payments of one batch in memory: events are posted one after another, and the book says what
//! changed. Pure; loading and saving is done in [`super`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::align::{Alignment, Asked, FollowUp, Place, align};
use crate::domain::{
    Derived, DisputeState, Facts, Order, OrderKey, Payment, RefundState, ReviewState, Scope, State, Tally,
    WarningState, derive, order,
};

/// A payment's facts and what they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was seen.
    pub facts: Facts,
    /// What it adds up to.
    pub derived: Derived,
}

/// A change of an order's state, or of a payment's while it is unlinked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// None while the payment is unlinked.
    pub order_id: Option<String>,
    /// The payment that the event was about.
    pub payment_id: String,
    /// Account and mode of the order or payment.
    pub scope: Scope,
    /// Its currency, once known.
    pub currency: Option<String>,
    /// None for the first state.
    pub from: Option<State>,
    /// An order that lost its last payment is `unknown`.
    pub to: State,
}

/// What posting one event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The payment the event was about; none for an object that names no payment yet.
    pub payment_id: Option<String>,
    /// State changes, in the order of their keys.
    pub transitions: Vec<Transition>,
}

/// Payments by id, with what is needed to find and compare them.
#[derive(Clone, Debug, Default)]
pub struct Book {
    entries: BTreeMap<String, Entry>,
    /// The payment each object belongs to, for objects that are not in the payment of their own id.
    homes: HashMap<String, String>,
    orders: BTreeMap<OrderKey, BTreeSet<String>>,
    /// What the payments that are not in the book add up to, for orders that events here may touch.
    others: BTreeMap<OrderKey, Tally>,
    loaded: BTreeMap<String, Entry>,
    loaded_orders: BTreeMap<OrderKey, Order>,
    touched: BTreeSet<String>,
    /// Payments to be written though nothing of them differs.
    anew: BTreeSet<String>,
}

/// Everything that differs from what was loaded.
#[derive(Debug)]
pub struct Changes<'a> {
    /// Payments that are new or whose facts differ, with what was loaded of them.
    pub payments: Vec<(&'a Entry, Option<&'a Entry>)>,
    /// Payments that are no more: what they held belongs to others now.
    pub gone: Vec<&'a str>,
    /// Orders that are new or differ.
    pub orders: Vec<Order>,
    /// Orders that lost their last payment.
    pub gone_orders: Vec<&'a OrderKey>,
}

impl Book {
    /// A book of the stored payments that the batch may touch, the payment of each object that it names,
    /// and what all others of the orders concerned add up to.
    #[must_use]
    pub fn new(
        stored: impl IntoIterator<Item = (String, Facts)>,
        homes: HashMap<String, String>,
        others: BTreeMap<OrderKey, Tally>,
    ) -> Self {
        let mut book = Self { homes, others, ..Self::default() };
        for (payment_id, facts) in stored {
            book.insert(&payment_id, Entry::new(&payment_id, facts));
        }
        book.loaded = book.entries.clone();
        let keys = book.orders.keys().chain(book.others.keys());
        book.loaded_orders = keys.filter_map(|key| Some((key.clone(), book.order(key)?))).collect();
        book
    }

    /// The stored payments that facts may touch, by id: to be loaded before posting.
    pub fn concerned<'a>(facts: &'a Facts, homes: &'a HashMap<String, String>) -> impl Iterator<Item = &'a str> {
        facts.ids().into_iter().flat_map(|id| [Some(id), homes.get(id).map(String::as_str)]).flatten()
    }

    /// Joins the facts of one event about `object_id`.
    pub fn post(&mut self, object_id: Option<&str>, facts: Facts) -> Posted {
        let concerned: BTreeSet<String> = Self::concerned(&facts, &self.homes).map(str::to_owned).collect();
        let before: BTreeMap<String, Entry> =
            concerned.into_iter().filter_map(|id| Some((id.clone(), self.entries.get(&id)?.clone()))).collect();
        let mut joined = Facts::default();
        for known in before.values().map(|entry| entry.facts.clone()).chain([facts]) {
            joined.join(known);
        }
        let after: BTreeMap<String, Entry> =
            joined.by_payment().into_iter().map(|(id, facts)| (id.clone(), Entry::new(&id, facts))).collect();
        let orders = self.replace(&before, &after);
        let home = object_id.and_then(|id| self.homes.get(id)).or_else(|| after.keys().next()).cloned();
        let home = home.filter(|id| after.get(id).is_some_and(|entry| !entry.derived.payment.orphan));
        let mut transitions = home.as_deref().map(|home| order_transitions(&orders, home)).unwrap_or_default();
        transitions.extend(payment_transitions(&before, &after));
        Posted { payment_id: home, transitions }
    }

    /// Joins an event that somebody asked for again: what it is about is written though nothing differs, which
    /// mends rows that were altered by hand, or derived by an older release.
    pub fn post_again(&mut self, object_id: Option<&str>, facts: Facts) -> Posted {
        let named: Vec<String> = facts.ids().into_iter().map(str::to_owned).collect();
        let posted = self.post(object_id, facts);
        let homes = named.iter().map(|id| self.homes.get(id).unwrap_or(id)).filter(|id| self.entries.contains_key(*id));
        self.anew.extend(homes.cloned());
        posted
    }

    /// Everything that differs from what was loaded, or is to be written anew.
    #[must_use]
    pub fn changes(&self) -> Changes<'_> {
        let differs = |id: &&String| self.anew.contains(*id) || self.entries.get(*id) != self.loaded.get(*id);
        let loaded = |id: &String| self.loaded.get(id).filter(|_| !self.anew.contains(id));
        let touched: Vec<&String> = self.touched.iter().filter(differs).collect();
        let keys: BTreeSet<OrderKey> = (touched.iter())
            .flat_map(|id| [self.entries.get(*id), self.loaded.get(*id)])
            .flatten()
            .filter_map(|entry| entry.derived.payment.order_key())
            .collect();
        let anew: BTreeSet<OrderKey> =
            self.anew.iter().filter_map(|id| self.entries.get(id)?.derived.payment.order_key()).collect();
        let orders = keys.iter().filter_map(|key| self.order(key));
        let changed = |order: &Order| anew.contains(&order.key) || self.loaded_orders.get(&order.key) != Some(order);
        Changes {
            payments: touched.iter().filter_map(|id| Some((self.entries.get(*id)?, loaded(id)))).collect(),
            gone: touched.iter().filter(|id| !self.entries.contains_key(**id)).map(|id| id.as_str()).collect(),
            gone_orders: self.loaded_orders.keys().filter(|key| self.order(key).is_none()).collect(),
            orders: orders.filter(changed).collect(),
        }
    }

    /// Brings the stored follow-ups of what was touched in line with what is wanted now.
    #[must_use]
    pub fn align(&self, stored: Vec<FollowUp>) -> Alignment {
        let asked: Vec<Asked> = (self.touched())
            .flat_map(|entry| {
                let place = Place::of(&entry.derived.payment);
                entry.derived.wanted.iter().map(move |wanted| Asked { place, wanted })
            })
            .collect();
        let touched = stored.into_iter().filter(|row| self.touched.contains(&row.payment_id)).collect();
        align(touched, &asked, |payment_id| self.heir(payment_id).map(|entry| Place::of(&entry.derived.payment)))
    }

    /// Payments touched by what was posted, as they are now.
    pub fn touched(&self) -> impl Iterator<Item = &Entry> {
        self.touched.iter().filter_map(|id| self.entries.get(id))
    }

    /// Of payments that are no more: each with the one that took its place.
    pub fn heirs<'a>(&'a self, gone: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        gone.iter().filter_map(|id| Some((*id, self.heir(id)?.derived.payment.payment_id.as_str())))
    }

    /// The payment that a stored one is now: itself, or the one that took its place.
    fn heir(&self, payment_id: &str) -> Option<&Entry> {
        // Its own id may have been a name only, never an object: then what it held shows the way.
        let moved =
            || self.loaded.get(payment_id)?.facts.held_ids().find_map(|id| self.entries.get(self.homes.get(id)?));
        self.entries.get(payment_id).or_else(moved)
    }

    /// Puts `after` in the place of `before`; returns each order concerned, before and after.
    fn replace(&mut self, before: &BTreeMap<String, Entry>, after: &BTreeMap<String, Entry>) -> Vec<OrderChange> {
        let keys: BTreeSet<OrderKey> =
            before.values().chain(after.values()).filter_map(|entry| entry.derived.payment.order_key()).collect();
        let old: Vec<Option<State>> = keys.iter().map(|key| self.order(key).map(|order| order.state)).collect();
        for id in before.keys() {
            self.remove(id);
        }
        for (id, entry) in after {
            self.insert(id, entry.clone());
        }
        self.touched.extend(before.keys().chain(after.keys()).cloned());
        let new = keys.iter().map(|key| self.order(key).map(|order| order.state));
        let changes = keys.iter().zip(old).zip(new.collect::<Vec<_>>());
        changes.map(|((key, from), to)| OrderChange { key: key.clone(), from, to }).collect()
    }

    fn insert(&mut self, payment_id: &str, entry: Entry) {
        for object in entry.facts.held_ids() {
            self.homes.insert(object.clone(), payment_id.to_owned());
        }
        if let Some(key) = entry.derived.payment.order_key() {
            self.orders.entry(key).or_default().insert(payment_id.to_owned());
        }
        self.entries.insert(payment_id.to_owned(), entry);
    }

    fn remove(&mut self, payment_id: &str) {
        let Some(entry) = self.entries.remove(payment_id) else { return };
        let Some(key) = entry.derived.payment.order_key() else { return };
        if let Some(payments) = self.orders.get_mut(&key) {
            payments.remove(payment_id);
            if payments.is_empty() {
                self.orders.remove(&key);
            }
        }
    }

    fn order(&self, key: &OrderKey) -> Option<Order> {
        let mine = self.orders.get(key).into_iter().flatten().map(|id| Tally::of(&self.entries[id].derived.payment));
        Some(order(key, mine.chain(self.others.get(key).cloned()).reduce(Tally::plus)?))
    }
}

impl Changes<'_> {
    /// Objects that are new in a payment, each with the payment's id.
    pub fn moved_objects(&self) -> impl Iterator<Item = (&str, &str)> {
        self.payments.iter().flat_map(|(entry, loaded)| {
            let known: BTreeSet<&String> = loaded.iter().flat_map(|loaded| loaded.facts.held_ids()).collect();
            let new = entry.facts.held_ids().filter(move |id| !known.contains(id));
            new.map(|id| (id.as_str(), entry.derived.payment.payment_id.as_str()))
        })
    }

    /// Refunds that are new or differ.
    #[must_use]
    pub fn refunds(&self) -> Vec<&RefundState> {
        differing(&self.payments, |derived| &derived.refunds)
    }

    /// Disputes that are new or differ.
    #[must_use]
    pub fn disputes(&self) -> Vec<&DisputeState> {
        differing(&self.payments, |derived| &derived.disputes)
    }

    /// Early fraud warnings that are new or differ.
    #[must_use]
    pub fn warnings(&self) -> Vec<&WarningState> {
        differing(&self.payments, |derived| &derived.warnings)
    }

    /// Radar reviews that are new or differ.
    #[must_use]
    pub fn reviews(&self) -> Vec<&ReviewState> {
        differing(&self.payments, |derived| &derived.reviews)
    }
}

fn differing<'a, T: PartialEq>(payments: &[(&'a Entry, Option<&'a Entry>)], part: fn(&Derived) -> &[T]) -> Vec<&'a T> {
    let pairs = payments
        .iter()
        .map(|(entry, loaded)| (part(&entry.derived), loaded.map(|l| part(&l.derived)).unwrap_or_default()));
    pairs.flat_map(|(new, old)| new.iter().filter(|item| !old.contains(item))).collect()
}

impl Entry {
    fn new(payment_id: &str, facts: Facts) -> Self {
        Self { derived: derive(payment_id, &facts), facts }
    }
}

/// The state of one order key before and after an event; none where it has no payment.
struct OrderChange {
    key: OrderKey,
    from: Option<State>,
    to: Option<State>,
}

/// What an event changed, key by key: orders that lost their last payment come first, so that whoever reads by
/// reference alone ends with what is. One whose currency became known is another key.
fn order_transitions(changes: &[OrderChange], payment_id: &str) -> Vec<Transition> {
    let lost = changes.iter().filter(|change| change.from.is_some() && change.to.is_none());
    let lost = lost.map(|change| (&change.key, change.from, State::Unknown));
    let kept = changes.iter().filter_map(|change| Some((&change.key, change.from, change.to?)));
    let changed = lost.chain(kept).filter(|(_, from, to)| *from != Some(*to));
    changed.map(|(key, from, to)| transition_of_order(key, payment_id, from, to)).collect()
}

fn transition_of_order(key: &OrderKey, payment_id: &str, from: Option<State>, to: State) -> Transition {
    Transition {
        order_id: Some(key.order_id.clone()),
        payment_id: payment_id.to_owned(),
        scope: Scope { account: key.account.clone(), livemode: key.livemode },
        currency: key.currency.clone(),
        from,
        to,
    }
}

fn payment_transitions(before: &BTreeMap<String, Entry>, after: &BTreeMap<String, Entry>) -> Vec<Transition> {
    let unlinked = |entry: &&Entry| entry.derived.payment.order_id.is_none() && !entry.derived.payment.orphan;
    let changed = after.iter().filter(|(_, entry)| unlinked(entry)).filter_map(|(id, entry)| {
        let from = before.get(id).filter(unlinked).map(|entry| entry.derived.payment.state);
        let Payment { state: to, scope, currency, .. } = entry.derived.payment.clone();
        (from != Some(to)).then(|| Transition { order_id: None, payment_id: id.clone(), scope, currency, from, to })
    });
    changed.collect()
}

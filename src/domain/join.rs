//! Joining facts: the basis of order independence.
//!
//! Of two sightings of one thing the later stamp wins, everything else is a union or a maximum. So the
//! join is commutative, associative and idempotent, and what a set of events adds up to does not depend
//! on the order or the number of their arrivals. Equal stamps are of one event, read twice: the second
//! reading wins, so that replaying an event after an upgrade takes effect.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::facts::{ChargeFacts, Child, DisputeFacts, Facts, IntentFacts, SessionFacts};
use super::snapshot::{Latest, Shown, Submissions};

impl Facts {
    /// Adds the facts of `other`. Commutative, associative and idempotent.
    pub fn join(&mut self, other: Self) {
        join_maps(&mut self.intents, other.intents, IntentFacts::join);
        join_maps(&mut self.charges, other.charges, ChargeFacts::join);
        join_maps(&mut self.refunds, other.refunds, Child::join);
        join_maps(&mut self.disputes, other.disputes, DisputeFacts::join);
        join_maps(&mut self.sessions, other.sessions, SessionFacts::join);
        join_maps(&mut self.warnings, other.warnings, Child::join);
        join_maps(&mut self.reviews, other.reviews, Child::join);
        join_maps(&mut self.order_links, other.order_links, Latest::join);
        join_maps(&mut self.dismissals, other.dismissals, |mine, theirs| *mine = theirs.max(mine.clone()));
    }
}

impl<T> Latest<T> {
    fn join(&mut self, other: Self) {
        if other.stamp >= self.stamp {
            *self = other;
        }
    }
}

impl<T> Child<T> {
    fn join(&mut self, other: Self) {
        self.best.join(other.best);
        join_latest(&mut self.charge, other.charge);
        join_latest(&mut self.intent, other.intent);
    }
}

impl ChargeFacts {
    fn join(&mut self, other: Self) {
        join_latest(&mut self.best, other.best);
        join_latest(&mut self.intent, other.intent);
        join_latest(&mut self.order_ref, other.order_ref);
        join_latest(&mut self.rendering, other.rendering);
        join_maps(&mut self.shown, other.shown, Shown::join);
        // An entry with its time and rate compares as larger.
        self.settled = self.settled.take().max(other.settled);
        self.expired |= other.expired;
    }
}

impl Shown {
    fn join(&mut self, other: Self) {
        self.since = self.since.min(other.since);
        (self.least, self.least_at) = (self.least, self.least_at).min((other.least, other.least_at));
        self.all_of_less |= other.all_of_less;
    }
}

impl IntentFacts {
    fn join(&mut self, other: Self) {
        self.best.join(other.best);
        join_latest(&mut self.order_ref, other.order_ref);
        join_maps(&mut self.received, other.received, |mine, theirs| *mine = theirs.min(*mine));
    }
}

impl DisputeFacts {
    fn join(&mut self, other: Self) {
        self.child.join(other.child);
        join_maps(&mut self.balance, other.balance, |mine, theirs| {
            if theirs > *mine {
                *mine = theirs;
            }
        });
        join_maps(&mut self.submissions, other.submissions, Submissions::join);
    }
}

impl Submissions {
    fn join(&mut self, other: Self) {
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }
}

impl SessionFacts {
    fn join(&mut self, other: Self) {
        self.child.join(other.child);
        join_latest(&mut self.order_ref, other.order_ref);
        join_latest(&mut self.client_ref, other.client_ref);
    }
}

fn join_latest<T>(mine: &mut Option<Latest<T>>, theirs: Option<Latest<T>>) {
    match (mine, theirs) {
        (_, None) => {}
        (Some(mine), Some(theirs)) => mine.join(theirs),
        (mine @ None, theirs) => *mine = theirs,
    }
}

fn join_maps<K: Ord, V>(mine: &mut BTreeMap<K, V>, theirs: BTreeMap<K, V>, join: impl Fn(&mut V, V)) {
    for (id, value) in theirs {
        match mine.entry(id) {
            Entry::Vacant(slot) => {
                slot.insert(value);
            }
            Entry::Occupied(slot) => join(slot.into_mut(), value),
        }
    }
}

//! Facts: the best snapshot of each of Stripe's objects, and the few values kept beside it.
//!
//! Data only: joining and deriving are in the files beside this one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::phase::Phase;
use super::snapshot::{
    BalanceEntry, Charge, Dispute, Intent, Latest, Refund, Rendering, Review, Session, Shown, Stamp, Submissions,
    Warning,
};

/// All that is known of a charge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeFacts {
    /// The best snapshot; none while only other objects name the charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Latest<Charge>>,
    /// The payment intent it belongs to. A later null does not remove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Latest<String>>,
    /// The merchant's order reference. Removing metadata does not unlink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<Latest<String>>,
    /// What snapshots showed as refunded, by the amount they showed as captured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<i64, Shown>,
    /// How the latest event's API version renders charges; none while only fetched charges were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendering: Option<Latest<Rendering>>,
    /// Its balance transaction, where one was expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<BalanceEntry>,
    /// An event reported that its authorization expired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
}

/// All that is known of a payment intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentFacts {
    /// The best snapshot.
    pub best: Latest<Intent>,
    /// The merchant's order reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<Latest<String>>,
    /// The earliest event, in unix seconds, that showed each amount received.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub received: BTreeMap<i64, i64>,
}

/// An object that belongs to a charge or an intent, which need not have been seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child<T> {
    /// The best snapshot.
    pub best: Latest<T>,
    /// The charge it names. A later null does not remove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<Latest<String>>,
    /// The payment intent it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Latest<String>>,
}

/// All that is known of a dispute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeFacts {
    /// The best snapshot and the links.
    #[serde(flatten)]
    pub child: Child<Dispute>,
    /// Balance transactions by id, from whatever snapshot showed them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub balance: BTreeMap<String, BalanceEntry>,
    /// How often evidence was submitted, by the phase that showed it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub submissions: BTreeMap<Phase, Submissions>,
}

/// All that is known of a checkout session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// The best snapshot and the link to the intent.
    #[serde(flatten)]
    pub child: Child<Session>,
    /// The order reference in its metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<Latest<String>>,
    /// `client_reference_id`, unless a payment link let the buyer choose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<Latest<String>>,
}

/// What is known of a set of objects, by id: of one event's, of one payment's, of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Payment intents.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intents: BTreeMap<String, IntentFacts>,
    /// Charges.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub charges: BTreeMap<String, ChargeFacts>,
    /// Refunds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refunds: BTreeMap<String, Child<Refund>>,
    /// Disputes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub disputes: BTreeMap<String, DisputeFacts>,
    /// Checkout sessions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sessions: BTreeMap<String, SessionFacts>,
    /// Early fraud warnings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub warnings: BTreeMap<String, Child<Warning>>,
    /// Radar reviews.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reviews: BTreeMap<String, Child<Review>>,
    /// The order that somebody linked a payment to, by the payment id they gave.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub order_links: BTreeMap<String, Latest<String>>,
    /// When somebody dismissed an early fraud warning, by the warning's id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dismissals: BTreeMap<String, Stamp>,
}

impl Facts {
    /// Ids of every object held.
    pub fn held_ids(&self) -> impl Iterator<Item = &String> {
        (self.intents.keys())
            .chain(self.charges.keys())
            .chain(self.refunds.keys())
            .chain(self.disputes.keys())
            .chain(self.sessions.keys())
            .chain(self.warnings.keys())
            .chain(self.reviews.keys())
    }

    /// Ids of every object held or named.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<&str> {
        self.held_ids().map(String::as_str).chain(self.named().map(|(id, _)| id)).collect()
    }

    /// The kind of every object held, in Stripe's words.
    pub fn held(&self) -> impl Iterator<Item = (&str, &'static str)> {
        fn all<'a, T>(
            map: &'a BTreeMap<String, T>,
            kind: &'static str,
        ) -> impl Iterator<Item = (&'a str, &'static str)> {
            map.keys().map(move |id| (id.as_str(), kind))
        }
        all(&self.intents, "payment_intent")
            .chain(all(&self.charges, "charge"))
            .chain(all(&self.refunds, "refund"))
            .chain(all(&self.disputes, "dispute"))
            .chain(all(&self.sessions, "checkout_session"))
            .chain(all(&self.warnings, "fraud_warning"))
            .chain(all(&self.reviews, "review"))
    }

    /// The kind of every object that is named, held or not. For an id that somebody linked to an order, it is unknown
    /// whether it is a charge or an intent.
    pub fn named(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let intents =
            (self.charges.values()).flat_map(|charge| &charge.intent).map(|link| (&link.value, "payment_intent"));
        let linked = self.order_links.keys().map(|id| (id, "payment"));
        let dismissed = self.dismissals.keys().map(|id| (id, "fraud_warning"));
        let named = intents.chain(self.links().map(|(link, kind)| (&link.value, kind))).chain(linked).chain(dismissed);
        named.map(|(id, kind)| (id.as_str(), kind))
    }

    /// Every order reference held, whether or not it is the one that counts.
    pub fn order_refs(&self) -> impl Iterator<Item = &str> {
        let intents = self.intents.values().flat_map(|i| &i.order_ref);
        let charges = self.charges.values().flat_map(|c| &c.order_ref);
        let sessions = self.sessions.values().flat_map(|s| s.order_ref.iter().chain(&s.client_ref));
        intents.chain(charges).chain(sessions).chain(self.order_links.values()).map(|latest| latest.value.as_str())
    }

    /// The charges marked as disputed for which no matching dispute is known.
    pub fn charges_that_miss_a_dispute(&self) -> impl Iterator<Item = &str> {
        let disputed = self.charges.iter().filter(|(_, c)| c.best.as_ref().is_some_and(|best| best.value.disputed));
        let can_be = |id: &str, dispute: &DisputeFacts| dispute.child.charge.as_ref().is_none_or(|c| c.value == id);
        let missing = disputed.filter(move |(id, _)| !self.disputes.values().any(|dispute| can_be(id, dispute)));
        missing.map(|(id, _)| id.as_str())
    }

    /// The charges and intents that children name, with their kind.
    pub(super) fn links(&self) -> impl Iterator<Item = (&Latest<String>, &'static str)> {
        let refunds = self.refunds.values().flat_map(Child::links);
        let disputes = self.disputes.values().flat_map(|d| d.child.links());
        let sessions = self.sessions.values().flat_map(|s| s.child.links());
        let warnings = self.warnings.values().flat_map(Child::links);
        let reviews = self.reviews.values().flat_map(Child::links);
        refunds.chain(disputes).chain(sessions).chain(warnings).chain(reviews)
    }
}

impl<T> Child<T> {
    fn links(&self) -> impl Iterator<Item = (&Latest<String>, &'static str)> {
        let charge = self.charge.iter().map(|link| (link, "charge"));
        charge.chain(self.intent.iter().map(|link| (link, "payment_intent")))
    }
}

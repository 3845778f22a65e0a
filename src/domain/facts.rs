//! What was seen of Stripe's objects: the best snapshot of each, and the few parts kept beside it.
//!
//! Concludes nothing: how sightings are joined, and what they add up to, is in the files beside this one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dispute::Phase;

/// When and how far along its life an object was seen: a total order over all sightings of one object.
///
/// Stripe's `created` has a resolution of one second, so within a second the sighting further along
/// its life wins, then the one with more refunded, then the larger event id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// `event.created`, in unix seconds.
    pub at: i64,
    /// How far along its life the object is; see `rank.rs`.
    pub rank: u8,
    /// `amount_refunded` of a charge, in minor units; 0 for everything else.
    pub amount: i64,
    /// The id of the event that showed it.
    pub event_id: String,
}

/// The latest sighting of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest<T> {
    /// When it was seen.
    pub stamp: Stamp,
    /// What was seen.
    pub value: T,
}

/// Whose object it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The connected account; none for the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
}

/// A charge as one snapshot shows it. Amounts in minor units of `currency`, times in unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Account and mode.
    pub scope: Scope,
    /// What was asked for.
    pub amount: i64,
    /// What was captured; 0 for an authorization.
    pub amount_captured: i64,
    /// What Stripe shows as refunded: with the released rest of a partial capture, and a void.
    pub amount_refunded: i64,
    /// Stripe's word for "nothing is left".
    pub refunded: bool,
    /// Stripe's word for "there is or was a dispute".
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// Lower-case ISO code.
    pub currency: String,
    /// `pending`, `succeeded`, `failed`, or a word not known yet.
    pub status: String,
    /// When the attempt was made.
    pub created: i64,
    /// Stripe's word for how it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// Why it failed, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// The refunds that this snapshot nests.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refunds: BTreeSet<String>,
}

/// How Stripe shows the rest of an authorization that a capture released. The version of the request that captured
/// decides, not that of the event (DESIGN 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendering {
    /// As a refund that is counted: before 2025-03-31.basil.
    Old,
    /// Not at all.
    New,
}

/// What snapshots of a charge with one captured amount have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The earliest event that showed it, in unix seconds: it was captured by then.
    pub since: i64,
    /// The least that any of them shows as refunded, in minor units.
    pub least: i64,
    /// The earliest event that showed as little, in unix seconds.
    pub least_at: i64,
    /// One said `refunded` of less than the charge's amount.
    pub all_of_less: bool,
}

/// All that is known of a charge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeFacts {
    /// The best snapshot; none while only others speak of the charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Latest<Charge>>,
    /// The payment intent it belongs to. A later null does not cut it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Latest<String>>,
    /// The merchant's order reference. Removing metadata does not unlink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<Latest<String>>,
    /// What snapshots showed as refunded, by the amount they showed as captured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<i64, Shown>,
    /// How charges of the API version of the latest event are rendered; none while only fetched ones were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendering: Option<Latest<Rendering>>,
    /// Its balance transaction, where one was expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<BalanceEntry>,
    /// An event said that its authorization expired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
}

/// A payment intent as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Account and mode.
    pub scope: Scope,
    /// What is asked for, in minor units.
    pub amount: i64,
    /// What was captured over all charges.
    pub amount_received: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// Stripe's word.
    pub status: String,
    /// Whether the last attempt failed.
    pub last_attempt_failed: bool,
    /// Why it was canceled, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
}

/// All that is known of a payment intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentFacts {
    /// The best snapshot.
    pub best: Latest<Intent>,
    /// The merchant's order reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_ref: Option<Latest<String>>,
    /// The earliest event that showed so much received, in unix seconds, by that amount.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub received: BTreeMap<i64, i64>,
}

/// An object that belongs to a charge or an intent, and never needs to have seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child<T> {
    /// The best snapshot.
    pub best: Latest<T>,
    /// The charge it names. A later null does not cut it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<Latest<String>>,
    /// The payment intent it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Latest<String>>,
}

/// A refund as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Account and mode.
    pub scope: Scope,
    /// In minor units.
    pub amount: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// Stripe's word; a nested refund of the oldest versions has none and has succeeded.
    pub status: String,
    /// Why it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// What it waits for, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_reason: Option<String>,
    /// Where it goes to, in Stripe's word: `card` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_type: Option<String>,
    /// By which the buyer's bank finds it: an ARN or the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Whether the reference is there yet, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_status: Option<String>,
    /// The merchant's own fields, as Stripe has them; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// When it was made, in unix seconds.
    pub created: i64,
}

/// A dispute as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Account and mode.
    pub scope: Scope,
    /// In minor units; may be below or above the charge's.
    pub amount: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// The cardholder's reason, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The card network's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_reason_code: Option<String>,
    /// How it was paid, in Stripe's word: `card`, `klarna` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// Stripe's word.
    pub status: String,
    /// `chargeback`, `inquiry`, `compliance`, `block`, `resolution`, or a word not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_type: Option<String>,
    /// Unix seconds; 0: no response is allowed; none: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_by: Option<i64>,
    /// Evidence is staged, which is not the same as sent.
    pub has_evidence: bool,
    /// The last submission was late.
    pub past_due: bool,
    /// How often evidence was submitted.
    pub submission_count: i64,
    /// Who is to answer at the deadline, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_submission_method: Option<String>,
    /// Who answered, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission_method: Option<String>,
    /// For which programmes of the networks the evidence qualifies: Stripe's JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced_eligibility: Option<Value>,
    /// Whether the charge can still be refunded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_charge_refundable: Option<bool>,
    /// When it was opened, in unix seconds.
    pub created: i64,
}

/// One movement on the balance, for a dispute or a charge: the money's truth. In minor units of the settlement
/// currency, which may differ from the object's; a withdrawal is negative.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BalanceEntry {
    /// Unix seconds; 0: not known.
    pub created: i64,
    /// Negative when taken, positive when given back.
    pub amount: i64,
    /// The fee, positive when charged.
    pub fee: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// What one unit of the object's currency was worth in `currency`, in units of 10^-12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_rate: Option<u64>,
}

/// The smallest and the largest `submission_count` seen of a dispute in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submissions {
    /// The first count seen: Stripe does not say whether it restarts in a new phase.
    pub least: i64,
    /// More than that: evidence was submitted in this phase.
    pub most: i64,
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

/// A checkout session as one snapshot shows it: only what an order is found by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Account and mode.
    pub scope: Scope,
    /// Lower-case ISO code; none in setup mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
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

/// An early fraud warning as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Account and mode.
    pub scope: Scope,
    /// The issuer's kind of fraud, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraud_type: Option<String>,
    /// Neither disputed nor fully refunded yet: a refund can still prevent a dispute. None where Stripe says
    /// nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actionable: Option<bool>,
    /// When it was made, in unix seconds.
    pub created: i64,
}

/// A Radar review as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Account and mode.
    pub scope: Scope,
    /// Nobody decided yet.
    pub open: bool,
    /// Why it was opened, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_reason: Option<String>,
    /// Why it was closed, in Stripe's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_reason: Option<String>,
    /// When it was opened, in unix seconds.
    pub created: i64,
}

/// Who paid, as one snapshot of a charge, an intent or a session says. Personal data: kept apart from the facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The charge, intent or session.
    pub object_id: String,
    /// `event.created`, in unix seconds.
    pub seen_at: i64,
    /// The event that showed it.
    pub event_id: String,
    /// Stripe's customer.
    pub customer_id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Name.
    pub name: Option<String>,
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
    /// The order that somebody said a payment is for, by the payment id they said it of.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub order_links: BTreeMap<String, Latest<String>>,
    /// When somebody settled an early fraud warning, by the warning's id.
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

    /// The kind of every object that is named, held or not. Of what somebody linked to an order it is not known whether it
    /// is a charge or an intent.
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

    /// The charges that say they are disputed while no dispute is known that can be theirs.
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

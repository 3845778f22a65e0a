//! The lists that a pass reads one after another, and what is on them as events for the ledger. Without clock or
//! database.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::handlers::EVENTS;
use crate::store::inbox::NewEvent;
use crate::store::syncs::Kind;
use crate::stripe::envelope::Envelope;
use crate::stripe::fetched::Fetched;
use crate::stripe_api::{Calls, Created, EventFilter, Pages};

/// How many types of events Stripe takes in one call.
const TYPES: usize = 20;
/// More pages than any list has.
const ALL: u32 = u32::MAX;

/// How long a card authorization can be captured at most, in seconds.
const LONGEST_HOLD: i64 = 31 * 86_400;

/// One list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Events of these types, whether or not they were delivered: one that was acknowledged can be lost in a fail-over.
    Events(&'static [&'static str]),
    /// Objects of a kind.
    Objects(List),
    /// Not a list of Stripe's: the open disputes, those lost within a year, and the live refunds of 60 days that we know.
    Known,
}

/// What Stripe lists by time of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Payment intents.
    PaymentIntents,
    /// Charges with their balance transactions.
    Charges,
    /// Checkout sessions.
    Sessions,
    /// Refunds.
    Refunds,
    /// Disputes.
    Disputes,
    /// Early fraud warnings.
    Warnings,
    /// Reviews that are open.
    Reviews,
}

/// What an import reads. Orders are to be seen early: their references are in intents, their money is in charges.
pub(super) const IMPORTED: [List; 7] =
    [List::PaymentIntents, List::Charges, List::Sessions, List::Refunds, List::Disputes, List::Warnings, List::Reviews];

/// How far the events that a pass should read are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them.
    Complete,
    /// The oldest ones no longer: refunds and disputes come by their own lists then, and what we know is read again.
    Cut,
}

/// The lists of a pass.
pub(super) fn parts(kind: Kind, reach: Reach) -> Vec<Part> {
    let events = EVENTS.chunks(TYPES).map(Part::Events);
    match (kind, reach) {
        (Kind::Missed, Reach::Complete) => events.collect(),
        (Kind::Missed, Reach::Cut) => {
            events.chain([Part::Objects(List::Disputes), Part::Objects(List::Refunds), Part::Known]).collect()
        }
        (Kind::Import, _) => IMPORTED.map(Part::Objects).to_vec(),
    }
}

impl Part {
    /// None where there is no list.
    pub(super) fn pages(self, calls: &Calls, created: Created) -> Option<Pages> {
        let pages = match self {
            Self::Events(types) => calls.events(&EventFilter { types, created }),
            Self::Objects(list) => list.pages(calls, created),
            Self::Known => return None,
        };
        Some(pages.at_most(ALL))
    }
}

impl List {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentIntents => "payment intents",
            Self::Charges => "charges",
            Self::Sessions => "checkout sessions",
            Self::Refunds => "refunds",
            Self::Disputes => "disputes",
            Self::Warnings => "early fraud warnings",
            Self::Reviews => "open reviews",
        }
    }

    /// What an import does without when the key may not read it.
    pub(super) fn is_optional(self) -> bool {
        match self {
            Self::Sessions | Self::Warnings | Self::Reviews => true,
            Self::PaymentIntents | Self::Charges | Self::Refunds | Self::Disputes => false,
        }
    }

    pub(super) fn pages(self, calls: &Calls, created: Created) -> Pages {
        match self {
            Self::PaymentIntents => calls.payment_intents(created),
            Self::Charges => calls.charges(created),
            Self::Sessions => calls.checkout_sessions(created),
            Self::Refunds => calls.refunds(created),
            Self::Disputes => calls.disputes(created),
            Self::Warnings => calls.early_fraud_warnings(created),
            Self::Reviews => calls.reviews(created),
        }
    }
}

/// Whose lists these are, and when they were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The connected account; none for the key's own.
    pub(super) account: Option<&'a str>,
    pub(super) livemode: bool,
    /// When the page was true, in unix seconds.
    pub(super) at: i64,
}

/// One thing on a list.
#[derive(Debug)]
pub(super) struct Item {
    /// When it was created, in unix seconds.
    pub(super) created: i64,
    pub(super) event: NewEvent,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    created: i64,
}

/// Of a charge, what says whether it can still be captured.
#[derive(Deserialize)]
struct Authorization {
    #[serde(default)]
    created: i64,
    captured: Option<bool>,
    status: Option<String>,
    payment_intent: Option<serde::de::IgnoredAny>,
}

impl Source<'_> {
    /// What a list shows, as an event; none for what no ledger could hold.
    pub(super) fn item(&self, part: Part, json: &RawValue) -> Option<Item> {
        let Head { created } = serde_json::from_str(json.get()).ok()?;
        let payload = match part {
            Part::Events(_) => self.event(json)?,
            Part::Objects(List::Charges) => self.fetched(json, self.expired(json)),
            Part::Objects(_) | Part::Known => self.fetched(json, None),
        };
        let envelope = Envelope::read(&payload).ok()?;
        let mode_matches = envelope.livemode.is_none_or(|livemode| livemode == self.livemode);
        Some(Item { created, event: NewEvent { envelope, payload, mode_matches } })
    }

    /// An event as it was listed. One of a connected account names the account, as its webhook does.
    fn event(&self, json: &RawValue) -> Option<String> {
        let Some(account) = self.account else { return Some(json.get().to_owned()) };
        let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_str(json.get()).ok()?;
        let account = serde_json::value::to_raw_value(account).ok()?;
        if fields.get("account").is_none_or(|named| named.get() == "null") {
            fields.insert("account", &account);
        }
        serde_json::to_string(&fields).ok()
    }

    /// What no field of a charge says since 2025-03-31.basil: nothing was captured, and it is too late to. With an intent,
    /// the intent says it.
    fn expired(&self, charge: &RawValue) -> Option<&'static str> {
        let charge: Authorization = serde_json::from_str(charge.get()).ok()?;
        let is_open = charge.captured == Some(false) && charge.status.as_deref() == Some("succeeded");
        let is_over = is_open && charge.payment_intent.is_none() && self.at - charge.created > LONGEST_HOLD;
        is_over.then_some("v1.charge.expired")
    }

    /// An object as an event of our own.
    fn fetched(&self, json: &RawValue, thin_type: Option<&str>) -> String {
        let Self { account, livemode, at } = *self;
        let id = format!("evt_clawback_{}", Uuid::new_v4().simple());
        Fetched { account, livemode, at, thin_type, object: json }.body(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_connected_account_names_it() {
        let item = |account, json: &str| {
            let json: Box<RawValue> = serde_json::from_str(json).expect("JSON");
            let source = Source { account, livemode: false, at: 0 };
            source.item(Part::Events(&[]), &json).expect("an event")
        };
        let listed = r#"{"id":"evt_1", "type":"a", "created":7, "account":null}"#;
        let named = item(Some("acct_1"), listed);
        assert_eq!((named.created, named.event.envelope.account.as_deref()), (7, Some("acct_1")));
        assert_eq!(item(None, listed).event.payload, listed, "the body is kept as it was received");
    }

    #[test]
    fn every_type_of_event_is_in_a_call_that_stripe_takes() {
        let calls: Vec<&[&str]> = parts(Kind::Missed, Reach::Complete)
            .into_iter()
            .filter_map(|part| match part {
                Part::Events(types) => Some(types),
                Part::Objects(_) | Part::Known => None,
            })
            .collect();
        assert_eq!(calls.concat(), EVENTS);
        assert!(calls.iter().all(|types| types.len() <= 20));
    }

    #[test]
    fn an_old_authorization_without_intent_counts_as_expired() {
        let expired = |charge: serde_json::Value| {
            let json = serde_json::value::to_raw_value(&charge).expect("JSON");
            let source = Source { account: None, livemode: true, at: 40 * 86_400 };
            let event = source.item(Part::Objects(List::Charges), &json).expect("an event").event;
            event.payload.contains(r#""thin_type":"v1.charge.expired""#)
        };
        let charge = |created: i64, captured: bool, intent: Option<&str>| {
            serde_json::json!({ "id": "ch_1", "object": "charge", "created": created, "captured": captured,
                "status": "succeeded", "payment_intent": intent })
        };
        assert!(expired(charge(0, false, None)));
        assert!(!expired(charge(0, true, None)), "captured");
        assert!(!expired(charge(0, false, Some("pi_1"))), "its intent tells");
        assert!(!expired(charge(30 * 86_400, false, None)), "it can still be captured");
    }
}

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

/// One list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Events of these types, whether or not they were delivered: one that was acknowledged can be lost in a fail-over.
    Events(&'static [&'static str]),
}

/// The lists of a pass.
pub(super) fn parts(kind: Kind) -> Vec<Part> {
    match kind {
        Kind::Missed => EVENTS.chunks(TYPES).map(Part::Events).collect(),
        Kind::Import => Vec::new(),
    }
}

impl Part {
    pub(super) fn pages(self, calls: &Calls, created: Created) -> Pages {
        let pages = match self {
            Self::Events(types) => calls.events(&EventFilter { types, created }),
        };
        pages.at_most(ALL)
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

impl Source<'_> {
    /// What a list shows, as an event; none for what no ledger could hold.
    pub(super) fn item(&self, part: Part, json: &RawValue) -> Option<Item> {
        let Head { created } = serde_json::from_str(json.get()).ok()?;
        let payload = match part {
            Part::Events(_) => self.event(json)?,
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

    /// An object as an event of our own.
    #[expect(dead_code)]
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
        let listed: Vec<&str> = parts(Kind::Missed).iter().flat_map(|Part::Events(types)| *types).copied().collect();
        assert_eq!(listed, EVENTS);
        assert!(parts(Kind::Missed).iter().all(|Part::Events(types)| types.len() <= 20));
    }
}

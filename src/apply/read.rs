//! The bodies of a batch's events as facts. Pure; what an object means is decided in [`crate::handlers`].

use std::collections::HashMap;

use super::ReadEvent;
use super::ahead::Ahead;
use crate::domain::{Payer, Read, ReadKind, Scope};
use crate::handlers::{self, Reading};
use crate::store::ledger::{FinishedEvent, Outcome, PendingEvent};
use crate::stripe::object::FieldError;
use crate::stripe::thin::Thin;

/// What the bodies say.
#[derive(Default)]
pub(super) struct Unfolded {
    /// The events that carry facts, in the order received.
    pub events: Vec<ReadEvent>,
    /// The payers they name.
    pub people: Vec<Payer>,
    /// The events that are ignored or failed.
    pub finished: Vec<FinishedEvent>,
    /// The objects that thin events name.
    pub reads: Vec<Read>,
}

/// Reads the body of each event that was not read ahead. `bodies` are by event id.
pub(super) fn read(
    events: Vec<PendingEvent>,
    mut ahead: Ahead,
    bodies: &HashMap<String, String>,
    order_key: &str,
) -> Unfolded {
    let mut read = Unfolded::default();
    for event in events {
        let body = bodies.get(&event.event_id);
        let now = || Some(handlers::read(&event.event_id, body?, order_key));
        match ahead.take(&event.event_id).map(Ok).or_else(now) {
            None => read.finished.push(unread(event, Outcome::Failed, "its body was pruned".to_owned())),
            Some(Ok(Reading::Facts(facts, people, errors))) => {
                read.people.extend(people);
                read.events.push(ReadEvent { event, facts, note: note(&errors) });
            }
            Some(Ok(Reading::Ignored(reason))) => {
                read.reads.extend(body.and_then(|body| related(&event.event_id, body)));
                read.finished.push(unread(event, Outcome::Ignored, reason));
            }
            Some(Err(error)) => read.finished.push(unread(event, Outcome::Failed, error.to_string())),
        }
    }
    read
}

/// The read of the object that a thin event names, if a handler reads such objects.
fn related(event_id: &str, body: &str) -> Option<Read> {
    let thin = Thin::read(body).filter(|thin| handlers::reads(&thin.object_type))?;
    let scope = Scope { account: thin.account().map(str::to_owned), livemode: thin.livemode };
    Some(Read { kind: ReadKind::Related, object: thin.object_id, round: event_id.to_owned(), scope, after: 0 })
}

fn unread(event: PendingEvent, outcome: Outcome, reason: String) -> FinishedEvent {
    FinishedEvent { seq: event.seq, event_id: event.event_id, outcome, payment_id: None, last_error: Some(reason) }
}

/// The fields of a processed event that were taken as absent; at most ten, since a list can hold very many.
fn note(errors: &[FieldError]) -> Option<String> {
    let fields: Vec<String> = errors.iter().take(10).map(ToString::to_string).collect();
    (!errors.is_empty()).then(|| format!("taken as absent: {}", fields.join("; ")))
}

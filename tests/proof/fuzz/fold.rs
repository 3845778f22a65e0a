//! The fold of any events, however wrong what they say: the same for every order of arrival, and for repeats.
//!
//! The events are those of generated lives, with values changed: amounts out of range, ids of other objects, states
//! that contradict each other. So nothing is known of the truth, and everything else must hold.

use std::collections::HashMap;

use clawback::domain::{Facts, derive};
use clawback::handlers::{Reading, read};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::{fuzz, runs};
use crate::chance::Dice;
use crate::life::strategy::plans;
use crate::life::{Event, Life};
use crate::tables::{ReadEvent, Tables};

/// Longer lives have nothing new, and take long to shrink.
const MOST_EVENTS: usize = 24;

#[derive(Clone, Debug)]
enum Change {
    /// A value of one event becomes this.
    Value(Index, Index, Value),
    /// A value of one event becomes one of another.
    Copy(Index, Index, Index, Index),
}

#[test]
fn any_events_end_in_one_state_whatever_their_order() {
    let input = (plans(), prop::collection::vec(change(), 0..12), any::<u64>());
    fuzz("fold", runs(300), &input, |(plan, changes, seed)| {
        check(&altered(&Life::of(plan).visible_events(), changes), *seed)
    });
}

#[test]
fn joining_any_facts_is_commutative_associative_and_idempotent() {
    let input = (plans(), prop::collection::vec(change(), 0..12));
    fuzz("join", runs(300), &input, |(plan, changes)| {
        let events = altered(&Life::of(plan).visible_events(), changes);
        let facts: Vec<Facts> = events.iter().filter_map(facts_of).collect();
        facts.windows(3).try_for_each(|three| join(&three[0], &three[1], &three[2]))
    });
}

fn facts_of(event: &Event) -> Option<Facts> {
    match read(&event.id, &event.body, "order_id") {
        Ok(Reading::Facts(facts, ..)) => Some(facts),
        _ => None,
    }
}

fn join(a: &Facts, b: &Facts, c: &Facts) -> Result<(), String> {
    let joined = |facts: &[&Facts]| {
        let mut all = Facts::default();
        facts.iter().for_each(|facts| all.join((*facts).clone()));
        all
    };
    let all = joined(&[a, b, c]);
    for (other, way) in [
        (joined(&[c, b, a]), "backwards"),
        (joined(&[&joined(&[a, b]), c]), "to the left"),
        (joined(&[a, &joined(&[b, c])]), "to the right"),
        (joined(&[&all, a, b, &all]), "again"),
    ] {
        if other != all {
            return Err(format!("joined {way}: {other:?} is not {all:?}"));
        }
    }
    // Whatever is joined, deriving does not panic.
    let _ = derive("pi_fuzz", &all);
    Ok(())
}

fn change() -> impl Strategy<Value = Change> {
    let odd = select(vec![
        json!(null),
        json!(0),
        json!(1),
        json!(i64::MAX),
        json!(i64::MAX / 2),
        json!(4_102_444_800_i64),
        json!(true),
        json!(false),
        json!(""),
        json!("usd"),
        json!("succeeded"),
        json!("failed"),
        json!("canceled"),
        json!("pending"),
        json!("lost"),
        json!("won"),
        json!("needs_response"),
        json!("warning_closed"),
        json!("x"),
        json!([]),
        json!({}),
    ]);
    let at = any::<Index>;
    prop_oneof![
        (at(), at(), odd).prop_map(|(event, place, value)| Change::Value(event, place, value)),
        (at(), at(), at(), at()).prop_map(|(event, place, from, there)| Change::Copy(event, place, from, there)),
    ]
}

/// The events with these changes. Left out are those that are not read, and those that give an id to an object of
/// another kind than it had before: Stripe's ids never do.
fn altered(events: &[Event], changes: &[Change]) -> Vec<Event> {
    let mut bodies: Vec<Value> = events
        .iter()
        .take(MOST_EVENTS)
        .map(|event| serde_json::from_str(&event.body).expect("a body is JSON"))
        .collect();
    for change in changes {
        match change {
            _ if bodies.is_empty() => {}
            Change::Value(event, place, value) => {
                let event = event.index(bodies.len());
                *leaf(&mut bodies[event], place) = value.clone();
            }
            Change::Copy(event, place, from, there) => {
                let (event, from) = (event.index(bodies.len()), from.index(bodies.len()));
                let value = leaf(&mut bodies[from], there).clone();
                *leaf(&mut bodies[event], place) = value;
            }
        }
    }
    let event = |(event, body): (&Event, Value)| Event { body: body.to_string(), ..event.clone() };
    let mut kinds: HashMap<String, &'static str> = HashMap::new();
    let fits = |event: &Event| {
        let Some(facts) = facts_of(event) else { return false };
        let found: Vec<_> = facts.held().chain(facts.named().filter(|(_, kind)| *kind != "payment")).collect();
        let mut known = kinds.clone();
        let fits = found.into_iter().all(|(id, kind)| *known.entry(id.to_owned()).or_insert(kind) == kind);
        if fits {
            kinds = known;
        }
        fits
    };
    events.iter().zip(bodies).map(event).filter(fits).collect()
}

/// A value of the event's object, or its time, account or mode, that holds no others.
fn leaf<'a>(body: &'a mut Value, at: &Index) -> &'a mut Value {
    fn count(value: &Value) -> usize {
        match value {
            Value::Object(fields) if !fields.is_empty() => fields.values().map(count).sum(),
            Value::Array(values) if !values.is_empty() => values.iter().map(count).sum(),
            _ => 1,
        }
    }
    fn nth(value: &mut Value, mut n: usize) -> &mut Value {
        let is_leaf = !matches!(value, Value::Object(fields) if !fields.is_empty())
            && !matches!(value, Value::Array(values) if !values.is_empty());
        if is_leaf {
            return value;
        }
        let below: Vec<&mut Value> = match value {
            Value::Object(fields) => fields.values_mut().collect(),
            Value::Array(values) => values.iter_mut().collect(),
            _ => Vec::new(),
        };
        for value in below {
            let leaves = count(value);
            if n < leaves {
                return nth(value, n);
            }
            n -= leaves;
        }
        unreachable!("a value has as many leaves as were counted")
    }
    let leaves = count(body);
    nth(body, at.index(leaves))
}

fn check(events: &[Event], seed: u64) -> Result<(), String> {
    let events: Vec<ReadEvent> = events.iter().map(ReadEvent::of).collect::<Result<_, _>>()?;
    let one_by_one: Vec<Vec<&ReadEvent>> = events.iter().map(|event| vec![event]).collect();
    let backwards: Vec<Vec<&ReadEvent>> = events.iter().rev().map(|event| vec![event]).collect();
    let at_once: Vec<Vec<&ReadEvent>> = vec![events.iter().collect()];
    let expected = end(&one_by_one)?;
    for (way, batches) in
        [("backwards", backwards), ("at once", at_once), ("shuffled, with repeats", shuffled(&events, seed))]
    {
        let found = end(&batches)?;
        if found != expected {
            return Err(format!("{way} it differs:\n{}", difference(&found, &expected)));
        }
    }
    Ok(())
}

/// The rows that differ.
fn difference(found: &Tables, expected: &Tables) -> String {
    let lines = |tables: &Tables| format!("{tables:?}").replace("), ", ")\n").replace("}, ", "}\n");
    let (found, expected) = (lines(found), lines(expected));
    let only = |these: &str, those: &str| -> Vec<String> {
        these.lines().filter(|line| !those.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    format!("{}\nis not\n{}", only(&found, &expected).join("\n"), only(&expected, &found).join("\n"))
}

fn shuffled(events: &[ReadEvent], seed: u64) -> Vec<Vec<&ReadEvent>> {
    let mut dice = Dice(seed);
    let mut queue: Vec<&ReadEvent> = events.iter().chain(events.iter().step_by(2)).collect();
    (1..queue.len()).rev().for_each(|n| queue.swap(n, dice.roll(n + 1)));
    queue.chunks(3).map(<[&ReadEvent]>::to_vec).collect()
}

fn end(batches: &[Vec<&ReadEvent>]) -> Result<Tables, String> {
    batches.iter().try_fold(Tables::default(), |tables, batch| tables.with(batch))
}

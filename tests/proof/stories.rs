//! Every story and every sample ends in the same state, whatever the order of its events.
//!
//! In memory, as in `memory.rs`. Here all rows are compared after each batch. Which end is right only the reviewed
//! snapshot says.
//!
//! The tables after a batch are a function of the tables before it and of the batch. So where two orders have delivered
//! the same events and the tables are equal, the rest needs to be tried only once: this is how every order of nine
//! events can be tried at all.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Instant;

use clawback::dev::stories::{self, Cast};
use serde_json::{Value, json};

use crate::chance::Dice;
use crate::life::Event;
use crate::samples;
use crate::table::{self, Rows};
use crate::tables::{ReadEvent, Tables};

/// When our stories begin. The tests on Postgres use the same time.
const START: i64 = 1_785_000_000;
/// Up to so many events are delivered in every order, one by one.
const EVERY_ORDER: usize = 9;
/// Up to so many events are delivered in every order in one batch too: that is 720 orders.
const EVERY_ORDER_AT_ONCE: usize = 6;
/// For a longer story: how many halves are tried, and in how many orders each half.
const HALVES: usize = 16;
const ORDERS_OF_A_HALF: usize = 8;
/// In how many random orders each story is delivered as well.
const SHUFFLES: usize = 50;

#[test]
fn every_story_ends_in_one_state_whatever_the_order() {
    let ours = stories::all().iter().map(|story| {
        let told = story.tell(&Cast::new(story.name, START));
        let events = told.into_iter().map(|e| Event { id: e.id, kind: e.r#type, created: e.created, body: e.body });
        (story.name.to_owned(), events.collect())
    });
    let page = page(ours.collect());
    insta::assert_snapshot!("our_stories", page);
}

#[test]
fn every_sample_ends_in_one_state_whatever_the_order() {
    let Some(folder) = samples::folder() else { return };
    let told = samples::stories(&folder).into_iter().map(|(name, bodies)| (name, bodies.into_iter().map(event)));
    let page = page(told.map(|(name, events)| (name, events.collect())).collect());
    insta::assert_snapshot!("sample_stories", page);
}

#[test]
fn at_least_eight_stories_are_long() {
    let long = |story: &&stories::Story| (8..=15).contains(&story.tell(&Cast::new(story.name, START)).len());
    assert!(stories::all().iter().filter(long).count() >= 8);
}

fn event(body: String) -> Event {
    let parsed: Value = serde_json::from_str(&body).expect("a sample is JSON");
    let text = |field: &str| parsed[field].as_str().expect("text").to_owned();
    Event { id: text("id"), kind: text("type"), created: parsed["created"].as_i64().expect("a time"), body }
}

/// The end state of each story under its heading.
fn page(told: Vec<(String, Vec<Event>)>) -> String {
    let (began, count) = (Instant::now(), told.len());
    let (left, blocks) = (Mutex::new(told.into_iter().enumerate()), Mutex::new(Vec::new()));
    let work = || {
        while let Some((place, (name, events))) = { left.lock().expect("no panic").next() } {
            let block = block(&name, &events);
            blocks.lock().expect("no panic").push((place, block));
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get)).for_each(|_| {
            scope.spawn(work);
        });
    });
    let mut blocks = blocks.into_inner().expect("no panic");
    blocks.sort();
    println!("in memory: stories {count}, seconds {:.1}", began.elapsed().as_secs_f64());
    blocks.into_iter().map(|(_, block)| block).collect()
}

fn block(name: &str, events: &[Event]) -> String {
    let events: Vec<ReadEvent> =
        events.iter().map(|event| ReadEvent::of(event).unwrap_or_else(|wrong| panic!("{name}: {wrong}"))).collect();
    let mut tried = Tried::new(name, &events);
    let orders = tried.all();
    format!("\n{name}: {} events, {orders} orders\n{}", events.len(), table::lines(rows(tried.end())))
}

/// What was tried of a story so far. A set of events is a number with one bit for each event.
struct Tried<'a> {
    name: &'a str,
    events: &'a [ReadEvent],
    /// The tables after each set of events, whatever the order.
    after: HashMap<u32, Tables>,
    /// The sets and the batches that were delivered after them.
    batches: HashSet<(u32, Vec<usize>)>,
}

impl<'a> Tried<'a> {
    fn new(name: &'a str, events: &'a [ReadEvent]) -> Self {
        Self { name, events, after: [(0, Tables::default())].into(), batches: HashSet::new() }
    }

    /// Tries all orders that this file promises, and returns their number.
    fn all(&mut self) -> usize {
        let count = self.events.len();
        let in_order: Vec<usize> = (0..count).collect();
        let reversed: Vec<usize> = (0..count).rev().collect();
        for order in [in_order, reversed] {
            self.way(0, &cut(&order, |_| true));
            self.way(0, &[order]);
        }
        (0..SHUFFLES as u64).for_each(|seed| self.shuffled(seed));
        if count <= EVERY_ORDER_AT_ONCE {
            for order in orders(count) {
                self.way(0, &[order]);
            }
        }
        if count <= EVERY_ORDER {
            self.every_order();
            return (1..=count).product();
        }
        (0..HALVES as u64).for_each(|seed| self.halves(seed));
        2 + SHUFFLES + HALVES * ORDERS_OF_A_HALF * ORDERS_OF_A_HALF
    }

    /// Delivers each event after each set of others: so all orders are tried.
    fn every_order(&mut self) {
        for seen in 0..1 << self.events.len() {
            for place in (0..self.events.len()).filter(|place| seen & (1 << place) == 0) {
                self.batch(seen, &[place]);
            }
        }
    }

    /// All events shuffled, some of them twice.
    fn shuffled(&mut self, seed: u64) {
        let mut dice = Dice(seed);
        let order = shuffled(&(0..self.events.len()).collect::<Vec<_>>(), &mut dice);
        self.way(0, &some_batches(order, &mut dice));
    }

    /// One half in several orders, then the other half in as many. Between the two the tables are equal, so each order
    /// of one half is tried with each of the other.
    fn halves(&mut self, seed: u64) {
        let mut dice = Dice(!seed);
        let mut places: Vec<usize> = (0..self.events.len()).collect();
        shuffle(&mut places, &mut dice);
        let (one, other) = places.split_at(places.len() / 2);
        for _ in 0..ORDERS_OF_A_HALF {
            let seen = self.way(0, &some_batches(shuffled(one, &mut dice), &mut dice));
            self.way(seen, &some_batches(shuffled(other, &mut dice), &mut dice));
        }
    }

    /// Delivers one batch after another, and returns the set of events delivered by then.
    fn way(&mut self, seen: u32, batches: &[Vec<usize>]) -> u32 {
        batches.iter().fold(seen, |seen, batch| self.batch(seen, batch))
    }

    /// Delivers a batch after a set of events, and returns the set of events delivered by then.
    fn batch(&mut self, seen: u32, batch: &[usize]) -> u32 {
        let now = batch.iter().fold(seen, |seen, place| seen | 1 << place);
        if self.batches.insert((seen, batch.to_vec())) {
            let events: Vec<&ReadEvent> = batch.iter().map(|place| &self.events[*place]).collect();
            let after = self.after[&seen].with(&events).unwrap_or_else(|wrong| panic!("{}: {wrong}", self.name));
            let known = self.after.entry(now).or_insert_with(|| after.clone());
            let (name, bits) = (self.name, self.events.len());
            assert!(
                after == *known,
                "{name}: after the events {seen:0bits$b} the batch {batch:?} brings about\n{}",
                difference(&after, known)
            );
        }
        now
    }

    fn end(&self) -> &Tables {
        &self.after[&((1 << self.events.len()) - 1)]
    }
}

/// Every order of that many places.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let with = |order: &Vec<usize>, at: usize, place: usize| {
        let mut order = order.clone();
        order.insert(at, place);
        order
    };
    (0..count).fold(vec![Vec::new()], |orders, place| {
        orders.iter().flat_map(|order| (0..=place).map(move |at| with(order, at, place))).collect()
    })
}

/// The places shuffled, one in six of them twice.
fn shuffled(places: &[usize], dice: &mut Dice) -> Vec<usize> {
    let mut order = places.to_vec();
    order.extend(places.iter().filter(|_| dice.roll(6) == 0));
    shuffle(&mut order, dice);
    order
}

fn shuffle(places: &mut [usize], dice: &mut Dice) {
    (1..places.len()).rev().for_each(|n| places.swap(n, dice.roll(n + 1)));
}

/// One by one, cut at random, or in most cases all at once.
fn some_batches(order: Vec<usize>, dice: &mut Dice) -> Vec<Vec<usize>> {
    match dice.roll(5) {
        0 => cut(&order, |_| true),
        1 => cut(&order, |_| dice.roll(3) == 0),
        _ => vec![order],
    }
}

/// Batches, of which a new one begins where `begins` says so.
fn cut(order: &[usize], mut begins: impl FnMut(usize) -> bool) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for place in order {
        match batches.last_mut().filter(|_| !begins(*place)) {
            Some(batch) => batch.push(*place),
            None => batches.push(vec![*place]),
        }
    }
    batches
}

fn rows(end: &Tables) -> Rows {
    let value = |row: Result<Value, _>| row.expect("rows are JSON");
    let follow_ups = end.wanted.values().flatten().map(|wanted| {
        json!({ "kind": wanted.kind, "subject": wanted.subject, "round": wanted.round, "payload": wanted.payload,
            "due_at": wanted.due_at })
    });
    Rows {
        orders: end.orders.values().map(|row| value(serde_json::to_value(row))).collect(),
        payments: end.payments.values().filter(|p| !p.orphan).map(|row| value(serde_json::to_value(row))).collect(),
        refunds: end.refunds.values().map(|row| value(serde_json::to_value(row))).collect(),
        disputes: end.disputes.values().map(|row| value(serde_json::to_value(row))).collect(),
        warnings: end.warnings.values().map(|row| value(serde_json::to_value(row))).collect(),
        follow_ups: follow_ups.collect(),
    }
}

/// The lines in which two states differ.
fn difference(one: &Tables, other: &Tables) -> String {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let lines = one.lines().zip(other.lines()).filter(|(one, other)| one != other).take(20);
    lines.map(|(one, other)| format!("{one}\n  and before {other}\n")).collect()
}

#[test]
fn all_permutations_are_generated() {
    let mut all = orders(4);
    all.sort();
    all.dedup();
    assert_eq!((all.len(), &all[0], &all[23]), (24, &vec![0, 1, 2, 3], &vec![3, 2, 1, 0]));
}

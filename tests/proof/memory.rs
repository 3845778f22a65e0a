//! The proof in memory: lives are delivered shuffled, with repeats and in batches, and the end state always equals
//! the truth.
//!
//! The fold is the service's own, reader and working set; the tables are simulated: between two batches only
//! these survive: the facts as JSON, the owners of objects, and the rows that were written. The proof on a
//! real database is in `postgres.rs`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::chance::{Dice, number, rng};
use crate::life::Life;
use crate::life::plan::Plan;
use crate::life::strategy::plans;
use crate::tables::{ReadEvent, Tables};
use crate::truth::{differences, truth};

/// Each life can be delivered as it happened, backwards, and twice shuffled.
pub const WAYS: usize = 4;
/// The default of `LIVES`: takes half a minute, unoptimised.
const LIVES: u64 = 10_000;

#[derive(Default)]
pub struct Count {
    lives: AtomicU64,
    deliveries: AtomicU64,
    events: AtomicU64,
}

/// `LIVES` is the number of lives, `DELIVERIES` of deliveries of each, half of them in order or reversed.
#[test]
fn the_end_is_the_truth_however_events_arrive() {
    let (lives, seed) = (number("LIVES", LIVES), number("SEED", 1));
    let deliveries = usize::try_from(number("DELIVERIES", 2)).expect("a few");
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get) as u64;
    let (count, began) = (Count::default(), Instant::now());
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let share = |n| lives / threads + u64::from(n < lives % threads);
        let count = &count;
        let threads: Vec<_> = (0..threads)
            .map(|n| scope.spawn(move || try_lives(share(n), seed * 1_000 + n, deliveries, count).err()))
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
    });
    let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "in memory: lives {}, deliveries {}, events {}, seconds {:.1}, wrong: {}",
        read(&count.lives),
        read(&count.deliveries),
        read(&count.events),
        began.elapsed().as_secs_f64(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Lives drawn from one seed; the first that ends wrong is shrunk and recorded.
fn try_lives(lives: u64, seed: u64, deliveries: usize, count: &Count) -> Result<(), String> {
    let config = Config {
        cases: u32::try_from(lives).expect("as many lives as fit"),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng(seed));
    let result = runner.run(&plans(), |plan| {
        count.lives.fetch_add(1, Ordering::Relaxed);
        check(&plan, deliveries, count).map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, plan)) => Err(check(&plan, deliveries, count).expect_err("it was wrong before")),
        Err(TestError::Abort(reason)) => Err(reason.to_string()),
    }
}

/// Delivers a life several times; returns the first end state that differs from the truth.
pub fn check(plan: &Plan, deliveries: usize, count: &Count) -> Result<(), String> {
    let life = Life::of(plan);
    let truth = truth(&life);
    let events = life.visible().map(|moment| ReadEvent::of(&moment.event)).collect::<Result<Vec<_>, _>>()?;
    let straight = plan.seed % 2;
    for way in [straight, 2, 1 - straight, 3].into_iter().take(deliveries) {
        let batches = deliver(&events, plan.seed, way);
        count.deliveries.fetch_add(1, Ordering::Relaxed);
        count.events.fetch_add(batches.iter().map(Vec::len).sum::<usize>() as u64, Ordering::Relaxed);
        let wrong = match Tables::after(&batches, &mut Dice(plan.seed ^ way)) {
            Ok(end) => differences(&truth, &end),
            Err(wrong) => vec![wrong],
        };
        if !wrong.is_empty() {
            let arrived: Vec<Vec<&str>> =
                batches.iter().map(|batch| batch.iter().map(|event| event.id.as_str()).collect()).collect();
            return Err(format!("{}\ndelivered: {arrived:?}\n{}", life.story(), wrong.join("\n")));
        }
    }
    Ok(())
}

/// One way for events to arrive: as they happened, backwards, or shuffled; some twice; in batches.
fn deliver<T>(events: &[T], seed: u64, way: u64) -> Vec<Vec<&T>> {
    let mut dice = Dice(seed ^ way.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut queue: Vec<&T> = events.iter().collect();
    match way {
        0 => {}
        1 => queue.reverse(),
        _ => {
            queue.extend(events.iter().filter(|_| dice.roll(3) == 0));
            (1..queue.len()).rev().for_each(|n| queue.swap(n, dice.roll(n + 1)));
        }
    }
    let mut batches: Vec<Vec<&T>> = Vec::new();
    for event in queue {
        match batches.last_mut().filter(|_| way == 0 || dice.roll(4) > 0) {
            Some(batch) => batch.push(event),
            None => batches.push(vec![event]),
        }
    }
    batches
}

/// The proof covers only cases that occur in lives.
#[test]
fn lives_meet_every_state_and_follow_up() {
    let mut runner = TestRunner::new_with_rng(Config::default(), rng(7));
    let (mut states, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..1_500 {
        let plan = plans().new_tree(&mut runner).expect("a plan").current();
        let end = truth(&Life::of(&plan));
        for payment in end.payments.values() {
            *states.entry(payment.sums.state.clone()).or_insert(0_usize) += 1;
        }
        for wanted in &end.wanted {
            *kinds.entry(wanted.kind.clone()).or_insert(0_usize) += 1;
        }
    }
    println!("{states:?}\n{kinds:?}");
    assert_eq!(states.len(), 12, "{states:?}");
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

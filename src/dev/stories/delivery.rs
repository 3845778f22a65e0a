//! In which order, and how often, events arrive: a plan over positions, so that it serves one
//! story as well as several together. Sends nothing.

use std::num::NonZeroUsize;

/// The order in which events are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they happened.
    AsHappened,
    /// The last first.
    Reversed,
    /// In an order that follows from this seed.
    Shuffled(u64),
}

/// How far behind an event its next copy follows, in events: far enough that others lie between.
const COPY_LAG: usize = 2;

/// The positions of `count` events in the order in which to deliver them, each `copies` times.
/// Copies lie between other events, as Stripe's repeats do.
#[must_use]
pub fn plan(count: usize, order: Order, copies: NonZeroUsize) -> Vec<usize> {
    let mut plan = interleaved(count, copies.get());
    match order {
        Order::AsHappened => {}
        Order::Reversed => plan.iter_mut().for_each(|position| *position = count - 1 - *position),
        Order::Shuffled(seed) => shuffle(&mut plan, seed),
    }
    plan
}

fn interleaved(count: usize, copies: usize) -> Vec<usize> {
    let mut slots: Vec<(usize, usize)> =
        (0..copies).flat_map(|copy| (0..count).map(move |position| (position + copy * COPY_LAG, position))).collect();
    // Of one slot the later event goes first, so that a copy never directly follows its original.
    slots.sort_by_key(|(slot, position)| (*slot, std::cmp::Reverse(*position)));
    slots.into_iter().map(|(_, position)| position).collect()
}

/// Fisher and Yates' shuffle.
fn shuffle(plan: &mut [usize], seed: u64) {
    let mut state = seed;
    for last in (1..plan.len()).rev() {
        let bound = last as u64 + 1;
        // A remainder below `bound` fits whatever `last` did.
        let other = usize::try_from(splitmix64(&mut state) % bound).unwrap_or(last);
        plan.swap(last, other);
    }
}

/// The generator of Steele, Lea and Flood. Written out here because neither `rand` nor `fastrand` promises that a
/// seed gives the same shuffle in later versions, and an order that found a fault must be reproducible.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONCE: NonZeroUsize = NonZeroUsize::MIN;
    const THRICE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

    #[test]
    fn as_happened_and_reversed_are_what_they_say() {
        assert_eq!(plan(4, Order::AsHappened, ONCE), [0, 1, 2, 3]);
        assert_eq!(plan(4, Order::Reversed, ONCE), [3, 2, 1, 0]);
        assert_eq!(plan(0, Order::Reversed, THRICE), [0_usize; 0]);
    }

    #[test]
    fn copies_lie_between_other_events() {
        let twice = ONCE.saturating_add(1);
        assert_eq!(plan(4, Order::AsHappened, twice), [0, 1, 2, 0, 3, 1, 2, 3]);
    }

    #[test]
    fn every_order_delivers_every_event_as_often_as_asked() {
        for order in [Order::AsHappened, Order::Reversed, Order::Shuffled(7)] {
            let mut sorted = plan(20, order, THRICE);
            sorted.sort_unstable();
            let expected: Vec<usize> = (0..20).flat_map(|position| [position; 3]).collect();
            assert_eq!(sorted, expected, "{order:?}");
        }
    }

    #[test]
    fn a_seed_always_gives_the_same_shuffle() {
        assert_eq!(plan(8, Order::Shuffled(1), ONCE), plan(8, Order::Shuffled(1), ONCE));
        assert_ne!(plan(8, Order::Shuffled(1), ONCE), plan(8, Order::Shuffled(2), ONCE));
    }

    /// The first numbers of the published reference for seed 1234567.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut state = 1_234_567;
        assert_eq!(splitmix64(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(splitmix64(&mut state), 3_203_168_211_198_807_973);
    }
}

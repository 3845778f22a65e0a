//! The one back-off policy: how long to wait before something that failed is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The shortest delay, without jitter.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest delay, without jitter.
const LONGEST: Duration = Duration::from_secs(2);

/// The delay after this many failures in a row: it doubles from 0.1 s to 2 s, with jitter of at most as much again, so
/// that replicas do not retry in step.
#[must_use]
pub(crate) fn delay(failures: u32) -> Duration {
    between(SHORTEST, LONGEST, failures)
}

/// The same between other bounds, which are those without jitter.
#[must_use]
pub(crate) fn between(shortest: Duration, longest: Duration, failures: u32) -> Duration {
    let delays = ExponentialBuilder::default().with_min_delay(shortest).with_max_delay(longest).without_max_times();
    let position = failures.saturating_sub(1).min(16) as usize;
    delays.with_jitter().build().nth(position).unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_jitter_at_most_doubles_them() {
        for (failures, shortest) in [(0, 100), (1, 100), (2, 200), (3, 400), (5, 1_600), (6, 2_000), (u32::MAX, 2_000)]
        {
            let (delay, shortest) = (delay(failures), Duration::from_millis(shortest));
            assert!(delay >= shortest && delay <= 2 * shortest, "{failures}: {delay:?}");
        }
    }
}

//! How fast and how many at a time this process calls Stripe, per account and mode: far below Stripe's own limits.
//!
//! A token bucket and a number of places. Not here: one limit over several processes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// How many accounts are remembered before idle ones are forgotten.
const MANY: usize = 1_000;

/// The limits of one account in one mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls per second; also how many may be made at once after a pause.
    pub per_second: u32,
    /// Calls that wait for an answer at the same time.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_second: 10, at_once: 2 }
    }
}

/// The lanes of all accounts, made when they are first used.
#[derive(Debug)]
pub(super) struct Lanes<K> {
    limits: Limits,
    lanes: Mutex<HashMap<K, Arc<Lane>>>,
}

impl<K: Eq + Hash> Lanes<K> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, lanes: Mutex::default() }
    }

    pub(super) fn lane(&self, key: K) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() > MANY {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || lane.is_busy());
        }
        lanes.entry(key).or_insert_with(|| Arc::new(Lane::new(self.limits))).clone()
    }
}

/// The calls on one account.
#[derive(Debug)]
pub(super) struct Lane {
    places: Arc<Semaphore>,
    /// When the bucket is full again: each call moves it by an interval.
    full_at: Mutex<Instant>,
    interval: Duration,
    bucket: Duration,
}

impl Lane {
    fn new(limits: Limits) -> Self {
        let interval = Duration::from_secs(1) / limits.per_second.max(1);
        Self {
            places: Arc::new(Semaphore::new(limits.at_once.max(1))),
            full_at: Mutex::new(Instant::now()),
            interval,
            bucket: interval * limits.per_second.max(1),
        }
    }

    /// Waits for a place and a token. The place is taken until the value is dropped.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        sleep_until(self.take()).await;
        place
    }

    /// Takes a token, and says from when on it is valid.
    fn take(&self) -> Instant {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        *full_at = (*full_at).max(now) + self.interval;
        full_at.checked_sub(self.bucket).unwrap_or(now)
    }

    fn is_busy(&self) -> bool {
        *self.full_at.lock().unwrap_or_else(PoisonError::into_inner) > Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_is_spent_at_once_and_then_refills_steadily() {
        let before = Instant::now();
        let lane = Lane::new(Limits { per_second: 10, at_once: 2 });
        let from: Vec<_> = (0..30).map(|_| lane.take()).collect();
        let after = Instant::now();
        assert!(from[..10].iter().all(|moment| *moment <= after));
        assert!(from[29] >= before + Duration::from_millis(1_990), "{:?}", from[29] - before);
        assert!(from[29] <= after + Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_turn_is_over() {
        let lane = Lane::new(Limits { per_second: 1_000, at_once: 2 });
        let first = lane.turn().await;
        let _second = lane.turn().await;
        assert_eq!(lane.places.available_permits(), 0);
        drop(first);
        let _third = lane.turn().await;
    }

    #[test]
    fn each_account_has_a_lane_and_idle_ones_are_forgotten() {
        let lanes = Lanes::new(Limits { per_second: 1, at_once: 1 });
        let kept = lanes.lane(0);
        let busy = lanes.lane(1);
        busy.take();
        drop(busy);
        (2..=MANY + 1).for_each(|account| drop(lanes.lane(account)));
        assert!(Arc::ptr_eq(&kept, &lanes.lane(0)));
        assert!(lanes.lane(1).is_busy());
        assert!(lanes.lanes.lock().expect("lanes").len() <= 3);
    }
}

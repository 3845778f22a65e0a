//! How often somebody may try to log in: a bucket of tries for each name at each peer, and a larger one for each peer.
//!
//! Pure: the time comes in. Never by name alone, or anybody could lock everybody out. The peer's bucket bounds how fast
//! one machine can go through names; it is larger, since everybody behind one proxy is one peer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::http::Peer;

/// For a name at a peer.
const OF_NAME: Limit = Limit { burst: 5, refill: Duration::from_secs(60) };
/// For a peer.
const OF_PEER: Limit = Limit { burst: 20, refill: Duration::from_secs(6) };
/// Buckets that are kept, so that made-up names fill no memory.
const MAX_BUCKETS: usize = 10_000;
/// The longest name that is a key of its own, in bytes. No user has a longer one.
const MAX_NAME: usize = 255;

/// How long to wait before the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(Duration);

impl Wait {
    /// In whole seconds, rounded up.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
    }
}

/// The size of a bucket.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// Tries that are allowed at once.
    burst: u32,
    /// Until there is one more.
    refill: Duration,
}

/// Whose tries are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Peer(Peer),
    NameAt(String, Peer),
}

impl Key {
    fn both(name: &str, peer: Peer) -> [Self; 2] {
        let name = if name.len() > MAX_NAME { "" } else { name };
        [Self::NameAt(name.to_owned(), peer), Self::Peer(peer)]
    }

    fn limit(&self) -> Limit {
        match self {
            Self::Peer(_) => OF_PEER,
            Self::NameAt(..) => OF_NAME,
        }
    }
}

/// The tries of late. A bucket is kept as the time when all of its tries will be there again.
#[derive(Debug, Default)]
pub struct Attempts(HashMap<Key, Instant>);

impl Attempts {
    /// Takes a try for this name at this peer. Call it before the password is checked, and [`Self::succeeded`] if it
    /// was right.
    ///
    /// # Errors
    /// [`Wait`] when there is none: nothing is taken then.
    pub fn try_now(&mut self, name: &str, peer: Peer, now: Instant) -> Result<(), Wait> {
        let keys = Key::both(name, peer);
        if let Some(wait) = keys.iter().filter_map(|key| self.wait(key, now)).max() {
            return Err(Wait(wait));
        }
        keys.into_iter().for_each(|key| self.take(key, now));
        Ok(())
    }

    /// Forgets the tries for a name at a peer, and gives the last one back to the peer.
    pub fn succeeded(&mut self, name: &str, peer: Peer) {
        let [pair, peer] = Key::both(name, peer);
        self.0.remove(&pair);
        if let Some(full) = self.0.get_mut(&peer) {
            *full = full.checked_sub(OF_PEER.refill).unwrap_or(*full);
        }
    }

    /// How long until this bucket has a try; none when it has one.
    fn wait(&self, key: &Key, now: Instant) -> Option<Duration> {
        let Limit { burst, refill } = key.limit();
        let missing = self.0.get(key)?.saturating_duration_since(now);
        let wait = missing.saturating_sub(refill * (burst - 1));
        (!wait.is_zero()).then_some(wait)
    }

    fn take(&mut self, key: Key, now: Instant) {
        if self.0.len() >= MAX_BUCKETS && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let refill = key.limit().refill;
        let full = self.0.entry(key).or_insert(now);
        *full = (*full).max(now) + refill;
    }

    /// Drops the buckets that are full again, which are as good as none; if that is not enough, the half that is full
    /// soonest. Those who tried most stay locked out.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, full| *full > now);
        if self.0.len() >= MAX_BUCKETS {
            let mut times: Vec<Instant> = self.0.values().copied().collect();
            let (_, median, _) = times.select_nth_unstable(MAX_BUCKETS / 2);
            let median = *median;
            self.0.retain(|_, full| *full > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn peer(last: u8) -> Peer {
        Peer::Address(IpAddr::from([10, 0, 0, last]))
    }

    /// How many of these tries are let through.
    fn passed(attempts: &mut Attempts, tries: impl IntoIterator<Item = (String, Peer)>, now: Instant) -> usize {
        tries.into_iter().filter(|(name, peer)| attempts.try_now(name, *peer, now).is_ok()).count()
    }

    #[test]
    fn the_sixth_try_waits_and_one_comes_back_each_minute() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        let anna = || std::iter::repeat_with(|| ("anna".to_owned(), peer(1)));
        assert_eq!(passed(&mut attempts, anna().take(9), start), 5);
        assert_eq!(attempts.try_now("anna", peer(1), start + 20 * SECOND).map_err(Wait::seconds), Err(40));
        assert_eq!(attempts.try_now("anna", peer(1), start + SECOND / 2).map_err(Wait::seconds), Err(60));
        assert_eq!(passed(&mut attempts, anna().take(9), start + 60 * SECOND), 1);
        assert_eq!(passed(&mut attempts, anna().take(9), start + 3600 * SECOND), 5, "never more than at first");
    }

    #[test]
    fn nobody_is_locked_out_by_another_peer_or_name() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        assert_eq!(passed(&mut attempts, vec![("anna".to_owned(), peer(1)); 9], now), 5);
        for (name, peer) in [("anna", peer(2)), ("anna", Peer::UnixSocket), ("bob", peer(1))] {
            assert_eq!(attempts.try_now(name, peer, now), Ok(()), "{name} {peer:?}");
        }
    }

    #[test]
    fn a_peer_that_goes_through_names_is_slowed_down() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let names = || (0..100).map(|n| (format!("user{n}"), peer(1)));
        assert_eq!(passed(&mut attempts, names(), now), 20);
        assert_eq!(attempts.try_now("anna", peer(1), now), Err(Wait(6 * SECOND)));
        assert_eq!(passed(&mut attempts, names(), now + 60 * SECOND), 10);
    }

    #[test]
    fn a_success_forgets_what_went_wrong_before() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(attempts.try_now("anna", peer(1), now), Ok(()));
            attempts.succeeded("anna", peer(1));
        }
        assert_eq!(passed(&mut attempts, vec![("anna".to_owned(), peer(1)); 9], now), 5);
    }

    #[test]
    fn made_up_names_fill_no_memory_and_free_nobody() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        assert_eq!(passed(&mut attempts, vec![("anna".to_owned(), peer(1)); 9], now), 5);
        for n in 0..u32::try_from(3 * MAX_BUCKETS).unwrap() {
            let peer = Peer::Address(IpAddr::from(n.to_be_bytes()));
            assert_eq!(attempts.try_now(&"x".repeat(400), peer, now + SECOND), Ok(()));
            assert!(attempts.0.len() <= MAX_BUCKETS, "{}", attempts.0.len());
        }
        assert!(attempts.try_now("anna", peer(1), now + SECOND).is_err());
    }
}

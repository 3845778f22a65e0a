//! All that the double knows: accounts, keys, answers kept by idempotency keys, faults, endpoints, the log of requests.
//!
//! The wall clock comes in as an argument; the world's own time runs beside it and can be set.

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::books::Books;
use super::faults::Fault;
use super::idempotency::Store;
use super::keys::Keys;
use super::requests::Logged;
use super::webhooks::Hooks;
use crate::dev::model::{Account, Ids};

/// The platform's own account, among the connected ones.
pub(super) const PLATFORM: &str = "";
/// The time in ids, in unix seconds: one for all, so that they follow from the seed.
const TIME_IN_IDS: i64 = 1_760_000_000;

/// Everything, behind one lock.
#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) livemode: bool,
    /// By account id; the platform's is empty.
    pub(super) books: IndexMap<String, Books>,
    pub(super) keys: Keys,
    pub(super) kept: Store,
    pub(super) faults: Vec<Fault>,
    pub(super) requests: Vec<Logged>,
    pub(super) hooks: Hooks,
    /// How many seconds an object is not listed yet after it was made.
    pub(super) list_lag: i64,
    /// How many requests an account may make within one second.
    pub(super) rate_limit: Option<usize>,
    pub(super) ids: Ids,
    seed: u64,
}

/// The world's time: the wall clock plus an offset, or a time at which it stands still.
#[derive(Debug, Clone, Copy)]
pub(super) enum Clock {
    /// Runs this many seconds ahead of the wall clock.
    Ahead(i64),
    /// Stands still at this time, in unix seconds.
    Stopped(i64),
}

impl Clock {
    pub(super) fn now(self, wall: i64) -> i64 {
        match self {
            Self::Ahead(seconds) => wall + seconds,
            Self::Stopped(at) => at,
        }
    }
}

impl World {
    /// A world with an empty platform account. The seed decides all ids.
    pub(super) fn new(seed: u64, livemode: bool) -> Self {
        let mut world = Self {
            clock: Clock::Ahead(0),
            livemode,
            books: IndexMap::new(),
            keys: Keys::default(),
            kept: Store::default(),
            faults: Vec::new(),
            requests: Vec::new(),
            hooks: Hooks::default(),
            list_lag: 0,
            rate_limit: None,
            ids: ids(seed, "requests"),
            seed,
        };
        world.open(PLATFORM);
        world
    }

    /// Opens an account, unless it is open.
    pub(super) fn open(&mut self, id: &str) {
        let connected = (id != PLATFORM).then(|| id.to_owned());
        let (seed, livemode) = (self.seed, self.livemode);
        let open = || Books::new(Account::new(ids(seed, id), 0, livemode, connected));
        self.books.entry(id.to_owned()).or_insert_with(open);
    }

    /// Brings the world to this time of the wall clock, with all that happens until then.
    pub(super) fn advance(&mut self, wall: i64) {
        let now = self.clock.now(wall);
        for books in self.books.values_mut() {
            books.live_until(now);
        }
        self.kept.forget(now);
        self.hand_over(wall);
    }

    /// Hands new events to the webhooks.
    pub(super) fn hand_over(&mut self, wall: i64) {
        for (id, books) in &mut self.books {
            let events = &books.account.events()[books.handed_over..];
            self.hooks.enqueue(id, events, wall);
            books.handed_over += events.len();
        }
    }
}

fn ids(seed: u64, whose: &str) -> Ids {
    let seed = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(whose).finalize();
    Ids::new(seed.into(), TIME_IN_IDS)
}

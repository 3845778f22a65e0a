//! The places for connections, and who gives up a place when all are taken.
//!
//! A connection that has proven nothing yields to a new one, the oldest first: a genuine delivery takes milliseconds, and
//! idle or slow strangers are older than that. One that delivered a signed event is kept longest. A peer that holds more
//! than its share makes room for its own connections, so that one address cannot push out the others; behind a proxy,
//! which is one peer for all, that changes nothing.
//!
//! Not here: time limits, which also end slow connections while places are free ([`super::server`]).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A peer's share is this part of all places.
const SHARE: usize = 4;
/// How long a place is waited for before another connection is asked to yield.
const YIELD_LIMIT: Duration = Duration::from_millis(100);

/// The other end of a connection. Behind a proxy this is the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A TCP client; never an IPv4 address mapped to IPv6.
    Address(IpAddr),
    /// A process that may open the Unix socket.
    UnixSocket,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::UnixSocket => f.write_str("a Unix socket"),
        }
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Seats {
    free: Arc<Semaphore>,
    share: usize,
    taken: Mutex<Table>,
}

/// The taken places, oldest first.
#[derive(Debug, Default)]
struct Table {
    next: u64,
    seats: BTreeMap<u64, Seat>,
}

/// The place of one connection. Clones are the same place. Each request carries it as an extension.
#[derive(Clone, Debug)]
pub struct Seat {
    peer: Peer,
    standing: Arc<Mutex<Standing>>,
    yields: CancellationToken,
}

/// What a connection has proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Stranger,
    /// A signed event is being stored.
    Delivering,
    /// It delivered a signed event, at last at this time.
    Proven(Instant),
}

/// A taken place. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) seat: Seat,
    number: u64,
    seats: Arc<Seats>,
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(places)), share: places / SHARE, taken: Mutex::default() })
    }

    /// Takes a place for a connection of this peer. When none is free, another connection yields first; waits while all
    /// are delivering.
    pub(super) async fn take(self: &Arc<Self>, peer: Peer) -> Taken {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.make_room(peer).await,
        };
        let seat = Seat { peer, standing: Arc::new(Mutex::new(Standing::Stranger)), yields: CancellationToken::new() };
        let mut table = lock(&self.taken);
        table.next += 1;
        let number = table.next;
        table.seats.insert(number, seat.clone());
        Taken { seat, number, seats: Arc::clone(self), _permit: permit }
    }

    async fn make_room(&self, peer: Peer) -> OwnedSemaphorePermit {
        loop {
            if let Some(seat) = self.who_yields(peer) {
                seat.yields.cancel();
            }
            if let Ok(permit) = timeout(YIELD_LIMIT, Arc::clone(&self.free).acquire_owned()).await {
                return permit.expect("the places are never closed");
            }
        }
    }

    /// Who makes room for a connection of this peer: a stranger, the oldest, and one of the same peer if that holds more
    /// than its share; else whoever delivered longest ago; none while all are delivering.
    fn who_yields(&self, peer: Peer) -> Option<Seat> {
        let table = lock(&self.taken);
        let staying = || table.seats.values().filter(|seat| !seat.yields.is_cancelled());
        let strangers = || staying().filter(|seat| *lock(&seat.standing) == Standing::Stranger);
        let exceeds = staying().filter(|seat| seat.peer == peer).count() > self.share;
        let own = exceeds.then(|| strangers().find(|seat| seat.peer == peer)).flatten();
        let proven = |seat: &&Seat| match *lock(&seat.standing) {
            Standing::Proven(since) => Some(since),
            Standing::Stranger | Standing::Delivering => None,
        };
        own.or_else(|| strangers().next())
            .or_else(|| staying().filter(|seat| proven(seat).is_some()).min_by_key(proven))
            .cloned()
    }
}

impl Seat {
    /// The other end of the connection.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Notes that the connection delivers a signed event. It does not yield before the guard is dropped, and is kept
    /// longer than strangers from then on.
    pub(super) fn delivers(&self) -> Delivering<'_> {
        *lock(&self.standing) = Standing::Delivering;
        Delivering(self)
    }

    /// Completes when the connection has to be closed.
    pub(super) async fn yields(&self) {
        self.yields.cancelled().await;
    }
}

/// A signed event is being stored for this connection.
pub(super) struct Delivering<'a>(&'a Seat);

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        *lock(&self.0.standing) = Standing::Proven(Instant::now());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        lock(&self.seats.taken).seats.remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, poll};

    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::Address(IpAddr::from([10, 0, 0, last]))
    }

    async fn taken(seats: &Arc<Seats>, peers: &[u8]) -> Vec<Taken> {
        let mut taken = Vec::new();
        for last in peers {
            taken.push(seats.take(peer(*last)).now_or_never().expect("a free place"));
        }
        taken
    }

    /// The positions of those that were asked to yield when a connection of this peer arrived.
    async fn yielding(seats: &Arc<Seats>, taken: &[Taken], newcomer: u8) -> Vec<usize> {
        let mut arriving = Box::pin(seats.take(peer(newcomer)));
        assert!(poll!(&mut arriving).is_pending(), "all places are taken");
        (0..taken.len()).filter(|position| taken[*position].seat.yields.is_cancelled()).collect()
    }

    #[tokio::test]
    async fn the_oldest_stranger_yields_and_its_place_is_taken() {
        let seats = Seats::new(8);
        let mut others = taken(&seats, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
        assert_eq!(yielding(&seats, &others, 9).await, [0]);
        assert_eq!(yielding(&seats, &others, 9).await, [0, 1], "one that is on its way out does not yield again");
        others.remove(0);
        assert!(seats.take(peer(9)).now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_delivered_is_kept_longer_than_strangers_and_who_delivers_is_kept() {
        let seats = Seats::new(3);
        let all = taken(&seats, &[1, 2, 3]).await;
        drop(all[1].seat.delivers());
        drop(all[0].seat.delivers());
        assert_eq!(yielding(&seats, &all, 9).await, [2], "a stranger");
        assert_eq!(yielding(&seats, &all, 9).await, [1, 2], "then who delivered longest ago");
        let _delivering = all[0].seat.delivers();
        assert_eq!(yielding(&seats, &all, 9).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_peer_above_its_share_makes_room_for_itself() {
        let seats = Seats::new(8);
        let all = taken(&seats, &[1, 2, 2, 2, 3, 4, 5, 6]).await;
        assert_eq!(yielding(&seats, &all, 2).await, [1]);
        assert_eq!(yielding(&seats, &all, 2).await, [0, 1], "at its share, as anybody");
    }
}

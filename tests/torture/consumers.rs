//! Consumers of follow-ups, as services are: they claim, complete, fail, vanish, and connect again after errors. They
//! note when one was handed out while somebody else's lease on it ran.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clawback::domain::kinds;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use uuid::Uuid;

use crate::chance::Dice;

const CONSUMERS: u64 = 2;
const LEASE: Duration = Duration::from_secs(8);
/// Longer than a statement takes where nothing is broken.
const IMPATIENCE: Duration = Duration::from_secs(5);
/// The kind that is about a payment. When two payments turn out to be one, one of two such follow-ups goes, also one
/// that was completed.
const OF_PAYMENTS: &str = "cancel_fulfilment";

/// Services hold it for reading while they use the database.
pub type Gate = Arc<RwLock<()>>;

/// What consumers know of the follow-ups that they had.
#[derive(Debug, Default)]
pub struct Book {
    pub claims: usize,
    /// Until when a lease surely runs, and when it was taken.
    leases: BTreeMap<i64, (Instant, Instant)>,
    /// When each was completed, with its kind.
    done: BTreeMap<i64, (Instant, String)>,
    /// Those that were handed out although they could not be.
    pub twice: Vec<String>,
}

impl Book {
    /// The ids of those that must be shown as done.
    pub fn done(&self) -> BTreeSet<i64> {
        self.done.iter().filter(|(_, (_, kind))| kind != OF_PAYMENTS).map(|(id, _)| *id).collect()
    }

    /// Forgets what happened since: the database has been restored to that moment.
    pub fn forget_since(&mut self, since: Instant) {
        self.leases.retain(|_, (_, taken)| *taken < since);
        self.done.retain(|_, (at, _)| *at < since);
    }

    fn claimed(&mut self, id: i64, asked: Instant, answered: Instant) {
        self.claims += 1;
        if self.done.contains_key(&id) {
            self.twice.push(format!("follow-up {id} was handed out after it was completed"));
        }
        if self.leases.get(&id).is_some_and(|(until, _)| answered < *until) {
            self.twice.push(format!("follow-up {id} was handed out within a lease"));
        }
        self.leases.insert(id, (asked + LEASE, asked));
    }
}

pub struct Consumers {
    pub book: Arc<Mutex<Book>>,
    tasks: JoinSet<()>,
}

impl Consumers {
    /// `url`: through the network that fails.
    pub fn start(url: &str, gate: &Gate, seed: u64) -> Self {
        let book = Arc::<Mutex<Book>>::default();
        let options = PgConnectOptions::from_str(url).expect("a URL of our own making");
        let work = |n| work(options.clone(), Arc::clone(&book), Arc::clone(gate), Dice(seed.wrapping_add(n)));
        Self { tasks: (0..CONSUMERS).map(work).collect(), book }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// They vanish, with what they had.
    pub async fn end(&mut self) {
        self.tasks.shutdown().await;
    }
}

async fn work(database: PgConnectOptions, book: Arc<Mutex<Book>>, gate: Gate, mut dice: Dice) {
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
        let Ok(Ok(mut conn)) = timeout(IMPATIENCE, database.connect()).await else { continue };
        loop {
            ticks.tick().await;
            let _open = gate.read().await;
            let Ok(Ok(())) = timeout(IMPATIENCE, handful(&mut conn, &book, &mut dice)).await else { break };
        }
    }
}

/// Claims some, and ends each in one way or another.
async fn handful(conn: &mut PgConnection, book: &Mutex<Book>, dice: &mut Dice) -> sqlx::Result<()> {
    let book = || book.lock().unwrap_or_else(PoisonError::into_inner);
    let claim =
        "select id, kind, lease_token from clawback_v1.claim_follow_ups('torture', $1, $2, $3 * interval '1 second')";
    let asked = Instant::now();
    let count = i32::try_from(1 + dice.roll(20)).expect("a few");
    let claimed: Vec<(i64, String, Uuid)> =
        sqlx::query_as(claim).bind(kinds()).bind(count).bind(LEASE.as_secs_f64()).fetch_all(&mut *conn).await?;
    let answered = Instant::now();
    claimed.iter().for_each(|(id, ..)| book().claimed(*id, asked, answered));
    for (id, kind, token) in claimed {
        match dice.roll(10) {
            0..=5 => {
                let complete = "select clawback_v1.complete_follow_up($1, $2)";
                let done: bool = sqlx::query_scalar(complete).bind(id).bind(token).fetch_one(&mut *conn).await?;
                if done {
                    book().done.insert(id, (Instant::now(), kind));
                }
            }
            6..=7 => {
                // From now on it may be handed out again, whether or not the answer arrives.
                book().leases.remove(&id);
                let fail = "select clawback_v1.fail_follow_up($1, $2, 'it did not work', interval '1 second')";
                let _: Option<String> = sqlx::query_scalar(fail).bind(id).bind(token).fetch_one(&mut *conn).await?;
            }
            // Sits on it until the lease ends.
            _ => {}
        }
    }
    Ok(())
}

//! Consumers as services are, and worse: they claim follow-ups of every kind, and complete them, fail them,
//! vanish with them or sit on them, while events go on changing what is wanted.
//!
//! What must have come of it at the end is asked in `postgres.rs`.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;
use tokio::time::interval;
use uuid::Uuid;

use clawback::domain::kinds;

use crate::chance::Dice;
use crate::harness::options;

const CONSUMERS: u64 = 2;
/// The kind that is about a payment. When two payments turn out to be one, one of two such follow-ups
/// goes, with whatever lease it had.
pub const OF_PAYMENTS: &str = "cancel_fulfilment";
/// Every so manyth follow-up fails whenever it is tried, until it is dead.
const STUBBORN: i64 = 7;

/// What was done.
#[derive(Debug, Default)]
pub struct Tally {
    pub done: Vec<(i64, String)>,
    pub failed: usize,
    pub let_go: usize,
}

pub struct Consumers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Tally>,
}

impl Consumers {
    pub fn start(url: &str, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(Mutex::new(HashSet::new()));
        let consumer = |n| Consumer {
            name: format!("consumer-{n}"),
            dice: Dice(seed.wrapping_add(n)),
            tally: Tally::default(),
            done: Arc::clone(&done),
        };
        let tasks = (0..CONSUMERS).map(|n| consumer(n).work(url.to_owned(), Arc::clone(&stop))).collect();
        Self { stop, tasks }
    }

    /// Lets each finish what it is at.
    pub async fn end(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for tally in self.tasks.join_all().await {
            all.done.extend(tally.done);
            all.failed += tally.failed;
            all.let_go += tally.let_go;
        }
        all
    }
}

type Claimed = (i64, String, Uuid);

struct Consumer {
    name: String,
    dice: Dice,
    tally: Tally,
    /// What any consumer completed, after the commit.
    done: Arc<Mutex<HashSet<i64>>>,
}

impl Consumer {
    async fn work(mut self, url: String, stop: Arc<AtomicBool>) -> Tally {
        let mut conn = options(&url).connect().await.expect("a connection");
        let mut ticks = interval(Duration::from_millis(10));
        while !stop.load(Ordering::Relaxed) {
            ticks.tick().await;
            let before = self.tally.done.len();
            if self.dice.roll(4) == 0 {
                // A careless one, that works with its claim uncommitted: its rows are locked all the while.
                let mut transaction = conn.begin().await.expect("a transaction");
                self.handful(&mut transaction).await;
                for _ in 0..self.dice.roll(20) {
                    ticks.tick().await;
                }
                transaction.commit().await.expect("a commit");
            } else {
                self.handful(&mut conn).await;
            }
            self.done().extend(self.tally.done[before..].iter().map(|(id, _)| *id));
        }
        self.tally
    }

    fn done(&self) -> std::sync::MutexGuard<'_, HashSet<i64>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn handful(&mut self, conn: &mut PgConnection) {
        let count = i32::try_from(1 + self.dice.roll(30)).expect("a few");
        let claimed: Vec<Claimed> = sqlx::query_as(
            "select id, kind, lease_token from clawback_v1.claim_follow_ups($1, $2, $3, interval '1 hour')",
        )
        .bind(&self.name)
        .bind(kinds())
        .bind(count)
        .fetch_all(&mut *conn)
        .await
        .expect("a claim");
        for claimed in claimed {
            assert!(!self.done().contains(&claimed.0), "{claimed:?} was completed before");
            self.judge(conn, claimed).await;
        }
    }

    async fn judge(&mut self, conn: &mut PgConnection, claimed: Claimed) {
        match self.dice.roll(10) {
            _ if claimed.0 % STUBBORN == 0 => self.fail(conn, claimed).await,
            0..=4 => self.complete(conn, claimed).await,
            5..=6 => self.fail(conn, claimed).await,
            7..=8 => self.let_go(conn, claimed).await,
            // Sits on it to the end.
            _ => {}
        }
    }

    async fn complete(&mut self, conn: &mut PgConnection, (id, kind, token): Claimed) {
        let done: bool = sqlx::query_scalar("select clawback_v1.complete_follow_up($1, $2)")
            .bind(id)
            .bind(token)
            .fetch_one(conn)
            .await
            .expect("an answer");
        assert!(done || kind == OF_PAYMENTS, "the lease of {kind} {id} was lost");
        self.tally.done.extend(done.then_some((id, kind)));
    }

    async fn fail(&mut self, conn: &mut PgConnection, (id, kind, token): Claimed) {
        let next: Option<String> =
            sqlx::query_scalar("select clawback_v1.fail_follow_up($1, $2, 'it did not work', interval '0')")
                .bind(id)
                .bind(token)
                .fetch_one(conn)
                .await
                .expect("an answer");
        assert!(next.is_some() || kind == OF_PAYMENTS, "the lease of {kind} {id} was lost");
        self.tally.failed += 1;
    }

    /// Vanishes: the lease runs out.
    async fn let_go(&mut self, conn: &mut PgConnection, (id, _, token): Claimed) {
        sqlx::query(
            "update clawback.follow_ups set leased_until = now() - interval '1 second'
             where id = $1 and lease_token = $2 and state = 'leased'",
        )
        .bind(id)
        .bind(token)
        .execute(conn)
        .await
        .expect("the owner may");
        self.tally.let_go += 1;
    }
}

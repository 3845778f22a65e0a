//! Makes the calls to Stripe that wait in the database, until it is told to stop.
//!
//! A call is leased and committed, then made, then its answer is recorded: no transaction is open while Stripe is asked.
//! Whoever dies in between leaves a lease that runs out, and whoever takes it over looks up first what happened. Any
//! number of replicas may run one executor each.
//!
//! Not here: deciding that something is to be asked of Stripe, which is a row in the transaction that decides it.

mod outcome;
mod read;
mod record;
mod record_response;
mod refund;
mod respond;
mod standing;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Acquire, PgPool};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::apply::Rules;
use crate::backoff;
use crate::store::api_calls::{self, LeasedCall, Rate};
use crate::store::refund_requests;
use crate::store::session::{self, SILENT, within};
use crate::stripe_api::{Client, Mode, Scope, TimeLimit};
use crate::terminal::error_chain::error_chain;
use outcome::Outcome;

/// Calls under way at the same time in this process, over all accounts.
const MOST: usize = 8;
/// The kinds of calls that make two requests: a refund is looked up before it is created, a dispute before its evidence is
/// submitted, a charge is read with its refunds. (Files are uploaded to another host, with limits of its own.)
const OF_TWO: [&str; 5] = ["refund", "stage", "submit", "accept", "read_refunds_of_charge"];
/// How often the queue is looked at when it was empty for a while and nothing notified of a call.
const IDLE_POLL: Duration = Duration::from_secs(60);
/// After how many looks in a row that found nothing to lease an executor waits to be notified.
const LOOKS: u32 = 10;
/// Time kept of a lease for recording the answer.
const MARGIN: Duration = Duration::from_secs(15);

/// How fast and how patient an executor is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The rate of each account in each mode, over all replicas.
    pub rate: Rate,
    /// How long a call is leased.
    pub lease: Duration,
    /// How often the queue is looked at while calls are made.
    pub poll: Duration,
    /// The first wait before a call is tried again; later ones double.
    pub shortest_wait: Duration,
    /// The longest wait before a call is tried again, when nothing happened at Stripe.
    pub longest_wait: Duration,
    /// The longest wait before a call is looked up again whose effect is unknown.
    pub longest_doubt: Duration,
    /// How long an account pauses after failures in a row.
    pub pause: Duration,
    /// How long an account pauses while its key is refused.
    pub key_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rate: Rate { per_second: 10.0, at_once: 2 },
            lease: Duration::from_secs(120),
            poll: Duration::from_millis(500),
            shortest_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            longest_doubt: Duration::from_secs(3_600),
            pause: Duration::from_secs(20),
            key_pause: Duration::from_secs(60),
        }
    }
}

/// The executor of one replica.
#[derive(Clone, Debug)]
pub struct Executor {
    /// The database.
    pub database: PgConnectOptions,
    /// The client of Stripe's API.
    pub client: Client,
    /// The modes that the client has a key for.
    pub modes: Vec<Mode>,
    /// How fast and how patient it is.
    pub pace: Pace,
    /// Notified when a call is due.
    pub woken: Arc<Notify>,
    /// The rules by which events become state: what they make of an object decides whether it is stored.
    pub rules: Rules,
}

impl Executor {
    /// Works until `stop` is cancelled; then the calls under way are finished. Survives outages of the database and of
    /// Stripe.
    pub async fn run(&self, stop: CancellationToken) {
        let pool = session::pool(PgPoolOptions::new().max_connections(4).acquire_timeout(SILENT), &self.database);
        let mut calls = JoinSet::new();
        let (mut failures, mut looks) = (0, 0_u32);
        while !stop.is_cancelled() {
            while calls.try_join_next().is_some() {}
            match within(self.lease(&pool, calls.len())).await {
                Ok(Some(call)) => {
                    (failures, looks) = (0, 0);
                    let (executor, pool) = (self.clone(), pool.clone());
                    calls.spawn(async move { executor.perform(&pool, call).await });
                }
                Ok(None) => {
                    (failures, looks) = (0, looks.saturating_add(1));
                    let longest = if looks < LOOKS { self.pace.poll } else { IDLE_POLL };
                    stop.run_until_cancelled(self.idle(&mut calls, longest)).await;
                }
                Err(error) => {
                    failures += 1;
                    log_outage(failures, &error);
                    stop.run_until_cancelled(sleep(backoff::delay(failures))).await;
                }
            }
        }
        calls.join_all().await;
        pool.close().await;
    }

    /// Until a call ends, or the queue is worth another look: after `longest` at the latest.
    async fn idle(&self, calls: &mut JoinSet<()>, longest: Duration) {
        tokio::select! {
            Some(_) = calls.join_next() => {}
            () = self.woken.notified() => {}
            () = sleep(longest) => {}
        }
    }

    /// Leases the next call, and marks what it sends as sent: both are committed before Stripe is asked.
    async fn lease(&self, pool: &PgPool, under_way: usize) -> sqlx::Result<Option<Lease>> {
        if under_way >= MOST {
            return Ok(None);
        }
        let modes: Vec<bool> = self.modes.iter().map(|mode| *mode == Mode::Live).collect();
        let until = Instant::now() + self.pace.lease.saturating_sub(MARGIN);
        let mut conn = pool.acquire().await?;
        let mut tx = conn.begin().await?;
        let seconds = self.pace.lease.as_secs_f64();
        api_calls::reap(&mut tx).await?;
        let leased = api_calls::lease(&mut tx, &modes, seconds, self.pace.rate, &OF_TWO).await?;
        if let Some(id) = leased.as_ref().and_then(refund_request) {
            refund_requests::send(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(leased.map(|call| Lease { call, until }))
    }

    /// Makes one call and records its outcome. What cannot be recorded is looked up after the lease.
    async fn perform(&self, pool: &PgPool, lease: Lease) {
        let performed = async {
            let outcome = self.make(pool, &lease).await?;
            self.record(pool, &lease.call, outcome).await
        };
        // A database that is silent is not waited for any longer: whoever leases the call next looks it up.
        let late = |_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into()));
        if let Err(error) = timeout_at(lease.until + MARGIN, performed).await.unwrap_or_else(late) {
            let LeasedCall { kind, subject, .. } = &lease.call;
            let reason = error_chain(&error);
            tracing::warn!(
                call.kind = kind,
                call.subject = subject,
                "cannot record the call {kind} {subject}, which is looked up when its lease ends: {reason}"
            );
        }
    }

    async fn make(&self, pool: &PgPool, lease: &Lease) -> sqlx::Result<Outcome> {
        let kind = lease.call.kind.as_str();
        match (refund_request(&lease.call), kind.parse(), kind.parse()) {
            (Some(id), _, _) => self.refund(pool, lease, id).await,
            (None, Ok(errand), _) => self.respond(pool, lease, errand).await,
            (None, Err(strum::ParseError::VariantNotFound), Ok(kind)) => self.read(pool, lease, kind).await,
            (None, Err(strum::ParseError::VariantNotFound), Err(())) => Ok(Outcome::not_ours(&lease.call)),
        }
    }
}

/// A leased call, and until when Stripe may be asked.
struct Lease {
    call: LeasedCall,
    until: Instant,
}

impl Lease {
    fn scope(&self) -> Scope {
        let mode = if self.call.livemode { Mode::Live } else { Mode::Test };
        Scope { account: Some(self.call.account.clone()).filter(|account| !account.is_empty()), ..Scope::own(mode) }
    }

    fn limit(&self) -> TimeLimit {
        TimeLimit::Until(self.until)
    }
}

/// The refund request that a call is for.
fn refund_request(call: &LeasedCall) -> Option<Uuid> {
    (call.kind == "refund").then(|| call.subject.parse().ok()).flatten()
}

/// The first of a row of failures.
fn log_outage(failures: u32, error: &sqlx::Error) {
    if failures == 1 {
        tracing::warn!("calls to Stripe wait for the database: {}", error_chain(error));
    }
}

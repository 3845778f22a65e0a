//! Catching up with Stripe: what webhooks did not bring is listed and read, and enters the ledger like what they bring.
//!
//! A *pass* reads the lists of one account in one mode, page by page. A page is stored and the pass's position recorded
//! in one transaction, so that whoever takes over after a crash goes on there. One replica at a time holds a pass, by a
//! row with an expiry. Events are taken as they are; objects become events of our own, if they say anything new.
//!
//! | file | its job |
//! |---|---|
//! | `part` | the lists of a pass, and their items as events |
//! | `pass` | one pass from where it is to its end |
//! | `estimate` | how much an import will read |
//! | `reread` | what may change without a webhook, one object at a time |
//!
//! Not here: single objects that the facts ask for, which the executor reads.

mod estimate;
mod part;
mod pass;
mod reread;

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Postgres};
use time::OffsetDateTime;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::apply::Rules;
use crate::backoff;
use crate::store::api_calls::Rate;
use crate::store::session;
use crate::store::syncs::{self, Held, Holder, Kind, When};
use crate::stripe_api::{self, Client, Mode};
use crate::terminal::error_chain::error_chain;
use crate::terminal::moment;

pub use estimate::Estimate;
pub use part::List;
pub use pass::{Pass, Step};

/// How far back Stripe lists events.
pub const REACH: Duration = Duration::from_secs(30 * 86_400);

/// How fast and how patient passes are.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The rate of each account in each mode, over all replicas. A pass takes half of it.
    pub rate: Rate,
    /// How long a pass is held without a sign of life.
    pub lease: Duration,
    /// How often it is looked whether a pass is due.
    pub poll: Duration,
    /// From the end of a pass to the next one.
    pub every: Duration,
    /// The first wait after a failure; later ones double, up to a quarter of an hour.
    pub wait: Duration,
    /// From one object that is read again to the next.
    pub reread: Duration,
    /// How long ago an object must have changed or been read.
    pub reread_after: Duration,
    /// While more events are pending, an import waits.
    pub most_pending: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rate: Rate { per_second: 10.0, at_once: 2 },
            lease: Duration::from_secs(90),
            poll: Duration::from_secs(15),
            every: Duration::from_secs(15 * 60),
            wait: Duration::from_secs(5),
            reread: Duration::from_secs(15),
            reread_after: Duration::from_secs(3_600),
            most_pending: 5_000,
        }
    }
}

/// What passes work with.
#[derive(Clone, Debug)]
pub struct Sync {
    /// The database.
    pub database: PgConnectOptions,
    /// The client of Stripe's API.
    pub client: Client,
    /// The modes that the client has a key for.
    pub modes: Vec<Mode>,
    /// By which it is judged whether an object says anything new.
    pub rules: Rules,
    /// How fast and how patient it is.
    pub pace: Pace,
}

/// Which passes are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Every one: the service has just started.
    All,
    /// Those whose time has come.
    Elapsed,
}

/// Why a pass did not come to its end. It goes on from there the next time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refuses a statement or is unreachable.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Stripe refuses a call or is unreachable.
    #[error(transparent)]
    Stripe(#[from] stripe_api::Error),
    /// Its lease ran out, and another holds it.
    #[error("another process goes on with it")]
    Lost,
}

/// What a pass has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Events and objects that were listed.
    pub listed: u64,
    /// What was not in the ledger, by type; what was read as an object is `clawback.fetched`.
    pub new: BTreeMap<String, u64>,
    /// Lists that the key may not read, and an import does without.
    pub passed_over: Vec<&'static str>,
    /// The creation of the last item, in unix seconds: lists go from the newest to the oldest.
    pub back_to: Option<i64>,
}

/// Stripe refuses the key, and the list is one that an import does without.
fn is_dispensable(list: List, error: &Error) -> bool {
    list.is_optional() && matches!(error, Error::Stripe(stripe_api::Error::Key(_)))
}

impl Sync {
    /// Begins whatever pass is due, until `stop` is cancelled. Survives outages of the database and of Stripe.
    pub async fn run(&self, stop: CancellationToken) {
        let pool = session::pool(PgPoolOptions::new().max_connections(1), &self.database);
        let (mut failures, mut due) = (0, Due::All);
        while !stop.is_cancelled() {
            let pause = match self.round(&pool, &stop, due).await {
                Ok(()) => {
                    (failures, due) = (0, Due::Elapsed);
                    self.pace.poll
                }
                Err(error) => {
                    failures += 1;
                    log_outage(failures, &error);
                    backoff::delay(failures)
                }
            };
            stop.run_until_cancelled(sleep(pause)).await;
        }
        pool.close().await;
    }

    async fn round(&self, pool: &PgPool, stop: &CancellationToken, due: Due) -> sqlx::Result<()> {
        let Some(acquired) = stop.run_until_cancelled(pool.acquire()).await else { return Ok(()) };
        let mut conn = acquired?;
        for mode in &self.modes {
            if due == Due::All {
                syncs::make_due(&mut conn, *mode == Mode::Live).await?;
            }
            for account in syncs::due(&mut conn, *mode == Mode::Live).await? {
                let holder = holder(Kind::Missed, account, *mode);
                let done = stop.run_until_cancelled(self.catch_up(&mut conn, &holder)).await;
                match done {
                    Some(done) => done?,
                    // On a connection of its own: this one may be in the middle of a transaction.
                    None => return self.release(conn, pool, &holder).await,
                }
            }
        }
        stop.run_until_cancelled(self.reread(&mut conn)).await.unwrap_or(Ok(()))
    }

    /// Lets a pass go that was interrupted.
    async fn release(&self, conn: PoolConnection<Postgres>, pool: &PgPool, holder: &Holder) -> sqlx::Result<()> {
        drop(conn.detach());
        syncs::release(&mut *pool.acquire().await?, holder).await
    }

    /// One pass for missed events, unless another replica is at it.
    async fn catch_up(&self, conn: &mut PgConnection, holder: &Holder) -> sqlx::Result<()> {
        let (lease, mark) = (self.pace.lease.as_secs_f64(), syncs::mark(conn, &holder.account, holder.livemode).await?);
        let Some(held) = syncs::hold(conn, holder, lease, When::Due, mark).await? else { return Ok(()) };
        warn_if_out_of_reach(holder, &held);
        let mut pass = Pass::new(self, holder.clone(), held);
        match pass.run(conn, |_| {}).await {
            Ok(()) => log_found(holder, &pass.found),
            Err(Error::Database(error)) => return Err(error),
            Err(Error::Lost) => {}
            Err(Error::Stripe(error)) => {
                if self.fail(conn, holder, &error).await? {
                    tracing::warn!("cannot list missed events{}, retrying: {error}", of(holder));
                }
            }
        }
        Ok(())
    }

    /// Lets a pass go that Stripe refuses. Returns whether that is new.
    ///
    /// # Errors
    /// When the database refuses a statement or is unreachable.
    pub async fn fail(
        &self,
        conn: &mut PgConnection,
        holder: &Holder,
        error: &stripe_api::Error,
    ) -> sqlx::Result<bool> {
        if is_disconnected(holder, error) {
            syncs::disconnect(conn, holder, &error.to_string()).await
        } else {
            syncs::fail(conn, holder, self.pace.wait.as_secs_f64(), &error.to_string()).await
        }
    }
}

/// A pass of this account, to be held under a new id.
#[must_use]
pub fn holder(kind: Kind, account: String, mode: Mode) -> Holder {
    Holder { kind, account, livemode: mode == Mode::Live, id: Uuid::new_v4() }
}

/// Whether the key has no access to a connected account any more: its owner, or the platform, has ended it.
#[must_use]
pub fn is_disconnected(holder: &Holder, error: &stripe_api::Error) -> bool {
    let code = error.details().and_then(|details| details.code.as_deref());
    !holder.account.is_empty() && code == Some("account_invalid")
}

/// Whether events that a pass should read are no longer listed by Stripe.
#[must_use]
pub fn is_out_of_reach(started_at: OffsetDateTime, reads_from: OffsetDateTime) -> bool {
    started_at - reads_from > REACH + Duration::from_secs(3_600)
}

fn warn_if_out_of_reach(holder: &Holder, held: &Held) {
    let Held { started_at, reads_from, .. } = held;
    if is_out_of_reach(*started_at, *reads_from) {
        let reach = *started_at - REACH;
        tracing::warn!(
            "Stripe lists no events before {}: of what happened{} from {} until then, only refunds and disputes are read; \
             `clawback sync --from-scratch DAYS` reads the rest",
            moment::exact(reach),
            of(holder),
            moment::exact(*reads_from)
        );
    }
}

fn log_found(holder: &Holder, found: &Found) {
    let new: u64 = found.new.values().sum();
    if new > 0 {
        let listed = found.listed;
        tracing::warn!(
            sync.listed = listed,
            sync.new = new,
            "{new} of {listed} listed events{} had not come by webhook; {}",
            of(holder),
            summary(&found.new)
        );
    }
}

/// What is new, for people.
#[must_use]
pub fn summary(new: &BTreeMap<String, u64>) -> String {
    let types: Vec<String> = new.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if types.is_empty() { "none new".to_owned() } else { format!("new: {}", types.join(", ")) }
}

fn of(holder: &Holder) -> String {
    let mode = if holder.livemode { "live" } else { "test" };
    if holder.account.is_empty() {
        format!(" in {mode} mode")
    } else {
        format!(" of account {} in {mode} mode", holder.account)
    }
}

/// The first of a row of failures.
fn log_outage(failures: u32, error: &sqlx::Error) {
    if failures == 1 {
        tracing::warn!("catching up with Stripe waits for the database: {}", error_chain(error));
    }
}

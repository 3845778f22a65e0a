//! A running service out of its configuration. Also the drain on shutdown.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use super::config;
use super::migrate::{migrate, place, why};
use crate::apply::{self, Rules};
use crate::domain::Marks;
use crate::http::{self, App, admin, server};
use crate::intake::{BodyBudget, Intake};
use crate::processor::{self, Processor};
use crate::store::{migrations, settings};
use crate::stripe::signature::Secrets;
use crate::terminal::error_chain::error_chain;

/// All bodies in memory at once, in bytes.
const BODIES: usize = 64 << 20;
/// Everything ends within this time after SIGTERM: an orchestrator's patience is 10 s at least.
const DRAIN: Duration = Duration::from_millis(9_500);
/// How long to wait before the database is asked again at the start.
const RETRY: Duration = Duration::from_secs(1);

/// How often metrics are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

/// A service that is configured and not started.
#[derive(Debug)]
pub struct Service {
    /// Where the database is.
    pub database: PgConnectOptions,
    /// What events are signed with.
    pub secrets: Secrets,
    /// How old a signature may be.
    pub tolerance: Duration,
    /// Largest body in bytes.
    pub max_body: usize,
    /// Metadata key of the order reference.
    pub order_key: String,
    /// It is meant to be another than before.
    pub order_key_changed: bool,
    /// How long before a deadline somebody is warned.
    pub marks: Marks,
    /// Run pending migrations first.
    pub migrate: bool,
}

impl Service {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`config::Misconfigured`] when one is missing or malformed.
    pub fn configured(args: &config::Serve) -> Result<Self, config::Misconfigured> {
        Ok(Self {
            database: args.database.options()?,
            secrets: args.signing.secrets()?,
            tolerance: args.tolerance,
            max_body: args.max_body,
            order_key: args.order_key.clone(),
            order_key_changed: args.order_key_changed,
            marks: args.evidence_marks.clone(),
            migrate: args.migrate,
        })
    }

    /// Serves until `stop` completes, then drains: accepts no more, answers what it has taken, finishes
    /// the batch in hand. Ends within 10 s of being told.
    ///
    /// # Errors
    /// When the migrations fail, or a part of the service ends by itself.
    pub async fn run(
        self,
        public: TcpListener,
        private: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        tracing::info!(public = %public.local_addr()?, admin = %private.local_addr()?, "listening");
        let woken = Arc::new(Notify::new());
        let (intake, writer) = Intake::new(self.database.clone(), Arc::clone(&woken));
        let (stopping, stopped) = watch::channel(false);
        let app = self.app(intake);
        let public = server::serve(public, http::router(app.clone()), told(stopped.clone()));
        let private = server::serve(private, admin::router(app, recorder()?), told(stopped.clone()));
        let mut parts = JoinSet::new();
        parts.spawn(ends("the public listener", public));
        parts.spawn(ends("the admin listener", private));
        parts.spawn(ends("intake", writer.run()));
        parts.spawn(self.process(woken, stopped));
        let outcome = tokio::select! {
            () = stop => Ok(()),
            ended = parts.join_next() => Err(unasked(ended)),
        };
        tracing::info!("draining");
        stopping.send_replace(true);
        if timeout(DRAIN, async { while parts.join_next().await.is_some() {} }).await.is_err() {
            tracing::warn!("not everything ended in time; what was not acknowledged will be sent again");
        }
        outcome
    }

    fn app(&self, intake: Intake) -> App {
        // Used by probes only.
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(2));
        App {
            intake,
            bodies: BodyBudget::new(BODIES),
            secrets: Arc::new(self.secrets.clone()),
            tolerance: self.tolerance,
            max_body: self.max_body,
            pool: pool.connect_lazy_with(self.database.clone()),
            required_version: migrations::required_version(),
        }
    }

    async fn process(self, woken: Arc<Notify>, mut stopped: watch::Receiver<bool>) -> anyhow::Result<&'static str> {
        processor::count_from_zero();
        let prepared = async {
            if self.migrate {
                migrate_when_possible(&self.database).await?;
            }
            self.begin_when_possible().await
        };
        tokio::select! {
            prepared = prepared => prepared?,
            _ = stopped.wait_for(|stop| *stop) => return Ok("processing"),
        }
        let rules = Rules { marks: self.marks, ..Rules::current(&self.order_key) };
        Processor { database: self.database, rules, woken, limit: apply::LIMIT }.run(stopped).await;
        Ok("processing")
    }

    /// Before the first event is processed. Orders are found by one key, or they would be found by two.
    async fn begin_when_possible(&self) -> anyhow::Result<()> {
        let place = place(&self.database);
        let mut told = String::new();
        loop {
            let why = match self.begin().await {
                Ok(key) if key == self.order_key => return Ok(()),
                Ok(key) => return Err(other_key(&key, &self.order_key).into()),
                Err(error) => error_chain(&error),
            };
            if told != why {
                tracing::warn!("processing cannot begin on {place} yet: {why}; it is tried again");
                told = why;
            }
            sleep(RETRY).await;
        }
    }

    /// Returns the order key in use.
    async fn begin(&self) -> sqlx::Result<String> {
        let mut conn = self.database.connect().await?;
        let mut key = settings::begin(&mut conn, &self.order_key).await?;
        if key != self.order_key && self.order_key_changed {
            settings::change_order_key(&mut conn, &self.order_key).await?;
            tracing::info!("the order key is {} and was {key}: every payment is rebuilt", self.order_key);
            key.clone_from(&self.order_key);
        }
        conn.close().await?;
        Ok(key)
    }
}

fn other_key(known: &str, given: &str) -> config::Misconfigured {
    config::Misconfigured(format!(
        "CLAWBACK_ORDER_KEY is {given}, and the orders of this database were found by {known}: set it back, or start \
         once with --order-key-changed, which rebuilds every payment"
    ))
}

/// Migrates as soon as the database can be written. The service listens meanwhile, answers 503 and is not ready.
async fn migrate_when_possible(database: &PgConnectOptions) -> anyhow::Result<()> {
    let place = place(database);
    let mut told = String::new();
    loop {
        let Err(error) = migrate(database).await else { return Ok(()) };
        let why = why(&error);
        ensure!(may_pass(&error), "cannot migrate the database on {place}: {why}");
        if told != why {
            tracing::warn!("cannot migrate the database on {place} yet: {why}; it is tried again");
            told = why;
        }
        sleep(RETRY).await;
    }
}

/// The database is away, starting or stopping (57), short of something (53), read-only or a standby (25006), not
/// there yet (3D000) or with another password or rule of access (28), or another replica was first (23505, 42P06,
/// 42P07). Anything else needs a person.
fn may_pass(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    let Some(refusal) = error.as_database_error() else { return true };
    let code = refusal.code().unwrap_or_default();
    ["08", "25006", "28", "3D000", "40", "53", "55", "57", "23505", "42P06", "42P07"]
        .iter()
        .any(|known| code.starts_with(known))
}

async fn ends(part: &'static str, running: impl Future<Output = ()>) -> anyhow::Result<&'static str> {
    running.await;
    Ok(part)
}

fn unasked(ended: Option<Result<anyhow::Result<&'static str>, JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok(Ok(part))) => anyhow::anyhow!("{part} ended by itself"),
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => anyhow::Error::new(error).context("a part of the service crashed"),
        None => anyhow::anyhow!("nothing was running"),
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone: as good as being told.
    drop(stopped.wait_for(|stop| *stop).await);
}

/// The recorder is one for the process.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    // Held until it is installed: of two services that start at once the second takes the first one's.
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let seconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?;
    let builder = builder.set_buckets_for_metric(
        Matcher::Suffix("_size".to_owned()),
        &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
    )?;
    let handle = builder.install_recorder().context("cannot start metrics")?;
    let upkept = handle.clone();
    tokio::spawn(async move {
        // Histograms keep what they are given until somebody tidies up, scraped or not.
        loop {
            sleep(UPKEEP).await;
            upkept.run_upkeep();
        }
    });
    Ok(installed.insert(handle).clone())
}

/// Binds an address, or says which setting names another.
pub(crate) async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}: set {variable} to another address"))
}

/// Completes on SIGTERM or SIGINT.
pub(crate) fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

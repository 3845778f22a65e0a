//! Puts a running service together from its configuration, and drains it on shutdown.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::acting::Acting;
use super::config::{self, Misconfigured};
use super::console::Console;
use super::reload::{self, InUse, Sources};
use super::{metrics, startup};
use crate::apply::{self, Rules};
use crate::desk::{self, Desk};
use crate::domain::Marks;
use crate::http::{self, App, LastReady, admin, server};
use crate::intake::memory::BodyMemory;
use crate::intake::{self, Intake};
use crate::notices::{Notices, Webhook};
use crate::processor::{self, Processor};
use crate::retention::{Ages, Retention};
use crate::store::{migrations, session};
use crate::stripe::signature::{Modes, Secrets};
use crate::sync::Sync;
use crate::watch::{Wakes, Watch};

// A burst on every connection finds room in the queue.
const _: () = assert!(intake::MAX_WAITING >= server::MAX_CONNECTIONS);

/// Memory for all request bodies, in bytes.
const BODY_MEMORY: usize = 64 << 20;
/// How often due work is looked for.
const POLL: Duration = Duration::from_secs(1);
/// How often notices to post are looked for.
const NOTIFY_POLL: Duration = Duration::from_secs(30);
/// How often it is looked whether something is due to be removed.
const RETENTION_POLL: Duration = Duration::from_secs(60);
/// Time limit of the drain after SIGTERM: orchestrators allow 10 s or more before SIGKILL.
const DRAIN: Duration = Duration::from_millis(9_500);

/// A service that is configured and not started.
#[derive(Debug)]
pub struct Service {
    /// The database.
    pub database: PgConnectOptions,
    /// The secrets that events are signed with, at the start.
    pub secrets: Secrets,
    /// Where secrets are read again on SIGHUP; none: nowhere.
    pub sources: Option<Sources>,
    /// How old a signature may be, and how far in the future.
    pub tolerance: Duration,
    /// Largest body in bytes.
    pub max_body: usize,
    /// Metadata key of the order reference.
    pub order_key: String,
    /// Whether another order key than before is intended.
    pub order_key_changed: bool,
    /// How long before an evidence deadline a warning is due.
    pub marks: Marks,
    /// Whether to run pending migrations first.
    pub migrate: bool,
    /// How it acts on Stripe.
    pub acting: Acting,
    /// What it does about disputes by itself.
    pub desk: desk::Policy,
    /// How often due work is looked for.
    pub poll: Duration,
    /// Where notices are posted; none: nowhere.
    pub notify: Option<Webhook>,
    /// The hour of the daily notice, in UTC.
    pub notify_hour: u8,
    /// How often it looks for notices to post.
    pub notify_poll: Duration,
    /// How old something must be to be removed; none: nothing is removed.
    pub retention: Option<Ages>,
    /// How often it looks whether something is due to be removed.
    pub retention_poll: Duration,
    /// The operators' console; none: there is none.
    pub console: Option<Console>,
}

impl Service {
    /// Reads the settings, but for those of the console, whose socket is bound first: there is no console as yet.
    ///
    /// # Errors
    /// [`Misconfigured`] names every setting that is missing or malformed.
    pub fn configured(args: &config::Serve) -> Result<Self, Misconfigured> {
        let stripe = Misconfigured::both(args.signing.secrets(), Acting::configured(args));
        let stripe = Misconfigured::both(stripe, args.notify.webhook());
        let files = Misconfigured::both(stripe, config::evidence_policy(args.evidence_policy.as_deref()));
        let (database, (((secrets, acting), notify), evidence)) = Misconfigured::both(args.database.options(), files)?;
        Ok(Self {
            database,
            secrets,
            sources: Some(Sources { signing: args.signing.clone(), stripe_api: args.stripe_api.clone() }),
            tolerance: args.tolerance,
            max_body: args.max_body,
            order_key: args.order_key.clone(),
            order_key_changed: args.order_key_changed,
            marks: args.evidence_marks.clone(),
            migrate: args.migrate,
            acting,
            desk: desk::Policy {
                draft: args.auto_draft,
                submit: args.auto_submit,
                accept: args.auto_accept_below.clone(),
                evidence,
            },
            poll: POLL,
            notify,
            notify_hour: args.notify_hour,
            notify_poll: NOTIFY_POLL,
            retention: args.retention.ages(),
            retention_poll: RETENTION_POLL,
            console: None,
        })
    }

    /// Serves until `stop` completes, then drains: accepts no more connections, answers what it has taken, finishes the
    /// current batch. Ends within 10 s after `stop`.
    ///
    /// # Errors
    /// When the migrations fail, or a part of the service ends unexpectedly.
    pub async fn run(
        mut self,
        public: TcpListener,
        private: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        // Before anything says that it runs: the signal would end the process.
        let hangup = signal(SignalKind::hangup())?;
        self.log_start(public.local_addr()?, private.local_addr()?);
        allow_files();
        let wakes = Wakes::default();
        let (intake, writer) = Intake::new(self.database.clone(), Arc::clone(&wakes.arrival));
        let stopping = CancellationToken::new();
        let availability = intake.availability();
        let (secrets, current) = watch::channel(Arc::new(self.secrets.clone()));
        let app = self.app(intake, current);
        let (webhooks, metrics) = (http::router(app.clone()), admin::router(app, metrics::recorder()?));
        let public = server::serve(public, webhooks, stopping.clone());
        let private = server::serve(private, metrics, stopping.clone());
        let mut parts = JoinSet::new();
        parts.spawn(ends("the public listener", public));
        parts.spawn(ends("the admin listener", private));
        parts.spawn(ends("intake", writer.run()));
        if let Some(sources) = self.sources.take() {
            let (acting, database) = (self.acting.clone(), self.database.clone());
            let reading = reload::run(sources, InUse { secrets, acting, database }, hangup, stopping.clone());
            parts.spawn(ends("reading of secrets", reading));
        }
        if let Some(console) = self.console.take() {
            console.log_start();
            parts.spawn(ends("the console", console.run(self.desk.evidence.clone(), availability, stopping.clone())));
        }
        parts.spawn(self.work(wakes, stopping.clone()));
        let outcome = tokio::select! {
            () = stop => Ok(()),
            ended = parts.join_next() => Err(unexpected(ended)),
        };
        tracing::info!("stopping: finishing what was accepted");
        stopping.cancel();
        match timeout(DRAIN, drain(&mut parts)).await {
            Ok(drained) => {
                tracing::info!("stopped");
                outcome.and(drained)
            }
            Err(_) => {
                tracing::warn!("shutdown timed out; Stripe resends whatever was not acknowledged");
                outcome
            }
        }
    }

    fn log_start(&self, public: SocketAddr, admin: SocketAddr) {
        let modes = |modes: Modes| self.secrets.iter().filter(|secret| secret.modes() == modes).count();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            schema.required = migrations::required_version(),
            secrets.any_mode = modes(Modes::Both),
            secrets.live = modes(Modes::Live),
            secrets.test = modes(Modes::Test),
            %public,
            %admin,
            "clawback {} listening on {public}, metrics on {admin}",
            env!("CARGO_PKG_VERSION"),
        );
    }

    fn app(&self, intake: Intake, secrets: watch::Receiver<Arc<Secrets>>) -> App {
        // For probes only.
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(2));
        App {
            intake,
            bodies: BodyMemory::new(BODY_MEMORY),
            secrets,
            tolerance: self.tolerance,
            max_body: self.max_body,
            last_ready: LastReady::default(),
            pool: session::pool(pool, &self.database),
            required_version: migrations::required_version(),
        }
    }

    /// Prepares the database, then processes events and makes the calls that wait.
    async fn work(self, wakes: Wakes, stop: CancellationToken) -> anyhow::Result<&'static str> {
        processor::count_from_zero();
        let plan = startup::Plan {
            run_migrations: self.migrate,
            order_key: &self.order_key,
            is_change_confirmed: self.order_key_changed,
            acting: &self.acting,
            prunes: self.retention.is_some(),
            product: self.desk.evidence.product.default,
        };
        if let Some(prepared) = stop.run_until_cancelled(startup::prepare(&self.database, plan)).await {
            prepared?;
            let processing = process(self.processor(&wakes), stop.clone());
            let acting = self.execute(Arc::clone(&wakes.executor), stop.clone());
            let disputes = self.work_on_disputes(Arc::clone(&wakes.desk), stop.clone());
            let (missed, notices) = (self.catch_up(stop.clone()), self.post_notices(stop.clone()));
            let (removal, watch) = (self.prune(stop.clone()), self.watch(wakes, stop));
            tokio::join!(processing, acting, missed, disputes, notices, removal, watch);
        }
        Ok("processing")
    }

    fn processor(&self, wakes: &Wakes) -> Processor {
        Processor {
            database: self.database.clone(),
            rules: self.rules(),
            woken: Arc::clone(&wakes.processor),
            arrived: Arc::clone(&wakes.arrival),
            limit: apply::LIMIT,
        }
    }

    fn rules(&self) -> Rules {
        Rules { marks: self.marks.clone(), ..Rules::current(&self.order_key) }
    }

    async fn watch(&self, wakes: Wakes, stop: CancellationToken) {
        let (modes, policy) = (self.acting.modes(), self.desk.wanted());
        Watch { database: self.database.clone(), modes, policy, poll: self.poll, wakes }.run(stop).await;
    }

    async fn execute(&self, woken: Arc<Notify>, stop: CancellationToken) {
        if let Some(executor) = self.acting.executor(&self.database, self.rules(), woken) {
            executor.run(stop).await;
        }
    }

    async fn work_on_disputes(&self, woken: Arc<Notify>, stop: CancellationToken) {
        let (database, policy) = (self.database.clone(), self.desk.clone());
        Desk { database, policy, woken, pause: self.poll }.run(stop).await;
    }

    async fn post_notices(&self, stop: CancellationToken) {
        if let Some(webhook) = self.notify.clone() {
            let (database, hour, poll) = (self.database.clone(), self.notify_hour, self.notify_poll);
            Notices { database, webhook, hour, poll, shortest_wait: poll * 2 }.run(stop).await;
        }
    }

    async fn prune(&self, stop: CancellationToken) {
        if let Some(ages) = self.retention {
            Retention { database: self.database.clone(), ages, poll: self.retention_poll }.run(stop).await;
        }
    }

    async fn catch_up(&self, stop: CancellationToken) {
        let sync = self.acting.sync(&self.database, &self.order_key);
        if !sync.modes.is_empty() {
            Sync { rules: Rules { marks: self.marks.clone(), ..sync.rules }, ..sync }.run(stop).await;
        }
    }
}

/// Runs the processor on a thread of its own: a batch computes for milliseconds, and on a worker it would hold up other
/// tasks, such as answering deliveries. When this future is dropped, the processor ends at its next await.
///
/// # Panics
///
/// When the processor panics.
async fn process(processor: Processor, stop: CancellationToken) {
    let (runtime, (done, finished)) = (Handle::current(), oneshot::channel());
    let dropped = CancellationToken::new();
    let _drop = dropped.clone().drop_guard();
    let run = async move {
        tokio::select! {
            // First: the processor must not be polled once the runtime shuts down.
            biased;
            () = dropped.cancelled() => (),
            () = processor.run(stop) => (),
        }
    };
    let thread = thread::Builder::new().name("processor".to_owned()).spawn(move || {
        runtime.block_on(run);
        let _ = done.send(());
    });
    let thread = thread.expect("the system allows another thread");
    if finished.await.is_err() {
        resume_unwind(thread.join().expect_err("it ended without a word"));
    }
}

/// Raises the limit on open files to what the system allows: each connection is one, and a container may start with 1,024.
fn allow_files() {
    const NEEDED: u64 = server::MAX_CONNECTIONS as u64 + 256;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < NEEDED => {
            tracing::warn!(
                "at most {limit} open files: allow {NEEDED}, or a crowd of connections shuts out deliveries"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot raise the limit on open files"),
    }
}

/// Waits for all parts; the first error among them.
async fn drain(parts: &mut JoinSet<anyhow::Result<&'static str>>) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    while let Some(ended) = parts.join_next().await {
        if outcome.is_ok() && !matches!(ended, Ok(Ok(_))) {
            outcome = Err(unexpected(Some(ended)));
        }
    }
    outcome
}

async fn ends(part: &'static str, running: impl Future<Output = ()>) -> anyhow::Result<&'static str> {
    running.await;
    Ok(part)
}

fn unexpected(ended: Option<Result<anyhow::Result<&'static str>, JoinError>>) -> anyhow::Error {
    match ended {
        Some(Ok(Ok(part))) => anyhow::anyhow!("{part} ended by itself"),
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => anyhow::Error::new(error).context("a part of the service crashed"),
        None => anyhow::anyhow!("nothing was running"),
    }
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

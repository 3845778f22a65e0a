//! One trial: a database, a network that fails, two replicas, a double of Stripe, and everybody who uses the service.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::acting::environment;
use crate::consumers::{Consumers, Gate};
use crate::double_world::World;
use crate::harness::Database;
use crate::post::Post;
use crate::proxy::Proxy;
use crate::replicas::{Environment, Replicas};
use crate::server::Server;
use crate::shops::Shops;
use crate::traffic::{Traffic, forward};

/// When a wait to be back is given up.
const NEVER: Duration = Duration::from_secs(90);

pub struct Trial {
    pub server: Arc<Server>,
    /// Not through the network that fails.
    pub db: Database,
    /// Between the replicas and consumers and Postgres.
    pub proxy: Proxy,
    pub replicas: Arc<Replicas>,
    pub world: Arc<World>,
    pub post: Post,
    pub traffic: Traffic,
    pub consumers: Consumers,
    pub shops: Shops,
    /// Whoever locks it for writing keeps consumers and shops from the database.
    pub gate: Gate,
    /// For logs and files of the trial.
    pub folder: PathBuf,
    pub seed: u64,
    /// Whether its database was restored, and lost some time.
    pub is_restored: AtomicBool,
    /// What went wrong on the way.
    wrong: Mutex<Vec<String>>,
    memory: Arc<AtomicU64>,
    watching: JoinHandle<()>,
}

/// Settings of a trial that few scenarios need.
#[derive(Debug, Default)]
pub struct Setup {
    /// Where the database is, if not beside the others.
    pub tablespace: Option<PathBuf>,
    /// Of the first replica, besides what both have.
    pub of_first: Environment,
    /// The first replica may refuse what is well signed.
    pub first_may_refuse: bool,
}

/// How long it took to be back after a fault ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Back {
    /// Until a delivery that was sent afterwards was acknowledged.
    pub accepted: Duration,
    /// Until a batch that began afterwards was processed.
    pub processed: Duration,
}

impl Trial {
    pub async fn start(server: &Arc<Server>, folder: &Path, setup: Setup, seed: u64) -> Self {
        let db = server.database(setup.tablespace.as_deref()).await;
        let proxy = server.proxy().await;
        let (url, world) = (server.owner_url(&db.name, proxy.port), Arc::new(World::start().await));
        let common: Environment = environment(&world)
            .iter()
            .filter(|(name, _)| *name != "RUST_LOG")
            .map(|(name, value)| (*name, (*value).to_owned()))
            .chain([("DATABASE_URL", url.clone())])
            .collect();
        let first = [common.clone(), setup.of_first].concat();
        let replicas = Arc::new(Replicas::start(folder, [first, common]).await);
        let post = Post::new(Arc::clone(&replicas), setup.first_may_refuse.then_some(0));
        forward(&world, post.clone()).await;
        let (memory, gate) = (Arc::<AtomicU64>::default(), Gate::default());
        Self {
            server: Arc::clone(server),
            traffic: Traffic::start(post.clone(), seed),
            consumers: Consumers::start(&url, &gate, seed),
            shops: Shops::start(Arc::clone(&world), db.pool.clone(), Arc::clone(&gate), seed),
            watching: tokio::spawn(watch(Arc::clone(&replicas), Arc::clone(&memory))),
            folder: folder.to_owned(),
            gate,
            db,
            proxy,
            replicas,
            world,
            post,
            seed,
            is_restored: AtomicBool::default(),
            wrong: Mutex::default(),
            memory,
        }
    }

    /// Waits until new deliveries are acknowledged and new events are processed, after a fault has ended now.
    pub async fn back(&self) -> Back {
        let began = Instant::now();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock past 1970").as_secs_f64();
        let processed = format!("select coalesce(max(processed_at) > to_timestamp({now}), false) from clawback.events");
        let accepting = until(async || self.post.first_acknowledged(began).is_some());
        let processing = until(async || {
            sqlx::query_scalar(sqlx::AssertSqlSafe(processed.as_str())).fetch_one(&self.db.pool).await.unwrap_or(false)
        });
        let (accepted, processed) = tokio::join!(accepting, processing);
        Back { accepted, processed }
    }

    /// SIGTERM to a replica, which must end well and in time.
    pub async fn terminate(&self, slot: usize) {
        let wrong = self.replicas.terminate(slot).await;
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).extend(wrong);
    }

    /// What went wrong on the way.
    pub fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The most memory that a replica has used so far, in bytes.
    pub fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// How long something takes to become true.
async fn until(there: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(50));
    let asking = async {
        while !there().await {
            ticks.tick().await;
        }
    };
    timeout(NEVER, asking).await.map_or(NEVER, |()| began.elapsed())
}

async fn watch(replicas: Arc<Replicas>, memory: Arc<AtomicU64>) {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        memory.fetch_max(replicas.memory().await, Ordering::Relaxed);
    }
}

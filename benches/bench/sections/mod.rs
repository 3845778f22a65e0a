//! The sections, each in a file of its own, and what they share.
//!
//! A new one needs a file here, a variant of [`Section`] in the order in which sections run, and, if it has a size of its own,
//! a field of [`Sizes`], which the smoke test sets to almost nothing.

mod drain;
mod follow_ups;
mod growth;
mod intake;
mod latency;
mod overload;
mod replicas;
mod retention;
mod together;

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use tokio::time::interval;

use crate::check;
use crate::corpus::Corpus;
use crate::load::{self, Answers, Load, Pace};
use crate::report::Report;
use crate::settings::Sizes;
use crate::usage::{self, Memory};
use crate::world::{Database, Receiver, Template, World};

/// Connections in most sections.
pub const CONNECTIONS: usize = 32;
/// Memory limit of the service in MiB.
pub const MEMORY: f64 = 64.0;

/// A part that can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Accepting events.
    Intake,
    /// Processing a backlog.
    Drain,
    /// Both at the same time.
    Together,
    /// Time to order state at 100 events a second, and the cost of an idle service.
    Latency,
    /// Deliveries that are due at twice the peak rate.
    Overload,
    /// Several services on one database.
    Replicas,
    /// Consumers of follow-ups.
    FollowUps,
    /// Accepting events while old bodies are removed.
    Retention,
    /// A database with five million events.
    Growth,
}

impl Section {
    /// Those that were asked for, in that order; by default all but the one that takes longer than all others.
    pub fn chosen(only: &[Self]) -> Vec<Self> {
        let usual = Self::value_variants().iter().copied().filter(|section| *section != Self::Growth);
        if only.is_empty() { usual.collect() } else { only.to_vec() }
    }

    /// Measures and reports.
    pub async fn run(self, bench: &mut Bench) -> anyhow::Result<()> {
        match self {
            Self::Intake => intake::run(bench).await,
            Self::Drain => drain::run(bench).await,
            Self::Together => together::run(bench).await,
            Self::Latency => latency::run(bench).await,
            Self::Overload => overload::run(bench).await,
            Self::Replicas => replicas::run(bench).await,
            Self::FollowUps => follow_ups::run(bench).await,
            Self::Retention => retention::run(bench).await,
            Self::Growth => growth::run(bench).await,
        }
    }
}

/// Everything that a section needs.
pub struct Bench {
    pub world: World,
    pub report: Report,
    pub corpus: Arc<Corpus>,
    pub sizes: Sizes,
}

/// A load and its cost.
pub struct Run {
    pub answers: Answers,
    /// CPU time of the receiver, of Postgres, and of the generator, while the load lasted.
    pub service: Duration,
    pub postgres: Duration,
    pub generator: Duration,
    pub memory: Memory,
}

impl Run {
    /// Milliseconds of CPU time for each acknowledged delivery.
    pub fn per_event(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e3 / (self.answers.accepted().count().max(1) as f64)
    }
}

impl Bench {
    /// The load that most sections use: as fast as it is answered, from the first event on.
    pub fn closed(&self, receiver: &Receiver, connections: usize, at_most: Duration) -> Load {
        let deliveries = (0, self.corpus.deliveries.len());
        Load { receivers: vec![receiver.address], connections, pace: Pace::Closed, deliveries, at_most }
    }

    /// Takes other events, as many, and returns the ones before.
    pub fn exchange_corpus(&mut self, seed: u64) -> Arc<Corpus> {
        std::mem::replace(&mut self.corpus, Arc::new(Corpus::tell(self.sizes.events, seed, None)))
    }

    /// Signs all requests again: receivers refuse old signatures.
    pub fn sign(&mut self) {
        Arc::get_mut(&mut self.corpus).expect("no load is running").sign();
    }

    /// Sends a load and measures its cost.
    pub async fn load(&mut self, receiver: &Receiver, load: Load) -> anyhow::Result<Run> {
        self.sign();
        let own = std::process::id();
        let before = (receiver.cpu()?, self.world.postgres_cpu()?, usage::cpu(own)?);
        let answers = load::run(load, &self.corpus).await?;
        let after = (receiver.cpu()?, self.world.postgres_cpu()?, usage::cpu(own)?);
        Ok(Run {
            answers,
            service: after.0.saturating_sub(before.0),
            postgres: after.1.saturating_sub(before.1),
            generator: after.2.saturating_sub(before.2),
            memory: usage::memory(receiver.pid)?,
        })
    }

    /// Measures the textbook handler on a new database, under a load as above.
    pub async fn textbook(&mut self, connections: usize, at_most: Duration) -> anyhow::Result<Run> {
        let mut database = self.world.database(Template::Empty).await?;
        let receiver = self.world.textbook(&database).await?;
        let load = self.closed(&receiver, connections, at_most);
        let run = self.load(&receiver, load).await?;
        check::stored(&mut database, check::IN_TEXTBOOK, &self.corpus, &run.answers).await?;
        receiver.stop().await?;
        self.world.drop_database(database).await?;
        Ok(run)
    }
}

/// Waits until the event whose `seq` a query returns is no longer pending.
pub async fn until_gone(database: &mut Database, which: &'static str) -> anyhow::Result<()> {
    let seq: Option<i64> = sqlx::query_scalar(which).fetch_one(&mut database.conn).await?;
    let is_there = "select exists (select from clawback.pending_events where seq = $1)";
    let mut ticks = interval(Duration::from_millis(5));
    while sqlx::query_scalar(is_there).bind(seq).fetch_one(&mut database.conn).await? {
        ticks.tick().await;
    }
    Ok(())
}

/// Waits until no event is pending. Polls for the last one first: counting scans all deleted rows.
pub async fn until_drained(database: &mut Database) -> anyhow::Result<()> {
    until_gone(database, "select max(seq) from clawback.pending_events").await?;
    let mut ticks = interval(Duration::from_millis(50));
    while database.count("select count(*) from clawback.pending_events").await? > 0 {
        ticks.tick().await;
    }
    Ok(())
}

/// Bytes in MiB.
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

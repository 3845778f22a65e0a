//! Processing a backlog: events are stored while another session holds the processor's lock; then it is released.

use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use super::{Bench, CONNECTIONS, until_drained, until_gone};
use crate::check;
use crate::load::{self, Load};
use crate::report::Target::AtLeast;
use crate::report::median;
use crate::world::{Database, Receiver, Template, World};

/// How a backlog is made and processed.
#[derive(Clone, Copy)]
pub(super) struct Backlog {
    /// Number of services.
    pub replicas: usize,
    /// What the planner knows when they begin.
    pub statistics: Statistics,
    /// When to stop sending, even if not all events are sent.
    pub at_most: Duration,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { replicas: 1, statistics: Statistics::Untouched, at_most: Duration::MAX }
    }
}

/// What the planner knows of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistics {
    /// What it knew before: in a new database nothing, as in an import.
    Untouched,
    /// What `analyze` gathers.
    Analyzed,
}

/// The figures of one backlog.
pub(super) struct Drained {
    /// Deliveries accepted a second while it grew.
    pub accepted: f64,
    /// Events a second after the first batch: before it, the processor waits for its next try at the lock.
    pub per_second: f64,
    /// CPU milliseconds for each event, of the services and of Postgres.
    service: f64,
    postgres: f64,
    /// Orders whose state was checked.
    orders: f64,
}

/// The contenders of one round.
struct Round {
    /// Deliveries that the textbook handler accepted a second.
    textbook: f64,
    fresh: Drained,
    analyzed: Drained,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let about = format!("a backlog of {} events becomes state", bench.corpus.events());
    bench.report.section("drain", &about);
    let mut rounds = Vec::new();
    for _ in 0..bench.sizes.rounds {
        let analyzed = Backlog { statistics: Statistics::Analyzed, ..Backlog::default() };
        rounds.push(Round {
            textbook: bench.textbook(CONNECTIONS, bench.sizes.intake).await?.answers.accepted_per_second(),
            fresh: drain(bench, Backlog::default()).await?,
            analyzed: drain(bench, analyzed).await?,
        });
    }
    let textbook = median(&rounds, |round| round.textbook);
    bench.report.figures("textbook", &[("accepted", textbook, "/s")]);
    figures(bench, "fresh", &rounds, |round| &round.fresh);
    figures(bench, "analyzed", &rounds, |round| &round.analyzed);
    judge(bench, "fresh", &rounds, |round| &round.fresh);
    judge(bench, "analyzed", &rounds, |round| &round.analyzed);
    let slower = |round: &Round| {
        let (fresh, analyzed) = (round.fresh.per_second, round.analyzed.per_second);
        fresh.min(analyzed) / fresh.max(analyzed)
    };
    bench.report.judge("slower / faster of the two", median(&rounds, slower), "x", AtLeast(0.8));
    Ok(())
}

fn judge(bench: &mut Bench, name: &str, rounds: &[Round], of: fn(&Round) -> &Drained) {
    let drained = median(rounds, |round| of(round).per_second);
    let ratio = median(rounds, |round| of(round).per_second / round.textbook);
    bench.report.judge(&format!("{name}: drained"), drained, "/s", AtLeast(8_000.0));
    bench.report.judge(&format!("{name}: drained / accepted by textbook"), ratio, "x", AtLeast(1.2));
}

fn figures(bench: &mut Bench, name: &str, rounds: &[Round], of: fn(&Round) -> &Drained) {
    let figures = [
        ("drained", median(rounds, |round| of(round).per_second), "/s"),
        ("CPU of the service", median(rounds, |round| of(round).service), "ms/event"),
        ("CPU of Postgres", median(rounds, |round| of(round).postgres), "ms/event"),
        ("states checked", median(rounds, |round| of(round).orders), "orders"),
    ];
    bench.report.figures(name, &figures);
}

/// Stores a backlog in a new database and measures its processing.
pub(super) async fn drain(bench: &mut Bench, backlog: Backlog) -> anyhow::Result<Drained> {
    let mut database = bench.world.database(Template::Migrated).await?;
    let drained = drain_in(bench, &mut database, backlog).await?;
    bench.world.drop_database(database).await?;
    Ok(drained)
}

/// The same in an existing database.
pub(super) async fn drain_in(bench: &mut Bench, database: &mut Database, backlog: Backlog) -> anyhow::Result<Drained> {
    let services = services(bench, database, backlog.replicas).await?;
    let held = database.hold_batches().await?;
    bench.sign();
    let receivers = services.iter().map(|service| service.address).collect();
    let load = Load { receivers, ..bench.closed(&services[0], CONNECTIONS, backlog.at_most) };
    let answers = load::run(load, &bench.corpus).await?;
    if backlog.statistics == Statistics::Analyzed {
        sqlx::query("analyze").execute(&mut database.conn).await?;
    }
    drop(held);
    let waiting = first_batch(database).await?;
    let (started, before) = (Instant::now(), cpu(&bench.world, &services)?);
    until_drained(database).await?;
    let (elapsed, after) = (started.elapsed(), cpu(&bench.world, &services)?);
    check::stored(database, check::IN_LEDGER, &bench.corpus, &answers).await?;
    let orders = check::states(database, &bench.corpus, &answers).await?;
    ensure!(orders > 0, "no payment's events were all accepted: send more");
    for service in services {
        service.stop().await?;
    }
    let per_event = |used: Duration| used.as_secs_f64() * 1e3 / waiting;
    Ok(Drained {
        accepted: answers.accepted_per_second(),
        per_second: waiting / elapsed.as_secs_f64(),
        service: per_event(after.0.saturating_sub(before.0)),
        postgres: per_event(after.1.saturating_sub(before.1)),
        orders: orders as f64,
    })
}

async fn services(bench: &Bench, database: &Database, count: usize) -> anyhow::Result<Vec<Receiver>> {
    let mut services = Vec::new();
    for _ in 0..count {
        services.push(bench.world.clawback(database).await?);
    }
    Ok(services)
}

/// CPU time of all services, and of Postgres.
fn cpu(world: &World, services: &[Receiver]) -> anyhow::Result<(Duration, Duration)> {
    let services = services.iter().map(Receiver::cpu).sum::<anyhow::Result<Duration>>()?;
    Ok((services, world.postgres_cpu()?))
}

/// Waits for the first batch, and returns how many events are still pending.
async fn first_batch(database: &mut Database) -> anyhow::Result<f64> {
    until_gone(database, "select min(seq) from clawback.pending_events").await?;
    // One at least: a smoke test may be done already.
    Ok(database.count("select count(*) from clawback.pending_events").await?.max(1) as f64)
}

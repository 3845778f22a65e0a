//! Accepting events while the bodies of old ones are removed.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use super::drain::{Backlog, drain_in};
use super::{Bench, CONNECTIONS};
use crate::check;
use crate::report::Target::AtLeast;
use crate::report::median;
use crate::world::{Database, Template};

const BODIES: &str = "select count(*) from clawback.event_payloads";
/// How long `clawback prune` may take to remove the first bodies.
const BEGINS_WITHIN: Duration = Duration::from_secs(30);

/// The figures of one round.
struct Round {
    /// Deliveries accepted a second, with `clawback prune` beside them and without.
    beside: f64,
    alone: f64,
    /// Bodies removed a second meanwhile.
    removed: f64,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let about = format!("events arrive over {CONNECTIONS} connections while bodies of old ones are removed");
    bench.report.section("retention", &about);
    let mut rounds = Vec::new();
    for _ in 0..bench.sizes.rounds {
        let (alone, _) = accept(bench, false).await?;
        let (beside, removed) = accept(bench, true).await?;
        rounds.push(Round { beside, alone, removed });
    }
    bench.report.figures("meanwhile", &[("removed", median(&rounds, |round| round.removed), "bodies/s")]);
    let ratio = median(&rounds, |round| round.beside / round.alone);
    bench.report.judge("accepted while pruning / without", ratio, "x", AtLeast(0.9));
    Ok(())
}

/// Accepted deliveries and removed bodies a second, beside a corpus that is stored, processed and old.
async fn accept(bench: &mut Bench, prunes: bool) -> anyhow::Result<(f64, f64)> {
    let mut database = bench.world.database(Template::Migrated).await?;
    drain_in(bench, &mut database, Backlog::default()).await?;
    age(&mut database).await?;
    let receiver = bench.world.clawback(&database).await?;
    let usual = bench.exchange_corpus(4_000);
    let mut pruning = prunes.then(|| prune(&database)).transpose()?;
    if prunes {
        timeout(BEGINS_WITHIN, until_removed(&mut database)).await.context("clawback prune removes nothing")??;
    }
    let before = database.count(BODIES).await?;
    let load = bench.closed(&receiver, CONNECTIONS, bench.sizes.intake);
    let answers = bench.load(&receiver, load).await?.answers;
    if let Some(pruning) = &mut pruning {
        // It may have removed all there was, and ended.
        ensure!(pruning.try_wait()?.is_none_or(|status| status.success()), "clawback prune failed");
        pruning.kill().await?;
    }
    check::stored(&mut database, check::IN_LEDGER, &bench.corpus, &answers).await?;
    let stored = check::acknowledged(&bench.corpus, &answers).len() as i64;
    let left = database.count(BODIES).await?;
    receiver.stop().await?;
    bench.world.drop_database(database).await?;
    bench.corpus = usual;
    let removed = before + stored - left;
    Ok((answers.accepted_per_second(), removed as f64 / answers.elapsed.as_secs_f64()))
}

/// Waits until some of the bodies are gone.
async fn until_removed(database: &mut Database) -> anyhow::Result<()> {
    let all = database.count("select count(*) from clawback.events").await?;
    let mut ticks = interval(Duration::from_millis(5));
    while database.count(BODIES).await? == all {
        ticks.tick().await;
    }
    Ok(())
}

/// Makes everything older than what is kept.
async fn age(database: &mut Database) -> anyhow::Result<()> {
    for statement in [
        "update clawback.events set received_at = received_at - interval '500 days'",
        "vacuum (analyze) clawback.events",
        "checkpoint",
    ] {
        sqlx::query(statement).execute(&mut database.conn).await?;
    }
    Ok(())
}

fn prune(database: &Database) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clawback"));
    command.arg("prune").env_clear().env("DATABASE_URL", database.url()).stdout(Stdio::null()).kill_on_drop(true);
    Ok(command.spawn()?)
}

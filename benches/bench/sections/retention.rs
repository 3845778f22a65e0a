//! Accepting events while the bodies of old ones are removed.

use std::process::Stdio;

use anyhow::ensure;
use tokio::process::{Child, Command};

use super::drain::{Backlog, drain_in};
use super::{Bench, CONNECTIONS};
use crate::check;
use crate::report::Target::AtLeast;
use crate::report::median;
use crate::world::{Database, Template};

/// The figures of one round.
struct Round {
    /// Deliveries accepted a second, with `clawback prune` beside them and without.
    beside: f64,
    alone: f64,
    /// Bodies that were removed meanwhile.
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
    bench.report.figures("meanwhile", &[("removed", median(&rounds, |round| round.removed), "bodies")]);
    let ratio = median(&rounds, |round| round.beside / round.alone);
    bench.report.judge("accepted while pruning / without", ratio, "x", AtLeast(0.9));
    Ok(())
}

/// Accepted deliveries a second beside a corpus that is stored, processed and old, and bodies removed meanwhile.
async fn accept(bench: &mut Bench, prunes: bool) -> anyhow::Result<(f64, f64)> {
    let mut database = bench.world.database(Template::Migrated).await?;
    drain_in(bench, &mut database, Backlog::default()).await?;
    age(&mut database).await?;
    let receiver = bench.world.clawback(&database).await?;
    let usual = bench.exchange_corpus(4_000);
    let before = database.count("select count(*) from clawback.event_payloads").await?;
    let pruning = prunes.then(|| prune(&database)).transpose()?;
    let load = bench.closed(&receiver, CONNECTIONS, bench.sizes.intake);
    let answers = bench.load(&receiver, load).await?.answers;
    if let Some(mut pruning) = pruning {
        // It may have removed all there was, and ended.
        ensure!(pruning.try_wait()?.is_none_or(|status| status.success()), "clawback prune failed");
        pruning.kill().await?;
    }
    check::stored(&mut database, check::IN_LEDGER, &bench.corpus, &answers).await?;
    let stored = check::acknowledged(&bench.corpus, &answers).len() as i64;
    let left = database.count("select count(*) from clawback.event_payloads").await?;
    receiver.stop().await?;
    bench.world.drop_database(database).await?;
    bench.corpus = usual;
    Ok((answers.accepted_per_second(), (before + stored - left) as f64))
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

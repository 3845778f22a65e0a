//! Accepting events: the service with and without processing beside the textbook handler, in turn, for each count of
//! connections.

use super::{Bench, CONNECTIONS, MEMORY, Run, mebibytes, until_drained};
use crate::check;
use crate::report::Target::{AtLeast, AtMost};
use crate::report::median;
use crate::world::Template;

/// Whether what is stored becomes state in the same run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Processing {
    /// Another session holds the processor's lock.
    Held,
    /// As in production.
    On,
}

/// The contenders of one round.
struct Round {
    textbook: Run,
    alone: Run,
    processing: Run,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let about = "accepted deliveries; `alone` only stores them, `processing` makes them state as well";
    bench.report.section("intake", about);
    for connections in bench.sizes.connections.clone() {
        let mut rounds = Vec::new();
        for _ in 0..bench.sizes.rounds {
            rounds.push(Round {
                textbook: bench.textbook(connections, bench.sizes.intake).await?,
                alone: service(bench, connections, Processing::Held).await?,
                processing: service(bench, connections, Processing::On).await?,
            });
        }
        figures(bench, &format!("{connections} x textbook"), &rounds, |round| &round.textbook);
        figures(bench, &format!("{connections} x alone"), &rounds, |round| &round.alone);
        figures(bench, &format!("{connections} x processing"), &rounds, |round| &round.processing);
        judge(bench, connections, &rounds);
    }
    Ok(())
}

async fn service(bench: &mut Bench, connections: usize, processing: Processing) -> anyhow::Result<Run> {
    let mut database = bench.world.database(Template::Migrated).await?;
    let receiver = bench.world.clawback(&database).await?;
    let held = match processing {
        Processing::Held => Some(database.hold_batches().await?),
        Processing::On => None,
    };
    let load = bench.closed(&receiver, connections, bench.sizes.intake);
    let run = bench.load(&receiver, load).await?;
    check::stored(&mut database, check::IN_LEDGER, &bench.corpus, &run.answers).await?;
    if held.is_none() {
        until_drained(&mut database).await?;
        check::states(&mut database, &bench.corpus, &run.answers).await?;
    }
    receiver.stop().await?;
    drop(held);
    bench.world.drop_database(database).await?;
    Ok(run)
}

fn figures(bench: &mut Bench, name: &str, rounds: &[Round], contender: fn(&Round) -> &Run) {
    let of = |value: fn(&Run) -> f64| median(rounds, |round| value(contender(round)));
    let figures = [
        ("accepted", of(|run| run.answers.accepted_per_second()), "/s"),
        ("p50", of(|run| run.answers.quantile(0.5)), "ms"),
        ("p99", of(|run| run.answers.quantile(0.99)), "ms"),
        ("p99.9", of(|run| run.answers.quantile(0.999)), "ms"),
        ("CPU of the receiver", of(|run| run.per_event(run.service)), "ms/event"),
        ("CPU of Postgres", of(|run| run.per_event(run.postgres)), "ms/event"),
        ("CPU of the generator", of(|run| run.per_event(run.generator)), "ms/event"),
        ("memory", of(|run| mebibytes(run.memory.now)), "MiB"),
        ("peak memory", of(|run| mebibytes(run.memory.peak)), "MiB"),
    ];
    bench.report.figures(name, &figures);
}

fn judge(bench: &mut Bench, connections: usize, rounds: &[Round]) {
    let rate = |run: &Run| run.answers.accepted_per_second();
    let p99 = |run: &Run| run.answers.quantile(0.99);
    let mut judge = |what: &str, value, unit, target| {
        bench.report.judge(&format!("{connections} connections: {what}"), value, unit, target);
    };
    let alone = median(rounds, |round| rate(&round.alone) / rate(&round.textbook));
    let processing = median(rounds, |round| rate(&round.processing) / rate(&round.textbook));
    if connections == 1 {
        judge("alone / textbook", alone, "x", AtLeast(1.0));
        judge("processing / textbook", processing, "x", AtLeast(1.0));
    }
    if connections == CONNECTIONS {
        judge("alone / textbook", alone, "x", AtLeast(3.0));
        judge("processing / textbook", processing, "x", AtLeast(2.0));
        let alone = median(rounds, |round| p99(&round.alone) / p99(&round.textbook));
        let processing = median(rounds, |round| p99(&round.processing) / p99(&round.textbook));
        judge("p99 alone / textbook", alone, "x", AtMost(1.0));
        judge("p99 processing / textbook", processing, "x", AtMost(1.0));
    }
    let peaks = rounds.iter().flat_map(|round| [round.alone.memory.peak, round.processing.memory.peak]);
    judge("memory of the service, peak", mebibytes(peaks.max().unwrap_or_default()), "MiB", AtMost(MEMORY));
}

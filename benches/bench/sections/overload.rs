//! Requests that are due at twice the rate that the service can take, over nearly as many connections as it takes.
//!
//! Each connection has one request in flight, so that a late one delays those behind it. All of them find room in the queue:
//! the service answers 503 only to what has waited for 2 s.

use super::{Bench, MEMORY, Run, mebibytes, until_drained};
use crate::check;
use crate::load::{Load, Pace, quantile};
use crate::report::Target::{AtLeast, AtMost};
use crate::world::Template;

/// Connections when the peak is measured. Together with those of the overload, which the service may not yet have seen
/// closed, they are fewer than it takes.
const AT_PEAK: usize = 200;

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let (connections, most) = (bench.sizes.overload(), bench.corpus.deliveries.len());
    let about = format!("requests are due at twice the peak rate, over {connections} connections");
    bench.report.section("overload", &about);
    let peak = at_peak(bench).await?;
    let mut database = bench.world.database(Template::Migrated).await?;
    let receiver = bench.world.clawback(&database).await?;
    let at_most = bench.sizes.intake;
    let split = most * 3 / 4;
    let closed = bench.closed(&receiver, connections, at_most);
    let overload = Load { pace: Pace::Open(2.0 * peak), deliveries: (0, split), ..closed };
    let mut run = bench.load(&receiver, overload).await?;
    report(bench, peak, &run);
    let rest = Load { deliveries: (split, most), ..bench.closed(&receiver, AT_PEAK, at_most) };
    let after = bench.load(&receiver, rest).await?;
    let recovered = after.answers.accepted_per_second() / peak;
    bench.report.judge("accepted after it / peak", recovered, "x", AtLeast(0.8));
    bench.report.judge("memory of the service, peak", mebibytes(after.memory.peak), "MiB", AtMost(MEMORY));
    until_drained(&mut database).await?;
    run.answers.all.extend(after.answers.all);
    check::stored(&mut database, check::IN_LEDGER, &bench.corpus, &run.answers).await?;
    check::states(&mut database, &bench.corpus, &run.answers).await?;
    receiver.stop().await?;
    bench.world.drop_database(database).await
}

/// Accepted deliveries a second in a closed load: the best of all rounds, each on a database of its own.
async fn at_peak(bench: &mut Bench) -> anyhow::Result<f64> {
    let mut peak = 0.0_f64;
    for _ in 0..bench.sizes.rounds {
        let mut database = bench.world.database(Template::Migrated).await?;
        let receiver = bench.world.clawback(&database).await?;
        let load = bench.closed(&receiver, AT_PEAK, bench.sizes.intake);
        let answers = bench.load(&receiver, load).await?.answers;
        check::stored(&mut database, check::IN_LEDGER, &bench.corpus, &answers).await?;
        peak = peak.max(answers.accepted_per_second());
        receiver.stop().await?;
        bench.world.drop_database(database).await?;
    }
    Ok(peak)
}

fn report(bench: &mut Bench, peak: f64, run: &Run) {
    let answers = &run.answers;
    let refusals: Vec<f64> = answers.unavailable().map(|answer| answer.took.as_secs_f64() * 1e3).collect();
    let sent = answers.all.len() as f64 / answers.elapsed.as_secs_f64();
    let figures = [
        ("peak", peak, "/s"),
        ("due", 2.0 * peak, "/s"),
        ("sent", sent, "/s"),
        ("accepted", answers.accepted_per_second(), "/s"),
        ("answered 503", refusals.len() as f64 / answers.elapsed.as_secs_f64(), "/s"),
        ("sent to accepted p99", answers.quantile(0.99), "ms"),
    ];
    bench.report.figures("overload", &figures);
    bench.report.judge("accepted / peak", answers.accepted_per_second() / peak, "x", AtLeast(0.8));
    if !refusals.is_empty() {
        bench.report.judge("sent to 503 p99", quantile(refusals, 0.99), "ms", AtMost(100.0));
    }
}

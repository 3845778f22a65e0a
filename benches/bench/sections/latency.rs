//! Time from acknowledgement to order state at a moderate rate, and the cost of an idle service.

use std::time::Duration;

use tokio::time::sleep;

use super::{Bench, until_drained};
use crate::check;
use crate::feed::Feed;
use crate::load::{Load, Pace, quantile};
use crate::report::Target::AtMost;
use crate::world::{Database, Receiver, Template};

/// Events a second.
const RATE: f64 = 100.0;
/// Interval of reading `order_history`: delays appear longer by at most this.
const POLL: Duration = Duration::from_millis(2);

/// Postgres sessions report their transactions up to ten seconds late.
const REPORTED_WITHIN: Duration = Duration::from_secs(11);

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let quiet = bench.sizes.quiet;
    bench.report.section("latency", &format!("{RATE} events a second for {quiet:?}, then none for as long"));
    let mut database = bench.world.database(Template::Migrated).await?;
    let receiver = bench.world.clawback(&database).await?;
    let feed = Feed::follow(database.connect().await?, POLL);
    let load = Load { pace: Pace::Open(RATE), ..bench.closed(&receiver, 8, quiet) };
    let run = bench.load(&receiver, load).await?;
    until_drained(&mut database).await?;
    let delays = feed.end().await?.delays(&bench.corpus, &run.answers, |answer| answer.at)?;
    let delay = |share| quantile(delays.clone(), share) * 1e3;
    let answered = [("p50", run.answers.quantile(0.5), "ms"), ("p99", run.answers.quantile(0.99), "ms")];
    bench.report.figures("sent to acknowledged", &answered);
    bench.report.judge("acknowledged to order state, p50", delay(0.5), "ms", AtMost(20.0));
    bench.report.judge("acknowledged to order state, p99", delay(0.99), "ms", AtMost(100.0));
    check::stored(&mut database, check::IN_LEDGER, &bench.corpus, &run.answers).await?;
    check::states(&mut database, &bench.corpus, &run.answers).await?;
    idle(bench, &mut database, &receiver).await?;
    receiver.stop().await?;
    bench.world.drop_database(database).await
}

/// Measures a service that receives nothing.
async fn idle(bench: &mut Bench, database: &mut Database, receiver: &Receiver) -> anyhow::Result<()> {
    // Leaves nothing for autovacuum and the checkpointer to do.
    sqlx::query("vacuum (analyze)").execute(&mut database.conn).await?;
    sqlx::query("checkpoint").execute(&mut database.conn).await?;
    sleep(REPORTED_WITHIN.min(bench.sizes.quiet)).await;
    let before = (receiver.cpu()?, bench.world.postgres_cpu()?, bench.world.transactions(database).await?);
    sleep(bench.sizes.quiet).await;
    let after = (receiver.cpu()?, bench.world.postgres_cpu()?, bench.world.transactions(database).await?);
    let seconds = bench.sizes.quiet.as_secs_f64();
    let percent = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() / seconds * 100.0;
    bench.report.judge("idle: CPU of the service", percent(before.0, after.0), "%", AtMost(0.3));
    bench.report.judge("idle: CPU of Postgres", percent(before.1, after.1), "%", AtMost(0.3));
    let transactions = (after.2 - before.2) as f64 / seconds;
    bench.report.judge("idle: transactions", transactions, "/s", AtMost(2.0));
    Ok(())
}

//! Accepting and processing at the same time, at full speed.

use std::time::Duration;

use tokio::time::Instant;

use super::{Bench, CONNECTIONS, until_drained};
use crate::check;
use crate::feed::Feed;
use crate::load::quantile;
use crate::report::Target::AtLeast;
use crate::report::median;
use crate::world::Template;

/// Interval of reading `order_history`, as a consumer would.
const POLL: Duration = Duration::from_millis(50);

/// The contenders of one round.
struct Round {
    /// Deliveries that the textbook handler accepted a second.
    textbook: f64,
    ours: Together,
}

/// The figures of the service.
struct Together {
    /// Deliveries accepted a second.
    accepted: f64,
    /// Events a second that became state while others arrived.
    state: f64,
    /// Seconds from sending an event to its change of an order.
    p50: f64,
    p99: f64,
    /// Seconds until the remaining events were state.
    rest: f64,
}

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let about = format!("events arrive at full speed over {CONNECTIONS} connections and become state meanwhile");
    bench.report.section("together", &about);
    let mut rounds = Vec::new();
    for _ in 0..bench.sizes.rounds {
        let textbook = bench.textbook(CONNECTIONS, bench.sizes.intake).await?.answers.accepted_per_second();
        rounds.push(Round { textbook, ours: together(bench).await? });
    }
    let textbook = median(&rounds, |round| round.textbook);
    bench.report.figures("textbook", &[("accepted", textbook, "/s")]);
    let of = |value: fn(&Together) -> f64| median(&rounds, |round| value(&round.ours));
    let figures = [
        ("accepted", of(|ours| ours.accepted), "/s"),
        ("sent to order state p50", of(|ours| ours.p50), "s"),
        ("sent to order state p99", of(|ours| ours.p99), "s"),
        ("the rest took", of(|ours| ours.rest), "s"),
    ];
    bench.report.figures("service", &figures);
    let accepted = median(&rounds, |round| round.ours.accepted / round.textbook);
    bench.report.judge("accepted / textbook", accepted, "x", AtLeast(1.5));
    let state = median(&rounds, |round| round.ours.state / round.textbook);
    bench.report.judge("became state meanwhile", of(|ours| ours.state), "/s", AtLeast(4_500.0));
    bench.report.judge("became state meanwhile / accepted by textbook", state, "x", AtLeast(0.7));
    Ok(())
}

async fn together(bench: &mut Bench) -> anyhow::Result<Together> {
    let mut database = bench.world.database(Template::Migrated).await?;
    let receiver = bench.world.clawback(&database).await?;
    let feed = Feed::follow(database.connect().await?, POLL);
    let load = bench.closed(&receiver, CONNECTIONS, bench.sizes.together);
    let run = bench.load(&receiver, load).await?;
    let pending = database.count("select count(*) from clawback.pending_events").await?;
    let (stored, stopped) = (check::acknowledged(&bench.corpus, &run.answers).len(), Instant::now());
    until_drained(&mut database).await?;
    let rest = stopped.elapsed().as_secs_f64();
    check::stored(&mut database, check::IN_LEDGER, &bench.corpus, &run.answers).await?;
    check::states(&mut database, &bench.corpus, &run.answers).await?;
    let delays = feed.end().await?.delays(&bench.corpus, &run.answers, |answer| answer.at - answer.took)?;
    receiver.stop().await?;
    bench.world.drop_database(database).await?;
    Ok(Together {
        accepted: run.answers.accepted_per_second(),
        state: (stored as f64 - pending as f64) / run.answers.elapsed.as_secs_f64(),
        p50: quantile(delays.clone(), 0.5),
        p99: quantile(delays, 0.99),
        rest,
    })
}

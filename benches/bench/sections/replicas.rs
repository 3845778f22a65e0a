//! Several services on one Postgres.

use super::drain::{Backlog, drain};
use super::{Bench, CONNECTIONS};
use crate::report::Target::AtLeast;
use crate::report::median;

/// How many services are compared.
const COUNTS: [usize; 3] = [1, 2, 4];

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let about = format!("two and four services on one database, compared with one; {CONNECTIONS} connections in all");
    bench.report.section("replicas", &about);
    let mut rounds = Vec::new();
    for _ in 0..bench.sizes.rounds {
        let mut round = Vec::new();
        for replicas in COUNTS {
            let backlog = Backlog { replicas, at_most: bench.sizes.intake, ..Backlog::default() };
            round.push(drain(bench, backlog).await?);
        }
        rounds.push(round);
    }
    for (place, replicas) in COUNTS.into_iter().enumerate() {
        let accepted = median(&rounds, |round| round[place].accepted);
        let drained = median(&rounds, |round| round[place].per_second);
        bench.report.figures(&replicas.to_string(), &[("accepted", accepted, "/s"), ("drained", drained, "/s")]);
    }
    for (place, replicas) in COUNTS.into_iter().enumerate().skip(1) {
        let accepted = median(&rounds, |round| round[place].accepted / round[0].accepted);
        let drained = median(&rounds, |round| round[place].per_second / round[0].per_second);
        bench.report.judge(&format!("{replicas} replicas: accepted / one"), accepted, "x", AtLeast(0.8));
        bench.report.judge(&format!("{replicas} replicas: drained / one"), drained, "x", AtLeast(0.8));
    }
    Ok(())
}

//! The torture: the real binary on a real Postgres, through everything that can happen to them, under traffic whose truth
//! is known. `make torture` runs every scenario for some minutes; `make test` runs a few of them shortly.
//!
//! Each trial has two replicas behind a proxy, lives of payments from the proof's generator, consumers that claim
//! follow-ups, and services that request refunds and respond to disputes at the double of Stripe, whose calls fail too.
//! During each fault a replica gets SIGTERM. Then everything must be as if nothing had happened.
//!
//! | file | its job |
//! |---|---|
//! | `scenario` | what is tried |
//! | `faults` | what is done to the service |
//! | `trial`, `server`, `replicas`, `proxy` | what it is done to |
//! | `traffic`, `post`, `consumers`, `shops` | who uses the service meanwhile |
//! | `checks`, `table` | what must hold, and the figures |

#![expect(unreachable_pub, reason = "in a test binary, `pub` says: for the other files")]

#[expect(dead_code, reason = "of what the proofs share a part is used here")]
#[path = "../proof/acting.rs"]
mod acting;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/binary.rs"]
mod binary;
#[path = "../proof/chance.rs"]
mod chance;
mod checks;
mod checks_fail;
#[expect(dead_code, reason = "the doctor is not asked here")]
#[path = "../proof/postgres/consistent.rs"]
mod consistent;
mod consumers;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/double_world.rs"]
mod double_world;
mod faults;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/harness.rs"]
mod harness;
#[path = "../proof/life/mod.rs"]
mod life;
mod post;
mod proxy;
mod replicas;
mod scenario;
mod server;
mod shops;
mod table;
mod traffic;
mod trial;
#[path = "../proof/truth/mod.rs"]
mod truth;
#[expect(dead_code, reason = "of CPU and memory, memory is looked at here")]
#[path = "../../benches/bench/usage.rs"]
mod usage;
#[path = "../proof/postgres/views.rs"]
mod views;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clawback::dev::local_postgres::Durability;
use strum::IntoEnumIterator;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use replicas::REPLICAS;
use scenario::{Scenario, Stage};
use server::Server;
use table::{Figures, Outcome, Row};
use trial::{Back, Trial};

/// What `make test` runs, all on one database, and how long a fault lasts there.
const SHORT: &[Scenario] = &[Scenario::Kills, Scenario::Crashes, Scenario::HalfOpen];
const SHORT_FAULT: Duration = Duration::from_millis(1_500);
/// Between two faults.
const CALM: Duration = Duration::from_secs(1);

/// How much is tried.
#[derive(Clone, Copy)]
struct Size {
    /// Faults follow each other for so long; a fault at least.
    time: Duration,
    /// The longest that a fault lasts.
    fault: Duration,
    durability: Durability,
    /// How many times longer an answer and the way back may take: beside other tests, time proves little.
    slack: u32,
}

/// `MINUTES` is how long all scenarios take together, more or less; `ONLY` names some, separated by commas; `SEED` selects
/// the lives.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_wrong_or_late_whatever_happens() {
    // Ctrl-C cleans up like any other end.
    let rows = tokio::select! {
        rows = try_all() => rows,
        _ = tokio::signal::ctrl_c() => panic!("stopped"),
    };
    assert!(rows.iter().all(Row::is_good), "see above");
}

async fn try_all() -> Vec<Row> {
    let seed = chance::number("SEED", 1);
    let (runs, size) = plan();
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = Arc::new(Server::start(size.durability).await);
    let mut rows = Vec::new();
    for (number, scenarios) in runs.into_iter().enumerate() {
        let name = scenarios.iter().map(|scenario| scenario.name()).collect::<Vec<_>>().join(", ");
        let folder = server.folder.join(format!("{number}-{}", scenarios[0].name()));
        let outcome = match scenarios[0].stage(&server, &folder) {
            Ok(Stage { setup, disk }) => {
                let trial = Trial::start(&server, &folder, setup, seed * 1_000 + number as u64).await;
                // A task of its own, so that a panic ends no other scenario.
                let outcome =
                    LocalSet::new().run_until(async { spawn_local(attempt(scenarios, trial, size)).await }).await;
                let outcome = outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()));
                server.clear().await;
                drop(disk);
                outcome
            }
            Err(why) => Outcome::LeftOut(why),
        };
        let row = Row { name, outcome };
        row.complain();
        rows.push(row);
        table::print(&rows);
    }
    server.stop().await;
    rows
}

/// The scenarios that are asked for, together on one database or each on its own, and how long each is tried.
fn plan() -> (Vec<Vec<Scenario>>, Size) {
    let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let minutes = text("MINUTES").map(|text| text.parse::<f64>().expect("MINUTES is a number"));
    let only = text("ONLY");
    let named = |name: &str| {
        let found = Scenario::iter().find(|scenario| scenario.name() == name.trim());
        found.unwrap_or_else(|| panic!("ONLY names no scenario: {name}"))
    };
    let scenarios: Vec<Scenario> = match &only {
        Some(names) => names.split(',').map(named).collect(),
        None => Scenario::iter().collect(),
    };
    let each = |scenarios: Vec<Scenario>| scenarios.into_iter().map(|scenario| vec![scenario]).collect();
    let short = Size { time: Duration::ZERO, fault: SHORT_FAULT, durability: Durability::FsyncOff, slack: 4 };
    match (minutes, &only) {
        (Some(minutes), _) => {
            let time = Duration::from_secs_f64(minutes * 60.0).div_f64(scenarios.len() as f64);
            (each(scenarios), Size { time, fault: Duration::MAX, durability: Durability::Durable, slack: 1 })
        }
        (None, Some(_)) => (each(scenarios), short),
        (None, None) => (vec![SHORT.to_vec()], short),
    }
}

/// Scenarios in turn, and the verdict.
async fn attempt(scenarios: Vec<Scenario>, mut trial: Trial, size: Size) -> Outcome {
    let (began, mut figures) = (Instant::now(), Figures::default());
    sleep(CALM).await;
    while figures.faults == 0 || began.elapsed() < size.time {
        for scenario in &scenarios {
            torment(*scenario, &trial, scenario.lasts().min(size.fault), &mut figures).await;
        }
    }
    let lives = trial.traffic.end().await;
    if let Err(unsettled) = checks::settle(&mut trial).await {
        return Outcome::Broken(unsettled);
    }
    figures.found = checks::examine(&trial, &lives).await;
    for slot in 0..REPLICAS {
        trial.terminate(slot).await;
    }
    figures.found.wrong.extend(trial.wrong());
    figures.count(&trial, began.elapsed(), size.slack).await;
    Outcome::Tried(figures)
}

/// One fault with a SIGTERM in it, and how long it takes to be back.
async fn torment(scenario: Scenario, trial: &Trial, lasts: Duration, figures: &mut Figures) {
    let termination = async {
        if !scenario.stops_replicas() {
            sleep(lasts.mul_f64(0.4)).await;
            trial.terminate(1).await;
            trial.replicas.begin(1).await;
        }
    };
    tokio::join!(scenario.inflict(trial, lasts), termination);
    figures.faults += 1;
    let Back { accepted, processed } = trial.back().await;
    figures.back.accepted = figures.back.accepted.max(accepted);
    figures.back.processed = figures.back.processed.max(processed);
    sleep(CALM).await;
}

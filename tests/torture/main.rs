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

use scenario::{Scenario, Stage};
use server::Server;
use table::{Figures, Outcome, Row};
use trial::{Back, Trial};

/// What `make test` runs, and how long a fault lasts there.
const SHORT: [Scenario; 3] = [Scenario::Kills, Scenario::Crashes, Scenario::HalfOpen];
const SHORT_FAULT: Duration = Duration::from_secs(2);
/// Between two faults.
const CALM: Duration = Duration::from_secs(2);
/// Log lines that are allowed for each second of a trial, and for each call to Stripe.
const LINES_PER_SECOND: f64 = 4.0;
const LINES_PER_CALL: usize = 3;

/// How much is tried.
#[derive(Clone, Copy)]
struct Size {
    /// Faults follow each other for so long; a fault at least.
    time: Duration,
    /// The longest that a fault lasts.
    fault: Duration,
    durability: Durability,
}

/// `MINUTES` is how long all scenarios take together, more or less; `ONLY` names some, separated by commas; `SEED` selects
/// the lives.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_wrong_or_late_whatever_happens() {
    let seed = chance::number("SEED", 1);
    let (scenarios, size) = plan();
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = Arc::new(Server::start(size.durability).await);
    let mut rows = Vec::new();
    for (number, scenario) in scenarios.into_iter().enumerate() {
        let attempt = attempt(scenario, Arc::clone(&server), size, seed * 1_000 + number as u64);
        // A task of its own, so that a panic ends no other scenario.
        let outcome = LocalSet::new().run_until(async { spawn_local(attempt).await }).await;
        let outcome = outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()));
        let row = Row { name: scenario.name(), outcome };
        row.complain();
        rows.push(row);
        table::print(&rows[rows.len() - 1..]);
    }
    table::print(&rows);
    server.stop().await;
    assert!(rows.iter().all(Row::is_good), "see above");
}

/// The scenarios that are asked for, and how long each is tried.
fn plan() -> (Vec<Scenario>, Size) {
    let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let minutes = text("MINUTES").map(|text| text.parse::<f64>().expect("MINUTES is a number"));
    let only = text("ONLY");
    let named = |name: &str| {
        let found = Scenario::iter().find(|scenario| scenario.name() == name.trim());
        found.unwrap_or_else(|| panic!("ONLY names no scenario: {name}"))
    };
    let scenarios: Vec<Scenario> = match (&only, minutes) {
        (Some(names), _) => names.split(',').map(named).collect(),
        (None, Some(_)) => Scenario::iter().collect(),
        (None, None) => SHORT.to_vec(),
    };
    let size = match minutes {
        Some(minutes) => {
            let time = Duration::from_secs_f64(minutes * 60.0).div_f64(scenarios.len() as f64);
            Size { time, fault: Duration::MAX, durability: Durability::Durable }
        }
        None => Size { time: Duration::ZERO, fault: SHORT_FAULT, durability: Durability::FsyncOff },
    };
    (scenarios, size)
}

/// One scenario, from an empty database to the verdict.
async fn attempt(scenario: Scenario, server: Arc<Server>, size: Size, seed: u64) -> Outcome {
    let folder = server.folder.join(scenario.name());
    let Stage { setup, disk } = match scenario.stage(&server, &folder) {
        Ok(stage) => stage,
        Err(why) => return Outcome::LeftOut(why),
    };
    let began = Instant::now();
    let mut trial = Trial::start(&server, &folder, setup, seed).await;
    let mut figures = torment(scenario, &trial, size).await;
    let lives = std::mem::replace(&mut trial.traffic, traffic::Traffic::none()).end().await;
    figures.found = checks::check(&mut trial, &lives).await;
    let calls = trial.world.look("requests").await.as_array().map_or(0, Vec::len);
    figures.log_limit = (began.elapsed().as_secs_f64() * LINES_PER_SECOND) as usize + calls * LINES_PER_CALL;
    figures.log_lines = trial.replicas.log_lines();
    figures.memory = trial.memory();
    figures.acknowledged = trial.post.acknowledged().len();
    {
        let mut tally = trial.post.tally();
        (figures.deliveries, figures.slowest) = (tally.deliveries, tally.slowest);
        figures.late = std::mem::take(&mut tally.late);
        figures.found.wrong.append(&mut tally.strange);
    }
    for slot in 0..replicas::REPLICAS {
        figures.found.wrong.extend(trial.replicas.terminate(slot).await);
    }
    drop((trial, disk));
    Outcome::Tried(figures)
}

/// One fault after the other, each with a SIGTERM in it.
async fn torment(scenario: Scenario, trial: &Trial, size: Size) -> Figures {
    let (began, mut figures) = (Instant::now(), Figures::default());
    let lasts = scenario.lasts().min(size.fault);
    sleep(CALM).await;
    loop {
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
        if began.elapsed() + lasts > size.time {
            return figures;
        }
    }
}

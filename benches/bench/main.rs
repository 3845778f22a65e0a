//! `make bench`: how fast the service is, beside a textbook handler on the same machine and in the same run.
//!
//! Contenders take turns, each run has a new database, and comparisons are ratios within a round. Each run checks that
//! the events stored are those acknowledged, and where they are processed, that the orders' states are right. `cargo test`
//! runs everything once at tiny sizes, with these checks and without the targets.
//!
//! | file | its job |
//! |---|---|
//! | `corpus` | the events: realistic, signed beforehand |
//! | `load` | sends them and measures the answers |
//! | `textbook` | the handler to compare with |
//! | `world` | Postgres, databases, processes |
//! | `usage` | CPU and memory |
//! | `feed` | when order states become visible |
//! | `check` | self-checks |
//! | `report` | figures, targets, verdicts |
//! | `sections` | what is measured |

#![expect(unreachable_pub, reason = "in a binary, `pub` says: for the other files")]

mod check;
mod corpus;
mod feed;
mod load;
mod report;
mod sections;
mod settings;
mod textbook;
mod usage;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use corpus::Corpus;
use report::{Output, Report};
use sections::{Bench, Section};
use settings::Sizes;
use world::World;

/// Measure intake and processing beside a textbook handler; exits 1 when a target is missed
#[derive(Debug, Parser)]
#[command(name = "bench", override_usage = "make bench BENCH='[OPTIONS]'")]
struct Args {
    /// Sections to run, separated by commas [default: all but growth]
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Section>,
    /// How often each comparison is repeated; figures are medians
    #[arg(long, default_value_t = Sizes::full().rounds)]
    rounds: usize,
    /// Events to send at most in one run, and to drain
    #[arg(long, default_value_t = Sizes::full().events)]
    events: usize,
    /// Seconds that each run of intake lasts
    #[arg(long, default_value_t = Sizes::full().intake.as_secs_f64())]
    seconds: f64,
    /// Numbers of connections at which intake is compared, separated by commas; 1 and 32 have targets
    #[arg(long, value_delimiter = ',', default_values_t = Sizes::full().connections)]
    connections: Vec<usize>,
    /// Events in the database of growth
    #[arg(long, default_value_t = Sizes::full().stored)]
    stored: usize,
    /// Seed of the IDs: the same seed sends the same events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object at the end and nothing else
    #[arg(long)]
    json: bool,
    /// What cargo bench passes
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    fn sizes(&self) -> Sizes {
        let Self { rounds, events, stored, seconds, .. } = *self;
        let connections = self.connections.clone();
        Sizes { rounds, events, stored, connections, intake: Duration::from_secs_f64(seconds), ..Sizes::full() }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, database_url, secret] = arguments.as_slice()
        && word == world::TEXTBOOK
    {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(textbook::serve(database_url, secret))?;
        return Ok(ExitCode::SUCCESS);
    }
    // One thread: the load generator must leave the machine to what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if arguments.iter().any(|argument| argument == "--bench") {
        let args = Args::parse();
        let sizes = args.sizes();
        let output = if args.json { Output::Json } else { Output::Lines };
        let missed = runtime.block_on(measure(&args.only, sizes, args.seed, output))?;
        return Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if is_asked_for(&arguments[1..]) {
        runtime.block_on(measure(Section::value_variants(), Sizes::smoke(), 1, Output::Smoke))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a test runner's arguments leave the smoke test in: no filter, or one that names it, and no list.
fn is_asked_for(arguments: &[String]) -> bool {
    let mut filters = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    let is_named = filters.peek().is_none() || filters.any(|filter| "bench_smoke".contains(filter.as_str()));
    is_named && !arguments.iter().any(|argument| argument == "--list")
}

/// Runs sections, and returns how many targets were missed.
async fn measure(only: &[Section], sizes: Sizes, seed: u64, output: Output) -> anyhow::Result<usize> {
    let mut world = World::start(sizes.durability).await?;
    let mut report = Report::new(output);
    let corpus = Arc::new(Corpus::tell(sizes.events, seed, None));
    settings::report(&mut report, &mut world, &corpus, &sizes).await?;
    let mut bench = Bench { world, report, corpus, sizes };
    for section in Section::chosen(only) {
        section.run(&mut bench).await?;
    }
    bench.world.stop().await?;
    Ok(bench.report.end())
}

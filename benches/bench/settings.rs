//! The sizes of a run, and everything that its figures depend on.

use std::fs;
use std::process::Command;
use std::time::Duration;

use clawback::dev::local_postgres::Durability;

use crate::corpus::{Corpus, FORGERY_EVERY, REPEAT_EVERY};
use crate::report::Report;
use crate::world::World;

/// Settings of Postgres that make a difference.
const OF_POSTGRES: [&str; 9] = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_sync_method",
    "shared_buffers",
    "max_wal_size",
    "max_connections",
    "autovacuum",
];

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Whether Postgres may lose what was committed.
    pub durability: Durability,
    /// How often each comparison is repeated.
    pub rounds: usize,
    /// Events to send at most in one run.
    pub events: usize,
    /// How long a run of intake lasts.
    pub intake: Duration,
    /// The counts of connections that are compared.
    pub connections: Vec<usize>,
    /// How long events arrive at full speed while they are processed.
    pub together: Duration,
    /// How long events arrive at a moderate rate, and how long none do.
    pub quiet: Duration,
    /// Follow-ups that are ready, and that were done before.
    pub ready: i64,
    pub done: i64,
    /// Events that a large database holds.
    pub stored: usize,
    /// Payments of a large order, and events of a large payment.
    pub heavy: usize,
}

impl Sizes {
    /// For `make bench`.
    pub fn full() -> Self {
        Self {
            durability: Durability::Durable,
            rounds: 3,
            events: 100_000,
            intake: Duration::from_secs(3),
            connections: vec![1, 8, 32, 64, 256],
            together: Duration::from_secs(10),
            quiet: Duration::from_secs(20),
            ready: 100_000,
            done: 1_000_000,
            stored: 5_000_000,
            heavy: 10_000,
        }
    }

    /// For `cargo test`: everything once, and as little as shows that it works.
    pub fn smoke() -> Self {
        let short = Duration::from_millis(200);
        Self {
            durability: Durability::FsyncOff,
            rounds: 1,
            events: 400,
            intake: short,
            connections: vec![32],
            together: short,
            quiet: short,
            ready: 200,
            done: 100,
            stored: 1_200,
            heavy: 20,
        }
    }

    /// Connections of an overload: few when its size is that of a test.
    pub fn overload(&self) -> usize {
        self.events.min(1_800)
    }
}

/// Reports the settings of the machine, of Postgres and of the run.
pub async fn report(report: &mut Report, world: &mut World, corpus: &Corpus, sizes: &Sizes) -> anyhow::Result<()> {
    let load = read("/proc/loadavg");
    report.setting("commit", commit());
    report.setting("build", if cfg!(debug_assertions) { "debug: not a measurement" } else { "release" }.to_owned());
    report.setting("CPU", format!("{} x {}", std::thread::available_parallelism()?, cpu_model()));
    report.setting("kernel", read("/proc/sys/kernel/osrelease").trim().to_owned());
    report.setting("load average before", load.split(' ').next().unwrap_or_default().to_owned());
    for name in OF_POSTGRES {
        let value = sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&mut world.admin).await?;
        report.setting(name, value);
    }
    let ((least, median, most), Sizes { rounds, intake, .. }) = (corpus.body_sizes(), sizes);
    report.setting("events", format!("{} of {} payments", corpus.events(), corpus.lives.len()));
    report.setting("besides", format!("a repeat for every {REPEAT_EVERY} events, a forgery for every {FORGERY_EVERY}"));
    report.setting("bodies", format!("{least} to {most} bytes, median {median}"));
    report.setting("runs", format!("{rounds} rounds, medians; a new database each; intake for {intake:?}"));
    report.setting("service", "default settings, its log written to a file".to_owned());
    Ok(())
}

/// The commit that is checked out, and whether files differ from it.
fn commit() -> String {
    let git =
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    git.ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(String::new, |text| text.trim().to_owned())
}

fn cpu_model() -> String {
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

//! The table of all trials, and which of them are good.

use std::time::Duration;

use comfy_table::{Table, presets};

use crate::checks::Findings;
use crate::post::ANSWERED_WITHIN;
use crate::trial::{Back, Trial};

/// By when the service must be back after a fault has ended.
const BACK_WITHIN: Duration = Duration::from_secs(10);
/// What the documents say is enough, in bytes.
const MEMORY: u64 = 256 << 20;
/// The most complaints about a trial that are printed.
const SHOWN: usize = 10;
/// Log lines that are allowed for each second of a trial, and for each call to Stripe.
const LINES_PER_SECOND: f64 = 4.0;
const LINES_PER_CALL: usize = 3;
const HEAD: [&str; 13] = [
    "scenario",
    "faults",
    "deliveries",
    "acknowledged",
    "lost",
    "doubled",
    "wrong",
    "late",
    "slowest answer",
    "200 again after",
    "processed again after",
    "log lines",
    "memory",
];

/// One trial.
pub struct Row {
    /// Of its scenarios.
    pub name: String,
    pub outcome: Outcome,
}

pub enum Outcome {
    Tried(Figures),
    /// Why this machine cannot try it.
    LeftOut(&'static str),
    Broken(String),
}

#[derive(Debug, Default)]
pub struct Figures {
    pub faults: usize,
    pub deliveries: usize,
    pub acknowledged: usize,
    pub found: Findings,
    pub late: Vec<String>,
    pub slowest: Duration,
    /// The longest after any fault.
    pub back: Back,
    pub back_limit: Duration,
    pub log_lines: usize,
    /// How many lines are allowed: some for each second and each call to Stripe.
    pub log_limit: usize,
    pub memory: u64,
}

impl Row {
    /// Prints what is wrong with it, with ids.
    pub fn complain(&self) {
        match &self.outcome {
            Outcome::LeftOut(why) => println!("{}: left out: {why}", self.name),
            Outcome::Broken(why) => println!("{}: BROKEN: {why}", self.name),
            Outcome::Tried(figures) => {
                let complaints = figures.complaints();
                for (what, which) in complaints.iter().take(SHOWN) {
                    println!("{}: {what}: {}", self.name, which.chars().take(3_000).collect::<String>());
                }
                if complaints.len() > SHOWN {
                    println!("{}: and {} more", self.name, complaints.len() - SHOWN);
                }
            }
        }
    }

    pub fn is_good(&self) -> bool {
        match &self.outcome {
            Outcome::LeftOut(_) => true,
            Outcome::Broken(_) => false,
            Outcome::Tried(figures) => figures.complaints().is_empty(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let Outcome::Tried(it) = &self.outcome else {
            let what = if self.is_good() { "left out" } else { "BROKEN" };
            return vec![self.name.clone(), what.to_owned()];
        };
        let Findings { lost, doubled, wrong } = &it.found;
        let counts = [it.faults, it.deliveries, it.acknowledged, lost.len(), doubled.len(), wrong.len(), it.late.len()];
        let times =
            [it.slowest, it.back.accepted, it.back.processed].map(|time| format!("{:.1} s", time.as_secs_f64()));
        let cells = [self.name.clone()].into_iter().chain(counts.map(|count| count.to_string())).chain(times);
        cells.chain([it.log_lines.to_string(), format!("{} MiB", it.memory >> 20)]).collect()
    }
}

impl Figures {
    /// Adds what is counted over the whole trial. `slack`: how many times longer things may take here.
    pub async fn count(&mut self, trial: &Trial, time: Duration, slack: u32) {
        let calls = trial.world.look("requests").await.as_array().map_or(0, Vec::len);
        self.log_limit = (time.as_secs_f64() * LINES_PER_SECOND) as usize + calls * LINES_PER_CALL;
        self.log_lines = trial.replicas.log_lines();
        self.memory = trial.memory();
        self.acknowledged = trial.post.acknowledged().len();
        let mut tally = trial.post.tally();
        (self.deliveries, self.slowest) = (tally.deliveries, tally.slowest);
        let is_late = |took: &Duration| *took > ANSWERED_WITHIN * slack;
        self.late = tally.late.iter().filter(|(took, _)| is_late(took)).map(|(_, answer)| answer.clone()).collect();
        self.back_limit = BACK_WITHIN * slack;
        self.found.wrong.append(&mut tally.strange);
    }

    fn complaints(&self) -> Vec<(&'static str, String)> {
        let Findings { lost, doubled, wrong } = &self.found;
        let lists = [("LOST", lost), ("DOUBLED", doubled), ("WRONG", wrong), ("LATE", &self.late)];
        let mut all: Vec<_> = lists.iter().flat_map(|(what, list)| list.iter().map(|it| (*what, it.clone()))).collect();
        let slow = [("200 again", self.back.accepted), ("processed again", self.back.processed)];
        all.extend(
            slow.into_iter()
                .filter(|(_, time)| *time > self.back_limit)
                .map(|(what, time)| ("SLOW", format!("{what} after {time:.1?}"))),
        );
        if self.log_lines > self.log_limit {
            all.push(("LOGS", format!("{} lines, {} are enough", self.log_lines, self.log_limit)));
        }
        if self.memory > MEMORY {
            all.push(("MEMORY", format!("{} MiB", self.memory >> 20)));
        }
        all
    }
}

/// Prints all rows.
pub fn print(rows: &[Row]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEAD);
    for row in rows {
        let mut cells = row.cells();
        cells.resize(HEAD.len(), String::new());
        table.add_row(cells);
    }
    println!("\n{table}\n");
}

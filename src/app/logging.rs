//! Logs: JSON lines on standard output, or a form for people on a terminal; filtered by `RUST_LOG`.
//!
//! Lines are written by a thread of their own, so a log collector that stalls does not stall the service. Lines that
//! find its queue full are dropped and counted. Not here: how many lines of one kind are written ([`super::log_limit`]).

use std::fs::File;
use std::io::{BufWriter, IsTerminal, stdout};
use std::os::fd::AsFd;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::config::LogFormat;
use super::log_limit::LogLimit;

/// The migrator's notices say what existed already, at every start.
const DEFAULT: &str = "info,sqlx::postgres::notice=warn";
/// Lines that may wait to be written.
const QUEUE: usize = 10_000;
/// How often it is logged how many lines were left out.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// For the lines that still wait when the process ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Running logs. Lines that wait are written when it is dropped, for at most a second.
pub(crate) struct Logs {
    guard: Option<WorkerGuard>,
    limit: LogLimit,
    /// Dropped, it ends the reports.
    _reports: mpsc::Sender<()>,
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.limit.report();
        let guard = self.guard.take();
        let (flushed, is_flushed) = mpsc::channel::<()>();
        // In a thread of its own: when nobody reads the log, the guard would wait for ever.
        thread::spawn(move || {
            drop(guard);
            drop(flushed);
        });
        let _ = is_flushed.recv_timeout(FLUSH_LIMIT);
    }
}

/// Starts logging, once for the process.
///
/// # Errors
/// When standard output is closed.
pub(crate) fn start(format: Option<LogFormat>) -> anyhow::Result<Logs> {
    start_with(format, DEFAULT)
}

/// [`start`] with another filter for when `RUST_LOG` is not set.
pub(crate) fn start_with(format: Option<LogFormat>, default: &str) -> anyhow::Result<Logs> {
    // A descriptor of its own: who waits for the lock of standard output must not wait for the reader of the log.
    let output = stdout().as_fd().try_clone_to_owned().context("cannot write logs to standard output")?;
    // Lines that wait together are one write.
    let buffered = NonBlockingBuilder::default().buffered_lines_limit(QUEUE).lossy(true);
    let (writer, guard) = buffered.finish(BufWriter::new(File::from(output)));
    drop(DROPPED.set(writer.error_counter()));
    let on_terminal = if stdout().is_terminal() { LogFormat::Pretty } else { LogFormat::Json };
    let given = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let given = given.and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = given.unwrap_or_else(|| EnvFilter::new(default));
    // A line for each mistake in a PDF that somebody attached.
    let filter = filter.add_directive("lopdf=off".parse().expect("a directive"));
    let subscriber = tracing_subscriber::registry().with(filter);
    let (layer, limit) = (tracing_subscriber::fmt::layer().with_writer(writer), LogLimit::default());
    let layer = match format.unwrap_or(on_terminal) {
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Pretty => layer.with_ansi(stdout().is_terminal()).with_target(false).boxed(),
    };
    drop(subscriber.with(layer.with_filter(limit.clone())).try_init());
    Ok(Logs { guard: Some(guard), _reports: report_regularly(limit.clone()), limit })
}

/// In a thread of its own, until what it returns is dropped.
fn report_regularly(limit: LogLimit) -> mpsc::Sender<()> {
    let (running, ended) = mpsc::channel();
    thread::spawn(move || {
        while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(REPORT_EVERY) {
            limit.report();
        }
    });
    running
}

/// How many lines were dropped since the start.
pub(super) fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |counter| counter.dropped_lines() as u64)
}

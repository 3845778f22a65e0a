//! Logs: JSON lines on standard output, or a form for people on a terminal; filtered by `RUST_LOG`.
//!
//! Lines are written by a thread of their own, so a log collector that stalls does not stall the service. Lines that
//! find its queue full are dropped and counted.

use std::io::{IsTerminal, stdout};
use std::sync::OnceLock;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::LogFormat;

/// The migrator's notices say what existed already, at every start.
const DEFAULT: &str = "info,sqlx::postgres::notice=warn";
/// Lines that may wait to be written.
const QUEUE: usize = 10_000;

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Starts logging, once for the process. Lines that wait are written when the returned guard is dropped.
pub(crate) fn start(format: Option<LogFormat>) -> WorkerGuard {
    start_with(format, DEFAULT)
}

/// [`start`] with another filter for when `RUST_LOG` is not set.
pub(crate) fn start_with(format: Option<LogFormat>, default: &str) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(QUEUE).lossy(true).finish(stdout());
    drop(DROPPED.set(writer.error_counter()));
    let on_terminal = if stdout().is_terminal() { LogFormat::Pretty } else { LogFormat::Json };
    let given = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let given = given.and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = given.unwrap_or_else(|| EnvFilter::new(default));
    let subscriber = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let started = match format.unwrap_or(on_terminal) {
        LogFormat::Json => subscriber.with(layer.json().flatten_event(true).with_span_list(false)).try_init(),
        LogFormat::Pretty => subscriber.with(layer.with_ansi(stdout().is_terminal()).with_target(false)).try_init(),
    };
    drop(started);
    guard
}

/// How many lines were dropped since the start.
pub(super) fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |counter| counter.dropped_lines() as u64)
}

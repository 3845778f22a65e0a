//! Logs: JSON lines on standard output, or a form for people on a terminal; filtered by `RUST_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::LogFormat;

/// Migrations tell what was there already, at every start.
const DEFAULT: &str = "info,sqlx::postgres::notice=warn";

/// Starts logging. A second call changes nothing.
pub(crate) fn start(format: Option<LogFormat>) {
    start_with(format, DEFAULT);
}

/// The same with another filter for when `RUST_LOG` is not set.
pub(crate) fn start_with(format: Option<LogFormat>, default: &str) {
    let on_terminal = if std::io::stdout().is_terminal() { LogFormat::Pretty } else { LogFormat::Json };
    let given = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let given = given.and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = given.unwrap_or_else(|| EnvFilter::new(default));
    let subscriber = tracing_subscriber::registry().with(filter);
    let started = match format.unwrap_or(on_terminal) {
        LogFormat::Json => subscriber
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false))
            .try_init(),
        LogFormat::Pretty => subscriber.with(tracing_subscriber::fmt::layer().with_target(false)).try_init(),
    };
    drop(started);
}

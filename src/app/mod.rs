//! Configuration, and the one place that puts a running service together.
//!
//! Not here: commands ([`crate::cli`], [`crate::dev`]).

mod acting;
mod client;
pub mod config;
mod console;
pub(crate) mod database;
mod log_limit;
pub(crate) mod logging;
mod metrics;
pub mod migrate;
mod reload;
mod service;
mod sockets;
mod startup;

pub use acting::Acting;
pub(crate) use client::client;
pub use console::Console;
pub use reload::Sources;
pub use service::Service;
pub(crate) use service::asked_to_stop;
pub(crate) use sockets::bind;

use std::time::SystemTime;

use time::OffsetDateTime;

/// The clock.
pub(crate) fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

/// The clock, in unix seconds.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

//! The Prometheus recorder of this process.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::sleep;

use super::logging;
use crate::telemetry;

/// Bucket bounds of histograms in seconds.
const SECONDS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
/// Bucket bounds of histograms of counts.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// How often histograms are compacted; without it they grow until they are scraped.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder, installed on the first call. There is one for the process.
///
/// # Errors
/// When it cannot be installed.
pub(super) fn recorder() -> anyhow::Result<PrometheusHandle> {
    // Locked until it is installed: of two services that start at once, the second uses the first one's.
    static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?;
    let handle = builder.install_recorder().context("cannot start metrics")?;
    gauge!(telemetry::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    tokio::spawn(keep_up(handle.clone()));
    Ok(installed.insert(handle).clone())
}

async fn keep_up(handle: PrometheusHandle) {
    loop {
        counter!(telemetry::LOG_LINES_DROPPED).absolute(logging::dropped_lines());
        sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

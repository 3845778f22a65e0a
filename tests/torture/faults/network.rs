//! The network between the service and Postgres fails.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::proxy::Wire;
use crate::trial::Trial;

async fn for_a_while(trial: &Trial, wire: Wire, time: Duration) {
    trial.proxy.set(wire);
    sleep(time).await;
    trial.proxy.set(Wire::Whole);
}

/// All connections are cut again and again.
pub async fn cut(trial: &Trial, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        for_a_while(trial, Wire::Cut, Duration::from_millis(100)).await;
        sleep(Duration::from_millis(400)).await;
    }
}

/// Connections are cut, and no new ones are taken.
pub async fn refuse(trial: &Trial, time: Duration) {
    for_a_while(trial, Wire::Cut, time).await;
}

pub async fn delay(trial: &Trial, time: Duration) {
    for_a_while(trial, Wire::Slow, time).await;
}

/// Nothing is closed, and nothing arrives. Then new connections work, and the old ones are forgotten on the way.
pub async fn silence(trial: &Trial, time: Duration) {
    trial.proxy.set(Wire::Silent);
    sleep(time).await;
    trial.proxy.strand();
    trial.proxy.set(Wire::Whole);
}

/// What is asked reaches Postgres and is done; no reply ever arrives.
pub async fn mute(trial: &Trial, time: Duration) {
    for_a_while(trial, Wire::Mute, time).await;
}

/// All connections are left half-open, once and again: Postgres has lost them, the service is not told.
pub async fn strand(trial: &Trial, time: Duration) {
    for _ in 0..2 {
        trial.proxy.strand();
        sleep(time / 2).await;
    }
}

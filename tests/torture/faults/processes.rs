//! Processes die and stand still.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::chance::Dice;
use crate::replicas::REPLICAS;
use crate::server::signal;
use crate::trial::Trial;

/// The longest pause between two kills.
const PAUSE: usize = 1_000;
/// How long Postgres runs between two crashes.
const LIFE: Duration = Duration::from_secs(2);

/// SIGKILL of replicas, in turn.
pub async fn kill(trial: &Trial, time: Duration) {
    let (began, mut dice) = (Instant::now(), Dice(trial.seed));
    for turn in 0.. {
        let slot = turn % REPLICAS;
        trial.replicas.kill(slot).await;
        trial.replicas.begin(slot).await;
        if began.elapsed() >= time {
            return;
        }
        sleep(Duration::from_millis(dice.roll(PAUSE) as u64)).await;
    }
}

/// SIGKILL of one session of Postgres, which ends all of them and recovers; at last of Postgres as a whole.
pub async fn crash_postgres(trial: &Trial, time: Duration) {
    let (began, mut dice) = (Instant::now(), Dice(trial.seed));
    while began.elapsed() + LIFE < time {
        let processes = trial.server.processes();
        if let Some((_, children @ [_, ..])) = processes.split_first() {
            signal("KILL", &[children[dice.roll(children.len())]]).await;
        }
        sleep(LIFE).await;
    }
    trial.server.crash().await;
}

/// SIGSTOP of a replica, wherever it is at.
pub async fn freeze_replica(trial: &Trial, time: Duration) {
    trial.replicas.freeze(0).await;
    sleep(time).await;
    trial.replicas.thaw(0).await;
}

/// SIGSTOP of all processes of Postgres. It listens, and answers nothing.
pub async fn freeze_postgres(trial: &Trial, time: Duration) {
    let processes = trial.server.processes();
    signal("STOP", &processes).await;
    sleep(time).await;
    signal("CONT", &processes).await;
}

/// The clock of one replica jumps, within the tolerance of signatures and far beyond it, in both directions.
pub async fn jump_clock(trial: &Trial, time: Duration) {
    let jumps = ["+200", "-200", "+7200", "-7200"];
    for jump in jumps {
        std::fs::write(clock(&trial.folder), jump).expect("a file");
        sleep(time / 4).await;
    }
    std::fs::write(clock(&trial.folder), "+0").expect("a file");
}

/// The file that says how far the clock of the first replica is ahead.
pub fn clock(folder: &std::path::Path) -> std::path::PathBuf {
    folder.with_extension("clock")
}

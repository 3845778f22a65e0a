//! The database is lost, and restored from a backup as the documents say.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::time::sleep;

use crate::binary;
use crate::chance::Dice;
use crate::post::Event;
use crate::replicas::REPLICAS;
use crate::trial::Trial;

/// What the replicas do during a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// They are stopped, as the documents say.
    Stopped,
    /// They run all the while.
    Running,
}

/// Loses what happened for some time after a backup: the backup is restored, `clawback restored` runs, events are resent
/// as from Stripe's Dashboard, and what was requested is requested again.
pub async fn restore(trial: &Trial, time: Duration, service: Service) {
    let url = trial.server.owner_url(&trial.db.name, trial.server.straight_port());
    let (dump, since) = (trial.folder.with_extension("dump"), Instant::now());
    run(trial, "pg_dump", &["--format=custom", "--file"], &dump, &url).await;
    sleep(time).await;
    // Consumers and other services do not use the database meanwhile.
    let closed = trial.gate.write().await;
    if service == Service::Stopped {
        for slot in 0..REPLICAS {
            trial.terminate(slot).await;
        }
    }
    let name = &trial.db.name;
    trial.server.admin(&format!("drop database {name} with (force)")).await;
    // What was acknowledged until now is lost.
    let lost = trial.post.acknowledged_since(since);
    trial.server.admin(&format!("create database {name} owner service template template0")).await;
    run(trial, "pg_restore", &["--no-owner", "--exit-on-error"], &dump, &format!("--dbname={url}")).await;
    trial.is_restored.store(true, Ordering::Relaxed);
    trial.consumers.book().forget_since(since);
    restored(trial, &url).await;
    drop(closed);
    for slot in 0..REPLICAS {
        trial.replicas.begin(slot).await;
    }
    resend(trial, lost).await;
    trial.shops.ask_again_since(&trial.db.pool, since).await;
}

/// Sends events again, and waits until they are processed.
async fn resend(trial: &Trial, events: Vec<Event>) {
    let ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    for (number, event) in events.into_iter().enumerate() {
        trial.post.send(event, Duration::from_millis(number as u64), Dice(number as u64));
    }
    let are_there = format!(
        "select count(*) = {} from clawback.events where event_id = any('{{{}}}') and state <> 'pending'",
        ids.len(),
        ids.join(",")
    );
    trial.db.until(&are_there).await;
}

/// `file` comes after the arguments, and the database at the end.
async fn run(trial: &Trial, program: &str, arguments: &[&str], file: &Path, database: &str) {
    let mut command = Command::new(trial.server.program(program));
    match program {
        "pg_dump" => command.args(arguments).arg(file).arg(database),
        _ => command.args(arguments).arg(database).arg(file),
    };
    let output = command.output().await.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn restored(trial: &Trial, url: &str) {
    let environment = crate::acting::environment(&trial.world);
    let ended = binary::run(&["restored"], &[&environment[..], &[("DATABASE_URL", url)]].concat()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

//! Consumers that claim, complete and fail follow-ups, with and without a million done ones.

use anyhow::ensure;
use sqlx::{PgConnection, Row};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Bench;
use crate::report::Target::AtLeast;
use crate::report::median;
use crate::world::{Database, Template};

/// Consumers at a time, each with a connection of its own.
const CONSUMERS: usize = 8;
/// One in this many fails.
const FAILS: usize = 10;

const CLAIM: &str = "select id, lease_token from clawback_v1.claim_follow_ups($1, array['notify_refund'], 10)";
const COMPLETE: &str = "select clawback_v1.complete_follow_up($1, $2)";
const FAIL: &str = "select clawback_v1.fail_follow_up($1, $2, 'the shop does not answer', '1 hour') is not null";

pub(super) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let (ready, done) = (bench.sizes.ready, bench.sizes.done);
    let about = format!("{CONSUMERS} consumers claim ten at a time of {ready}, complete nine in ten and fail the rest");
    bench.report.section("follow-ups", &about);
    let mut rounds = Vec::new();
    for _ in 0..bench.sizes.rounds {
        rounds.push((consume(bench, 0).await?, consume(bench, done).await?));
    }
    let (ended, ratio) = (median(&rounds, |(empty, _)| *empty), median(&rounds, |(empty, full)| full / empty));
    bench.report.judge("completed or failed", ended, "/s", AtLeast(3_000.0));
    bench.report.judge(&format!("with {done} done before / without"), ratio, "x", AtLeast(0.9));
    Ok(())
}

/// Follow-ups ended a second, in a database that holds a number of done ones.
async fn consume(bench: &mut Bench, done: i64) -> anyhow::Result<f64> {
    let mut database = bench.world.database(Template::Migrated).await?;
    insert(&mut database, "done", done).await?;
    insert(&mut database, "ready", bench.sizes.ready).await?;
    sqlx::query("vacuum (analyze) clawback.follow_ups").execute(&mut database.conn).await?;
    sqlx::query("checkpoint").execute(&mut database.conn).await?;
    let started = Instant::now();
    let mut consumers = JoinSet::new();
    for number in 0..CONSUMERS {
        consumers.spawn(consumer(database.connect().await?, number, started + bench.sizes.intake));
    }
    let mut ended = 0;
    while let Some(consumer) = consumers.join_next().await {
        ended += consumer??;
    }
    let elapsed = started.elapsed();
    check(&mut database, done, ended).await?;
    bench.world.drop_database(database).await?;
    Ok(ended as f64 / elapsed.as_secs_f64())
}

/// Claims, completes and fails until the time is up or nothing is ready. Returns how many.
async fn consumer(mut conn: PgConnection, number: usize, until: Instant) -> anyhow::Result<usize> {
    let (name, mut ended) = (format!("bench-{number}"), 0);
    while Instant::now() < until {
        let claimed = sqlx::query(CLAIM).bind(&name).fetch_all(&mut conn).await?;
        if claimed.is_empty() {
            break;
        }
        for row in claimed {
            let (id, token): (i64, uuid::Uuid) = (row.get(0), row.get(1));
            let end = if ended % FAILS == 0 { FAIL } else { COMPLETE };
            let is_ended: bool = sqlx::query_scalar(end).bind(id).bind(token).fetch_one(&mut conn).await?;
            ensure!(is_ended, "the lease of follow-up {id} was lost");
            ended += 1;
        }
    }
    Ok(ended)
}

/// Follow-ups that are not about a payment.
async fn insert(database: &mut Database, state: &'static str, count: i64) -> anyhow::Result<()> {
    // Without the trigger that looks for the payment.
    sqlx::query("set session_replication_role = replica").execute(&mut database.conn).await?;
    let insert = "insert into clawback.follow_ups
                      (kind, subject, round, key, order_id, payload, state, run_at, finished_at)
                  select 'notify_refund', re, '', 'notify_refund/' || re || '/', 'order_' || n, '{\"amount\": 1200}',
                         $1, now(), case when $1 = 'done' then now() end
                  from generate_series(1, $2) n, concat('re_', $1::text, n) re";
    sqlx::query(insert).bind(state).bind(count).execute(&mut database.conn).await?;
    Ok(())
}

/// As many rows changed as the consumers counted: none was ended twice.
async fn check(database: &mut Database, done: i64, ended: usize) -> anyhow::Result<()> {
    let rows = "select count(*) from clawback.follow_ups where state = 'done' or attempts = 1 and state = 'ready'";
    let rows = database.count(rows).await? - done;
    ensure!(rows == i64::try_from(ended)?, "{ended} follow-ups were ended, but {rows} rows say so");
    Ok(())
}

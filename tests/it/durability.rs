//! Promise: a 2xx means stored. Nothing acknowledged is ever lost, whatever happens to the process, the
//! database or the wire between them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::binary::Serving;
use crate::harness::{Database, TestApp, options, tell, until};
use crate::load::Load;
use crate::proxy::{Proxy, Wire};

/// The shortest stop time-out of an orchestrator.
const GRACE: Duration = Duration::from_secs(10);
/// What Postgres logs when a client disconnects.
const LOST: &str = "connection to client lost";
/// Logs the address it listens on, and no line for each event.
const QUIET: (&str, &str) = ("RUST_LOG", "clawback::app=info");

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_parallel_deliveries_of_one_event_leave_one_row() {
    let app = TestApp::start().await;
    let body = tell("paid", "o_1").remove(0).body;
    let answers = deliver_at_once(&app, (0..1000).map(|_| body.clone())).join_all().await;
    let bad: Vec<_> = answers.iter().filter(|(status, _)| *status != 200).collect();
    assert!(answers.len() == 1000 && bad.is_empty(), "{bad:?}");
    assert_eq!(app.db.value("select count(*) from clawback.events").await, 1);
    assert_eq!(app.db.value("select count(*) from clawback.event_payloads").await, 1);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_that_meets_a_slow_database_waits_and_is_stored() {
    let app = TestApp::start().await;
    let mut slow = app.db.pool.begin().await.expect("a transaction");
    sqlx::query("lock table clawback.events in exclusive mode").execute(&mut *slow).await.expect("the lock");
    let bodies = (0..1500).map(|n| json!({ "id": format!("evt_{n}"), "type": "unknown" }).to_string());
    let deliveries = deliver_at_once(&app, bodies);
    app.db.until("select exists (select from pg_locks where not granted)").await;
    slow.commit().await.expect("the lock is given back");
    let answers = deliveries.join_all().await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(app.db.value("select count(*) from clawback.events").await, 1500);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_intake_refuses_and_recovers_by_itself() {
    let (app, proxy) = behind_a_proxy().await;
    let events = tell("partial-refund", "o_1");
    assert_eq!(app.deliver(&events[0].body).await.status(), 200);

    proxy.set(Wire::Cut);
    for event in &events {
        assert_refused(app.deliver(&event.body).await).await;
    }
    assert_eq!(app.get("/readyz").await.status(), 503);
    assert_eq!(app.get("/healthz").await.status(), 200);

    proxy.set(Wire::Whole);
    app.ready().await;
    app.deliver_all(&events).await;
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback_v1.orders").await, "partially_refunded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_turned_read_only_is_refused_until_it_can_be_written() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["terminating connection due to administrator command", "read-only transaction"]);
    let events = tell("paid", "o_1");
    app.deliver_all(&events[..1]).await;

    app.db.set_read_only(true).await;
    app.db.end_connections().await;
    assert_refused(app.deliver(&events[1].body).await).await;
    until("readiness says so", async || {
        let answer = app.get("/readyz").await;
        answer.status() == 503 && answer.text().await.is_ok_and(|body| body.contains("read-only"))
    })
    .await;

    // Connections made meanwhile stay read-only, so they must not be kept.
    app.db.set_read_only(false).await;
    until("events are taken again", async || app.deliver(&events[1].body).await.status() == 200).await;
    assert_eq!(app.get("/readyz").await.status(), 200);
    app.deliver_all(&events).await;
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback_v1.orders").await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_the_database_went_away_is_processed_after() {
    let (mut app, proxy) = behind_a_proxy().await;
    app.db.expect_errors(&["canceling statement due to lock timeout"]);
    let mut busy = app.db.pool.begin().await.expect("a transaction");
    sqlx::query("lock table clawback.payments in exclusive mode").execute(&mut *busy).await.expect("the lock");
    app.deliver_all(&tell("full-refund", "o_1")).await;
    assert_eq!(app.db.value("select count(*) from clawback_v1.events where state <> 'pending'").await, 0);

    proxy.set(Wire::Cut);
    busy.rollback().await.expect("the lock is given back");
    proxy.set(Wire::Whole);
    app.db.settle().await;
    assert_eq!(app.db.value("select state from clawback_v1.orders").await, "refunded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_was_lost_is_refused_and_its_redelivery_is_a_duplicate() {
    let (app, proxy) = behind_a_proxy().await;
    let events = tell("paid", "o_1");
    // Prepares the statement, so that the next delivery is one request and one reply.
    app.deliver_all(&events[..1]).await;
    let mut slow = app.db.pool.begin().await.expect("a transaction");
    sqlx::query("lock table clawback.event_payloads in exclusive mode").execute(&mut *slow).await.expect("the lock");
    let waits =
        "select exists (select from pg_locks where relation = 'clawback.event_payloads'::regclass and not granted)";
    let (answer, ()) = tokio::join!(app.deliver(&events[1].body), async {
        app.db.until(waits).await;
        proxy.set(Wire::Mute);
        slow.commit().await.expect("the lock is given back");
    });
    assert_refused(answer).await;
    app.db.until("select count(*) = 2 from clawback.events").await;

    proxy.set(Wire::Cut);
    proxy.set(Wire::Whole);
    app.ready().await;
    app.deliver_all(&events[1..]).await;
    assert_eq!(app.db.value("select count(*) from clawback.events").await, events.len());
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_on_disk_though_the_server_commits_lazily() {
    let db = Database::migrated().await;
    db.execute(&format!("alter database {} set synchronous_commit = off", db.name)).await;
    // Existing sessions keep the setting they started with.
    let app = TestApp::start_on(db.again(), |_| {}).await;
    app.ready().await;
    for n in 0..100 {
        let before = app.db.value("select pg_current_wal_insert_lsn()::text").await;
        let body = json!({ "id": format!("evt_{n}"), "type": "unknown" }).to_string();
        assert_eq!(app.deliver(&body).await.status(), 200);
        let flushed = format!("select pg_current_wal_flush_lsn() > {before}::text::pg_lsn").replace('"', "'");
        assert_eq!(app.db.value(&flushed).await, true, "delivery {n}");
    }
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_does_not_delay_deliveries() {
    let app = TestApp::start().await;
    let body = |id: &str| json!({ "id": id, "type": "unknown" }).to_string();
    assert_eq!(app.deliver(&body("evt_held")).await.status(), 200);
    app.db.settle().await;
    let held = app.db.begin("update clawback.events set last_error = 'held' where event_id = 'evt_held'").await;
    let began = Instant::now();
    let bodies = ["evt_new", "evt_held", "evt_later"].map(body).into_iter();
    let answers = deliver_at_once(&app, bodies).join_all().await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    held.rollback().await.expect("the row is given back");
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_under_load_lose_nothing_that_was_acknowledged() {
    let mut db = Database::migrated().await;
    db.expect_errors(&[LOST]);
    let load = Load::start(64);
    let mut up = Duration::ZERO;
    for life in 1..=20 {
        let serving = Serving::start(&db.url, &[QUIET]).await;
        let began = Instant::now();
        load.aim(Some(serving.address));
        // At a different moment in each run.
        load.until_acknowledged(load.acknowledged() + 300 + 41 * life).await;
        up += began.elapsed();
        serving.kill().await;
        load.aim(None);
    }
    let rate = load.acknowledged() as f64 / up.as_secs_f64();
    println!("{} events acknowledged in 20 lives, {rate:.0} a second of up-time", load.acknowledged());

    let serving = Serving::start(&db.url, &[QUIET]).await;
    load.aim(Some(serving.address));
    let acknowledged = load.end().await;
    assert!(missing(&db, &acknowledged).await.is_empty());
    db.settle().await;
    assert_eq!(serving.terminate(GRACE).await.code, Some(0));

    let stored = db.value("select count(*) from clawback.events").await;
    assert_eq!(db.value("select count(*) from clawback_v1.events where state = 'processed'").await, stored);
    assert_eq!(db.value("select count(*) from clawback_v1.payments where amount_refunded = 500").await, stored);
    for kind in db.rows("select kind, count(*) from clawback_v1.follow_ups where wanted group by kind").await {
        assert_eq!(kind["count"], stored, "{kind}");
    }
    assert!(rate >= 200.0, "{rate:.0} events a second are no load");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_under_load_answers_accepted_deliveries_and_exits_in_time() {
    let db = Database::migrated().await;
    let load = Load::start(64);
    let serving = Serving::start(&db.url, &[QUIET]).await;
    load.aim(Some(serving.address));
    load.until_acknowledged(1000).await;
    let ended = serving.terminate(GRACE).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let acknowledged: HashSet<_> = load.end().await.into_iter().collect();
    let stored: Vec<String> =
        sqlx::query_scalar("select event_id from clawback.events").fetch_all(&db.pool).await.expect("the ids");
    let stored: HashSet<_> = stored.into_iter().collect();
    assert_eq!(stored.symmetric_difference(&acknowledged).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// A ready service that reaches its database through a proxy that can be cut.
async fn behind_a_proxy() -> (TestApp, Proxy) {
    let mut db = Database::migrated().await;
    db.expect_errors(&[LOST]);
    let proxy = Proxy::to(options(&db.url).get_port()).await;
    let app = TestApp::start_on(db, |service| service.database = service.database.clone().port(proxy.port)).await;
    app.ready().await;
    (app, proxy)
}

/// Starts all deliveries; each resolves to its answer.
fn deliver_at_once(app: &TestApp, bodies: impl Iterator<Item = String>) -> JoinSet<(u16, String)> {
    bodies
        .map(|body| {
            let request = app.delivery(&body);
            async move {
                let answer = request.send().await.expect("an answer");
                (answer.status().as_u16(), answer.text().await.expect("a body"))
            }
        })
        .collect()
}

async fn assert_refused(answer: reqwest::Response) {
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
    let body = answer.text().await.expect("a body");
    assert!(body.starts_with(r#"{"error":"#), "{body}");
}

/// The ids that are not stored.
async fn missing(db: &Database, ids: &[String]) -> Vec<String> {
    let query = "select id from unnest($1::text[]) as t (id)
                 where not exists (select from clawback.events join clawback.event_payloads using (event_id)
                                   where event_id = id)";
    sqlx::query_scalar(query).bind(ids).fetch_all(&db.pool).await.expect("the missing ids")
}

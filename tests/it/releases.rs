//! Promise: releases that overlap, are rolled back or are killed during a rebuild end in the same state.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clawback::apply::{LIMIT, Rules};
use clawback::dev::stories::StoryEvent;
use clawback::domain::RULES_VERSION;
use clawback::processor::Processor;
use clawback::store::desk::Wanted;
use clawback::watch::{Wakes, Watch};
use serde_json::Value;
use tokio::join;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::binary::{Serving, run};
use crate::harness::{Database, SECRET, TestApp, client, header, options, tell};
use crate::upgrades::{MISREAD, again, state};

const UNPROCESSED: &str = "select event_id, state, last_error from clawback_v1.events where state <> 'processed'";
/// Logs the address it listens on and warnings, and no line for each event.
const QUIET: (&str, &str) = ("RUST_LOG", "warn,clawback::app=info");

/// The processor of the next release: reads as this one does, under a higher version of the rules.
struct Newer {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Newer {
    async fn start(db: &Database) -> Self {
        let rules = Rules { version: RULES_VERSION + 1, ..Rules::current("order_id") };
        let (database, wakes) = (options(&db.url), Wakes::default());
        let (woken, arrived) = (Arc::clone(&wakes.processor), Arc::clone(&wakes.arrival));
        let processor = Processor { database: database.clone(), rules, woken, arrived, limit: LIMIT };
        let (modes, policy, poll) = (Vec::new(), Wanted::default(), Duration::from_millis(200));
        let watch = Watch { database, modes, policy, poll, wakes };
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            join!(processor.run(stopped.clone()), watch.run(stopped));
        });
        db.until(&format!("select exists (select from clawback.processors where rules = {})", RULES_VERSION + 1)).await;
        Self { stop, running }
    }

    /// Ends it, and lets the time pass after which it counts as gone.
    async fn end(self, db: &Database) {
        self.stop.cancel();
        self.running.await.expect("a clean end");
        db.execute(&format!("delete from clawback.processors where rules = {}", RULES_VERSION + 1)).await;
    }
}

async fn made_by(db: &Database, rules: i32) -> bool {
    db.value(&format!("select bool_and(rules = {rules}) from clawback.payments")).await == Value::Bool(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_side_by_side_and_the_way_back_end_in_the_same_state() {
    let (app, reference) = (TestApp::start().await, TestApp::start().await);
    let stories = ["partial-refund", "chargeback-lost", "inquiry-escalated", "two-disputes", "fraud-warning"];
    let lives: Vec<Vec<StoryEvent>> = stories.map(|story| tell(story, &format!("o-{story}"))).into();
    let all: Vec<StoryEvent> = lives.concat();
    reference.deliver_all(&all).await;
    reference.db.settle().await;
    let right = state(&reference.db).await;

    let (before, after): (Vec<_>, Vec<_>) = lives.iter().map(|life| life.split_at(life.len() / 2)).unzip();
    app.deliver_all(before.into_iter().flatten()).await;
    app.db.settle().await;
    assert!(made_by(&app.db, RULES_VERSION).await);
    let newer = Newer::start(&app.db).await;
    app.deliver_all(after.into_iter().flatten()).await;
    app.db.settle().await;
    assert!(made_by(&app.db, RULES_VERSION + 1).await, "the older processor stands by");
    assert_eq!(state(&app.db).await, right);

    // What the newer release misread is retracted.
    app.db.execute(&MISREAD.replace("rules = 0", &format!("rules = {}", RULES_VERSION + 1))).await;
    newer.end(&app.db).await;
    app.see(&all.iter().map(again).collect::<Vec<_>>()).await;
    assert!(made_by(&app.db, RULES_VERSION).await);
    assert_eq!(state(&app.db).await, right);
    assert_eq!(app.db.rows(UNPROCESSED).await, Vec::<Value>::new());
}

/// Delivers to a process that may be killed meanwhile. Returns how many were acknowledged.
async fn deliver(address: SocketAddr, bodies: &[String]) -> usize {
    let client = client();
    let url = format!("http://{address}/webhooks/stripe");
    for (place, body) in bodies.iter().enumerate() {
        let sent = client.post(&url).header("Stripe-Signature", header(body)).body(body.clone()).send().await;
        if !sent.is_ok_and(|answer| answer.status() == 200) {
            return place;
        }
    }
    bodies.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_rebuild_while_events_arrive_ends_right_despite_two_kills() {
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["connection to client lost"]);
    let stories = ["partial-refund", "chargeback-lost", "inquiry-escalated", "two-disputes"];
    let mut events = Vec::new();
    for n in 0..200 {
        events.extend(tell(stories[n % stories.len()], &format!("o-{n}")));
    }
    app.deliver_all(&events).await;
    app.db.settle().await;
    app.stop().await.expect("a clean end");
    let db = app.db.again();
    let right = state(&db).await;
    db.execute(MISREAD).await;
    let asked = run(&["rebuild", "--all"], &[("DATABASE_URL", &db.url), ("STRIPE_WEBHOOK_SECRETS", SECRET)]).await;
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);

    // Some in each run, and in the next run those not acknowledged.
    let bodies: Vec<String> = events.iter().map(again).collect();
    let mut parts = bodies.chunks(bodies.len() / 3 + 1).map(<[String]>::to_vec);
    let mut bodies = Vec::new();
    for left in [150, 75] {
        bodies.extend(parts.next().expect("three parts"));
        let serving = Serving::start(&db.url, &[QUIET]).await;
        let address = serving.address;
        let sending = tokio::spawn(async move {
            let sent = deliver(address, &bodies).await;
            bodies.split_off(sent)
        });
        db.until(&format!("select count(*) <= {left} from clawback.rebuilds")).await;
        serving.kill().await;
        bodies = sending.await.expect("the sender goes on");
        let waiting = db.value("select count(*) from clawback.rebuilds").await;
        println!("killed with {waiting} payments to be rebuilt and {} events not delivered", bodies.len());
        assert_ne!(waiting, 0, "it was killed in the middle");
    }
    bodies.extend(parts.flatten());
    let serving = Serving::start(&db.url, &[QUIET]).await;
    assert_eq!(deliver(serving.address, &bodies).await, bodies.len());
    db.until("select not exists (select from clawback.rebuilds)").await;
    db.settle().await;
    assert_eq!(serving.terminate(Duration::from_secs(10)).await.code, Some(0));
    assert!(state(&db).await == right, "another state");
    assert!(made_by(&db, RULES_VERSION).await);
    assert_eq!(db.rows(UNPROCESSED).await, Vec::<Value>::new());
}

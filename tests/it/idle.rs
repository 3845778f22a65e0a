//! Promise: an idle service sends at most two statements a second, whatever it is configured to do.

use std::time::Duration;

use crate::binary::Serving;
use crate::double_world::World;
use crate::harness::{Database, TestApp, until};

/// In the one statement that looks for due work, once a second.
const LOOK: &str = "exists (select from clawback.pending_events";
/// How many seconds are counted.
const SECONDS: usize = 15;

/// Counts the statements of a service with the real defaults and these settings.
async fn statements_are_few(environment: &[(&str, &str)]) {
    let db = Database::migrated().await;
    // So that there are rows to look at: an order, an open dispute.
    let mut before = TestApp::start_on(db.again(), |_| {}).await;
    before.ready().await;
    before.live("chargeback-open", "o-1").await;
    before.stop().await.expect("a clean end");
    db.execute(&format!("alter database {} set log_statement = 'all'", db.name)).await;
    let serving = Serving::start(&db.url, environment).await;
    until("its start is over", async || looks(&db).len() > 7).await;
    let first = *looks(&db).last().expect("a look");
    until("some seconds have passed", async || looks(&db).iter().filter(|at| **at > first).count() >= SECONDS).await;
    let counted = db.logged_statements().into_iter().skip(first + 1).collect::<Vec<_>>();
    assert!(counted.len() <= 2 * SECONDS, "{} in {SECONDS} s: {counted:#?}", counted.len());
    assert!(serving.terminate(Duration::from_secs(10)).await.code == Some(0));
}

/// The places of the looks among the logged statements.
fn looks(db: &Database) -> Vec<usize> {
    let statements = db.logged_statements();
    statements.iter().enumerate().filter(|(_, text)| text.contains(LOOK)).map(|(at, _)| at).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_without_a_key_sends_two_statements_a_second_at_most() {
    statements_are_few(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_that_does_everything_sends_two_statements_a_second_at_most() {
    let world = World::start().await;
    statements_are_few(&[
        ("STRIPE_API_KEYS", "sk_test_1"),
        ("STRIPE_API_BASE", &world.url),
        ("CLAWBACK_NOTIFY_URL", &format!("{}/hook", world.url)),
    ])
    .await;
}

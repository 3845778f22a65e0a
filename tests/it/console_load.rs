//! Promise: twenty open pages ask the database for at most five statements a second.

use reqwest::Method;

use crate::console_client::{Answer, Console, Visitor, attributes};
use crate::harness::TestApp;

/// Pages that people leave open.
const OPEN: usize = 20;

/// Statements of one refresh, and seconds until the next; none for a page that is not refreshed.
async fn cost(app: &TestApp, visitor: &Visitor, path: &str) -> Option<(usize, f64)> {
    let first = visitor.get(path).await;
    assert_eq!(first.status, 200, "{path}: {}", first.body);
    let period = attributes(&first.body, "data-live").first()?.parse().expect("seconds");
    let before = app.db.logged_statements().len();
    let refresh = visitor.request(Method::GET, path).header("If-None-Match", first.header("etag"));
    let again = Answer::of(refresh.header("X-Console-Refresh", "1")).await;
    assert_eq!(again.status, 304, "nothing has changed on {path}");
    Some((app.db.logged_statements().len() - before, period))
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_open_pages_ask_for_five_statements_a_second() {
    let app = TestApp::start().await;
    for story in ["chargeback-open", "partial-refund", "fraud-warning", "inquiry-open", "chargeback-won"] {
        app.live(story, story).await;
    }
    let console = Console::open_with(&app.db, |settings| {
        settings.database = settings.database.clone().options([("log_statement", "all")]);
    })
    .await;
    let boss = console.visitor(&app.db, "boss").await;
    let disputes = app.db.rows("select dispute_id from clawback_v1.disputes").await;
    let dispute = |row: &serde_json::Value| format!("/disputes/{}", row["dispute_id"].as_str().expect("an id"));
    let mut paths: Vec<String> = [
        "/",
        "/disputes",
        "/orders",
        "/refunds",
        "/follow-ups",
        "/events",
        "/activity",
        "/health",
        "/unlinked",
        "/outcomes",
        "/orders?id=chargeback-open",
        "/orders?id=partial-refund",
    ]
    .map(str::to_owned)
    .into();
    paths.extend(disputes.iter().map(dispute));
    let mut rates = Vec::new();
    for path in &paths {
        if let Some((statements, period)) = cost(&app, &boss, path).await {
            assert!(statements > 0, "the statements of {path} are not counted");
            rates.push((statements as f64 / period, path));
        }
    }
    assert!(rates.len() > 8, "only {rates:?} are refreshed");
    let of_each: f64 = rates.iter().map(|(rate, _)| rate).sum::<f64>() / rates.len() as f64;
    let total = of_each * OPEN as f64;
    assert!(total <= 5.0, "{total:.1} statements a second: {rates:?}");
}

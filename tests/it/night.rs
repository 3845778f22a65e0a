//! Promise: at night, the log and the metrics say what runs, what is wrong and when it is over, and cost no delivery.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::binary::{Serving, command};
use clawback::dev::stories::StoryEvent;

use crate::harness::{Database, PATIENCE, SECRET, TestApp, client, header, options, tell, until};
use crate::proxy::{Proxy, Wire};

/// More log lines than a pipe holds.
const DELIVERIES: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_line_says_which_version_runs_on_which_schema_with_how_many_secrets() {
    let db = Database::migrated().await;
    let secrets = format!("{SECRET} live:whsec_a live:whsec_b test:whsec_c");
    let serving = Serving::start(&db.url, &[("STRIPE_WEBHOOK_SECRETS", &secrets)]).await;
    let metrics = client().get(format!("http://{}/metrics", serving.admin)).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("a text");
    let version = env!("CARGO_PKG_VERSION");
    assert!(metrics.contains(&format!("clawback_build_info{{version=\"{version}\"}} 1")), "{metrics}");
    assert!(metrics.contains("clawback_log_lines_dropped_total 0"), "{metrics}");
    let ended = serving.terminate(Duration::from_secs(10)).await;
    let line: Value = serde_json::from_str(ended.stdout.lines().next().expect("a line")).expect("JSON");
    let counts = ["secrets.any_mode", "secrets.live", "secrets.test"].map(|field| line[field].as_u64());
    assert_eq!((line["version"].as_str(), counts), (Some(version), [Some(1), Some(2), Some(1)]), "{line}");
    assert!(line["schema.required"].as_i64().is_some_and(|version| version >= 8), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processing_that_paused_says_so_once_and_when_it_resumed() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["could not send data to client", "connection to client lost", "unexpected EOF"]);
    let port = options(&db.url).get_port();
    let proxy = Proxy::to(port).await;
    let serving = Serving::start(&db.url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port)), &[]).await;
    let base = format!("http://{}", serving.address);
    let send = async |event: &StoryEvent| {
        let delivery = client().post(format!("{base}/webhooks/stripe")).header("Stripe-Signature", header(&event.body));
        delivery.body(event.body.clone()).send().await.expect("an answer").status() == 200
    };
    let events = tell("paid", "o_1");
    until("an event is stored", async || send(&events[0]).await).await;
    db.settle().await;
    proxy.set(Wire::Cut);
    let readiness = async || client().get(format!("{base}/readyz")).send().await.expect("an answer").status();
    until("it is not ready", async || readiness().await == 503).await;
    proxy.set(Wire::Whole);
    until("another event is stored", async || send(&events[1]).await).await;
    db.settle().await;
    let log = serving.terminate(Duration::from_secs(10)).await.stdout;
    let message = |line| serde_json::from_str::<Value>(line).expect("JSON")["message"].as_str().map(str::to_owned);
    let is_about_processing = |text: &String| text.starts_with("processing paused") || text == "processing resumed";
    let logged: Vec<String> = log.lines().filter_map(message).filter(is_about_processing).collect();
    assert!(logged.first().is_some_and(|text| text.starts_with("processing paused")), "{log}");
    assert!(logged.last().is_some_and(|text| text == "processing resumed"), "{log}");
    // Another reason is logged too: a connection may break while it is made.
    assert!(logged.windows(2).all(|pair| pair[0] != pair[1]), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_collector_that_stalls_delays_neither_a_delivery_nor_the_exit() {
    let app = TestApp::start().await;
    let environment = [
        ("DATABASE_URL", app.db.url.as_str()),
        ("STRIPE_WEBHOOK_SECRETS", SECRET),
        ("CLAWBACK_LISTEN", "127.0.0.1:0"),
        ("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("RUST_LOG", "debug"),
    ];
    let mut child = command(&["serve"], &environment).spawn().expect("the binary runs");
    let mut log = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = log.next_line().await.expect("a log").expect("a line");
    let first: Value = serde_json::from_str(&first).expect("JSON");
    let url = format!("http://{}/webhooks/stripe", first["public"].as_str().expect("an address"));
    // From here on nobody reads the log, and the pipe stays open.
    let client = client();
    let event = tell("paid", "o_1").remove(0);
    for _ in 0..DELIVERIES {
        let delivery = client.post(&url).header("Stripe-Signature", header(&event.body)).body(event.body.clone());
        let answer = timeout(PATIENCE, delivery.send()).await.expect("it does not hang").expect("an answer");
        assert!(matches!(answer.status().as_u16(), 200 | 503), "{answer:?}");
    }
    // It ends in time though its last lines cannot be written.
    let id = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs");
    assert!(sent.success());
    let ended = timeout(Duration::from_secs(12), child.wait()).await.expect("it ends in time").expect("a status");
    assert_eq!(ended.code(), Some(0));
    drop(log);
}

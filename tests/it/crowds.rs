//! Promise: strangers can neither shut out deliveries nor fill the log.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clawback::http::server::MAX_CONNECTIONS;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::binary::Serving;
use crate::harness::{Database, TestApp, client, header, tell};

/// Half a head, half a body, and nothing.
const SLOW: [&str; 3] = [
    "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Sig",
    "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{",
    "",
];

fn address(app: &TestApp) -> SocketAddr {
    app.url.trim_start_matches("http://").parse().expect("an address")
}

/// Opens this many connections that never send a whole request.
async fn crowd(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut crowd = Vec::with_capacity(count);
    for n in 0..count {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(SLOW[n % SLOW.len()].as_bytes()).await.expect("an open connection");
        crowd.push(stream);
    }
    crowd
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_idle_and_slow_strangers_shuts_out_no_delivery() {
    let app = TestApp::start().await;
    let events = tell("partial-refund", "o_1");
    // Of the pool of this client; it has delivered before the crowd comes.
    app.deliver_all(&events[..1]).await;
    let crowd = crowd(address(&app), MAX_CONNECTIONS + MAX_CONNECTIONS / 2).await;
    let mut deliveries = JoinSet::new();
    for event in events.iter().cycle().take(30) {
        let (client, url, signature) = (client(), format!("{}/webhooks/stripe", app.url), header(&event.body));
        let delivery = client.post(url).header("stripe-signature", signature).body(event.body.clone());
        deliveries.spawn(async move {
            let began = Instant::now();
            (delivery.send().await.map(|answer| answer.status().as_u16()), began.elapsed())
        });
    }
    for (status, took) in deliveries.join_all().await {
        assert_eq!(status.expect("an answer"), 200);
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    app.deliver_all(&events).await;
    drop(crowd);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_delivered_outlives_a_crowd() {
    let app = TestApp::start().await;
    let body = r#"{"id":"evt_1","type":"unknown"}"#;
    let request = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: {}\r\nContent-Length: {}\r\n\r\n{body}",
        header(body),
        body.len()
    );
    let mut known = TcpStream::connect(address(&app)).await.expect("a connection");
    deliver_on(&mut known, &request).await;
    let crowd = crowd(address(&app), MAX_CONNECTIONS + 100).await;
    deliver_on(&mut known, &request).await;
    drop(crowd);
    app.db.settle().await;
}

async fn deliver_on(stream: &mut TcpStream, request: &str) {
    stream.write_all(request.as_bytes()).await.expect("the connection is open");
    let mut answer = [0; 1024];
    let count = stream.read(&mut answer).await.expect("the connection is open");
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forgeries_is_logged_as_its_beginning_and_a_count() {
    let db = Database::migrated().await;
    let serving = Serving::start(&db.url, &[]).await;
    let (client, url) = (client(), format!("http://{}/webhooks/stripe", serving.address));
    for _ in 0..300 {
        let forged = client.post(&url).header("stripe-signature", "t=1,v1=00").body("{}").send().await;
        assert_eq!(forged.expect("an answer").status(), 400);
    }
    let ended = serving.terminate(Duration::from_secs(10)).await;
    let of_flood: Vec<_> = ended.stdout.lines().filter(|line| line.contains("refused: ")).collect();
    assert_eq!(of_flood.len(), 11, "the first ten and a count: {of_flood:#?}");
    assert!(of_flood[10].contains(r#""left_out":290"#), "{}", of_flood[10]);
}

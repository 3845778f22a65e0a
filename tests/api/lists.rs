//! Lists, page by page.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use axum::{Json, Router};
use clawback::stripe_api::{Created, Error, Limits, Pages};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::stub::{Reply, Stub, calls, client};

/// A list of refunds `re_7` (the newest) to `re_1`, and the cursors that were asked for.
#[derive(Clone, Default)]
struct Refunds {
    asked: Arc<Mutex<Vec<String>>>,
    changed: Arc<Notify>,
}

impl Refunds {
    async fn list(&self) -> Pages {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(page).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = client(&url, Limits { per_second: 1_000, at_once: 2 });
        calls(&client, Duration::from_secs(10)).refunds(Created::default()).page_size(3)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("cursors").clone()
    }
}

/// As Stripe does: newest first within a page; `ending_before` gives the page right before that object.
async fn page(State(refunds): State<Refunds>, uri: Uri) -> Json<Value> {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned();
    let query: HashMap<String, String> = query.collect();
    let number =
        |name: &str| query.get(name).map(|id| id.trim_start_matches("re_").parse::<usize>().expect("a number"));
    let limit = number("limit").expect("a limit");
    let (first, has_more) = match (number("starting_after"), number("ending_before")) {
        (None, Some(before)) => ((before + limit).min(7), before + limit < 7),
        (after, None) => (after.unwrap_or(8) - 1, after.unwrap_or(8) - 1 > limit),
        both => panic!("{both:?}"),
    };
    let last = number("ending_before").map_or(first.saturating_sub(limit) + 1, |before| before + 1);
    let data: Vec<_> = (last..=first).rev().map(|n| json!({"id": format!("re_{n}")})).collect();
    let cursor = query.get("starting_after").or_else(|| query.get("ending_before")).cloned().unwrap_or_default();
    refunds.asked.lock().expect("cursors").push(cursor);
    refunds.changed.notify_one();
    Json(json!({"object": "list", "data": data, "has_more": has_more}))
}

async fn ids(pages: Pages) -> Vec<String> {
    let items = pages.all().await.expect("a list");
    let id =
        |json: &str| serde_json::from_str::<Value>(json).expect("an object")["id"].as_str().expect("an id").to_owned();
    items.iter().map(|item| id(item.get())).collect()
}

#[tokio::test]
async fn a_list_is_read_newest_first_from_the_start_or_from_an_object() {
    let refunds = Refunds::default();
    assert_eq!(ids(refunds.list().await).await, ["re_7", "re_6", "re_5", "re_4", "re_3", "re_2", "re_1"]);
    assert_eq!(refunds.asked(), ["", "re_5", "re_2"]);
    assert_eq!(ids(refunds.list().await.older_than("re_3")).await, ["re_2", "re_1"]);
}

#[tokio::test]
async fn a_list_from_an_object_to_newer_ones_is_read_oldest_first() {
    let refunds = Refunds::default();
    assert_eq!(ids(refunds.list().await.newer_than("re_2")).await, ["re_3", "re_4", "re_5", "re_6", "re_7"]);
    assert_eq!(refunds.asked(), ["re_2", "re_5"]);
}

#[tokio::test]
async fn one_page_is_read_ahead_and_no_more() {
    let refunds = Refunds::default();
    let mut pages = refunds.list().await;
    let first = pages.next().await.expect("a page").expect("the first");
    assert_eq!((first.last_id.as_deref(), first.has_more), (Some("re_5"), true));
    refunds.changed.notified().await;
    while refunds.asked().len() < 2 {
        refunds.changed.notified().await;
    }
    assert_eq!(refunds.asked(), ["", "re_5"]);
    assert!(pages.next().await.expect("a page").expect("the second").has_more);
    assert!(!pages.next().await.expect("a page").expect("the third").has_more);
    assert!(pages.next().await.expect("the end").is_none());
}

#[tokio::test]
async fn more_pages_than_allowed_are_an_error_after_the_last_allowed_one() {
    let mut pages = Refunds::default().list().await.at_most(2);
    assert!(pages.next().await.expect("a page").is_some() && pages.next().await.expect("a page").is_some());
    assert!(matches!(pages.next().await, Err(Error::Malformed { .. })));
    assert_eq!(ids(Refunds::default().list().await.at_most(3)).await.len(), 7);
}

#[tokio::test]
async fn a_list_that_does_not_advance_or_is_none_is_an_error() {
    let bodies = [
        r#"{"data":[{"id":"re_9"}],"has_more":true}"#,
        r#"{"data":[],"has_more":true}"#,
        r#"{"data":[{"no":"id"}],"has_more":false}"#,
        r#"{"id":"re_1","object":"refund"}"#,
    ];
    for body in bodies {
        let stub = Stub::play((0..3).map(|_| Reply::of(200, "", body))).await;
        let outcome = stub.calls().refunds(Created::default()).all().await;
        assert!(matches!(outcome, Err(Error::Malformed { .. })), "{body}: {outcome:?}");
        assert!(stub.requests().len() <= 2, "{body}");
    }
}

#[tokio::test]
async fn an_error_on_a_page_ends_the_walk() {
    let error = r#"{"error":{"type":"invalid_request_error","code":"api_key_expired"}}"#;
    let first = Reply::of(200, "", r#"{"data":[{"id":"re_9"}],"has_more":true}"#);
    let stub = Stub::play([first, Reply::of(401, "", error)]).await;
    let mut pages = stub.calls().refunds(Created::default());
    assert!(pages.next().await.expect("a page").is_some());
    assert!(matches!(pages.next().await, Err(Error::Key(_))));
    assert!(pages.next().await.expect("the end").is_none());
}

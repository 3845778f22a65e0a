//! Promise: an address or a form that the console cannot read is answered by a page that says so.

use reqwest::{Method, StatusCode};

use crate::console_client::{Answer, Console, Visitor};
use crate::harness::Database;

async fn open() -> (Database, Console) {
    let db = Database::migrated().await;
    let console = Console::open(&db).await;
    (db, console)
}

/// Sends a body as it is.
async fn sent(visitor: &Visitor, path: &str, kind: &str, body: &str) -> Answer {
    let request = visitor.request(Method::POST, path).header("Sec-Fetch-Site", "same-origin");
    Answer::of(request.header("Content-Type", kind).body(body.to_owned())).await
}

fn is_page(answer: &Answer, status: StatusCode, title: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    assert!(answer.body.contains(&format!("<h1><bdi>{title}</bdi></h1>")), "{what}: {}", answer.body);
    assert!(answer.body.contains("<nav"), "{what}: no frame: {}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_read_is_answered_by_a_page() {
    let (db, console) = open().await;
    let boss = console.visitor(&db, "boss").await;
    for path in [
        "/events/%FF",
        "/disputes/%FF",
        "/disputes/%FF/submit",
        "/outcomes?mode=live&mode=test",
        "/follow-ups/%FF",
        "/refunds/%FF",
        "/payments/%FF/link",
        "/payments/%FF/refund",
        "/orders?state=paid&state=disputed",
        "/refunds?order=a&order=b",
        "/events?state=failed&state=pending",
        "/follow-ups?kind=a&kind=b",
        "/activity?person=a&person=b",
        "/unlinked?after=a&after=b",
        "/find?q=a&q=b",
    ] {
        is_page(&boss.get(path).await, StatusCode::BAD_REQUEST, "Cannot be read", path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_cannot_be_read_is_answered_by_a_page() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let (db, console) = open().await;
    let boss = console.visitor(&db, "boss").await;
    for (path, kind, body) in [
        ("/payments/ch_1/link", FORM, "order=a&order=b"),
        ("/payments/ch_1/link", "application/json", "{}"),
        ("/payments/ch_1/refund", FORM, "left=many"),
        ("/payments/ch_1/refund/review", FORM, "amount=1&amount=2"),
        ("/refunds/00000000-0000-0000-0000-000000000000/cancel", FORM, "reason=a&reason=b"),
        ("/follow-ups/requeue", "text/plain", "row=1"),
        ("/events/replay", "text/plain", "row=1"),
    ] {
        is_page(&sent(&boss, path, kind, body).await, StatusCode::BAD_REQUEST, "Cannot be read", path);
    }
}

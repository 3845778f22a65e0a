//! Promise: the consumers in `examples/` do what their pages say, woken by notifications, and stop when asked.
//!
//! `make examples-check` brings what they need and names each by a variable. Without its variable, an example is
//! skipped; the script sees to it that CI has all of them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clawback::dev::stories::Cast;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::bodies::{charge, dispute, event};
use crate::guide::{README, blocks, consumer_role, role_with};
use crate::harness::{PATIENCE, TestApp, tell_with, until};

/// No poll comes within a test: only a notification wakes a consumer for what is ready after its start.
const NEVER: &str = "86400";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The program of an example, or none where `make examples-check` did not prepare it.
fn prepared(variable: &str) -> Option<String> {
    let program = std::env::var(variable).ok();
    if program.is_none() {
        println!("skipped: make examples-check runs this");
    }
    program
}

/// A consumer that runs until it is asked to stop.
struct Consumer(Child);

impl Consumer {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).kill_on_drop(true).spawn().expect("the example starts"))
    }

    async fn stop(mut self) {
        let id = self.0.id().expect("it still runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.expect("kill runs").success());
        let ended = timeout(PATIENCE, self.0.wait()).await.expect("it stops in time").expect("it is waited for");
        assert!(ended.success(), "{ended}");
    }
}

/// Waits until a consumer has made its first claim, which each does after it listens.
async fn listening(app: &TestApp) {
    let claimed = "select exists (select from pg_stat_activity
                   where datname = current_database() and usename like 'consumer_of_%' and query ~ 'claim_follow_ups')";
    app.db.until(claimed).await;
}

fn count(condition: &str) -> String {
    format!("select count(*) from clawback_v1.follow_ups where {condition}")
}

async fn all_done(app: &TestApp, kinds: &str, expected: u32) {
    app.db.until(&format!("select ({}) = {expected}", count(&format!("kind in ({kinds}) and state = 'done'")))).await;
}

/// Delivers a story as `TestApp::live` does, in live mode.
async fn live_mode(app: &TestApp, story: &str, order_id: &str) {
    app.deliver_all(&tell_with(story, Cast { livemode: true, ..Cast::new(order_id, 0) })).await;
    app.db.settle().await;
}

/// The bookkeeping consumer, with its table, which refuses one order.
async fn bookkeeping(app: &TestApp, python: String) -> Command {
    app.db.execute(&std::fs::read_to_string(folder("python").join("schema.sql")).expect("the schema")).await;
    let (role, url) = consumer_role(&app.db).await;
    let grants = format!(
        "grant usage on schema bookkeeping to {role}; grant insert on bookkeeping.entries to {role};
         alter table bookkeeping.entries add constraint refused check (order_id <> 'order-refused')"
    );
    app.db.execute(&grants).await;
    let mut command = Command::new(python);
    command.arg(folder("python").join("consumer.py")).env("DATABASE_URL", url).env("POLL_SECONDS", NEVER);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_example_books_disputes_together_with_their_follow_ups() {
    let Some(python) = prepared("CLAWBACK_EXAMPLE_PYTHON") else { return };
    let app = TestApp::start().await;
    app.live("chargeback-lost", "order-lost").await;
    let mut command = bookkeeping(&app, python).await;
    let consumer = Consumer::start(command.env("LIVEMODE", "false"));
    let kinds = "'record_dispute_lost', 'record_dispute_won'";
    all_done(&app, kinds, 1).await;
    app.live("chargeback-won", "order-won").await;
    all_done(&app, kinds, 2).await;
    let entries = "select order_id, account, amount, currency from bookkeeping.entries order by order_id";
    let booked = [
        json!({ "order_id": "order-lost", "account": "dispute_losses", "amount": 12_000, "currency": "eur" }),
        json!({ "order_id": "order-won", "account": "dispute_recoveries", "amount": 12_000, "currency": "eur" }),
    ];
    assert_eq!(app.db.rows(entries).await, booked);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_example_hands_back_what_it_cannot_book_and_leaves_test_mode_alone() {
    let Some(python) = prepared("CLAWBACK_EXAMPLE_PYTHON") else { return };
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["refused"]);
    app.live("chargeback-lost", "order-of-test-mode").await;
    live_mode(&app, "chargeback-lost", "order-refused").await;
    let mut command = bookkeeping(&app, python).await;
    let consumer = Consumer::start(&mut command);
    let failed = "kind = 'record_dispute_lost' and state = 'ready' and attempts = 1 and last_error like '%refused%'";
    app.db.until(&format!("select exists ({})", count(failed).replace("count(*)", ""))).await;
    assert_eq!(app.db.value("select count(*) from bookkeeping.entries").await, 0);
    let untouched = "kind = 'record_dispute_lost' and not livemode and state = 'ready' and attempts = 0";
    assert_eq!(app.db.value(&count(untouched)).await, 1);
    consumer.stop().await;
}

/// What a mail provider got: the idempotency key, and the mail.
type Mails = Arc<Mutex<Vec<(String, Value)>>>;

/// A mail provider that is overloaded at the first request.
async fn mail_provider() -> (String, Mails) {
    async fn receive(State(mails): State<Mails>, headers: HeaderMap, body: axum::Json<Value>) -> StatusCode {
        let key = headers["idempotency-key"].to_str().expect("a key").to_owned();
        let mut mails = mails.lock().expect("no panic before");
        mails.push((key, body.0));
        if mails.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    }
    let mails = Mails::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().route("/", post(receive)).with_state(mails.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, mails)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_example_mails_each_refund_and_repeats_a_failed_one_with_the_same_key() {
    let Some(node) = prepared("CLAWBACK_EXAMPLE_NODE") else { return };
    let app = TestApp::start().await;
    let (mail_url, mails) = mail_provider().await;
    let (_, url) = consumer_role(&app.db).await;
    let mut command = Command::new(node);
    command.arg(folder("node").join("consumer.mjs"));
    command.env("DATABASE_URL", url).env("MAIL_URL", mail_url).env("POLL_SECONDS", NEVER).env("LIVEMODE", "false");
    let consumer = Consumer::start(&mut command);
    listening(&app).await;
    app.live("partial-refund", "order-euro").await;
    app.db.until(&format!("select ({}) = 1", count("kind = 'notify_refund' and last_error like '%503%'"))).await;
    // A person asks for it again, instead of waiting for the back-off.
    app.db.execute("select clawback_v1.requeue_follow_up(id) from clawback_v1.follow_ups where last_error <> ''").await;
    all_done(&app, "'notify_refund'", 1).await;
    let yen = Cast { currency: "jpy".to_owned(), ..Cast::new("order-yen", 0) };
    app.deliver_all(&tell_with("partial-refund", yen)).await;
    app.db.settle().await;
    all_done(&app, "'notify_refund'", 2).await;
    consumer.stop().await;
    let mails = mails.lock().expect("no panic");
    let told =
        |order: &str, amount: &str| json!({ "order_id": order, "refunded": amount, "refunded_in_total": amount });
    let sent: Vec<_> = mails.iter().map(|(_, mail)| mail.clone()).collect();
    let euro = told("order-euro", "48.00 EUR");
    assert_eq!(sent, [euro.clone(), euro, told("order-yen", "4800 JPY")]);
    assert_eq!(mails[0].0, mails[1].0, "the same key");
    assert_ne!(mails[1].0, mails[2].0, "another refund");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_readme_mail_a_refund_from_node_and_hand_back_one_that_cannot_be_mailed() {
    let Some(node) = prepared("CLAWBACK_EXAMPLE_NODE") else { return };
    let app = TestApp::start().await;
    live_mode(&app, "partial-refund", "order-refused").await;
    live_mode(&app, "partial-refund", "order-1").await;
    app.live("partial-refund", "order-of-test-mode").await;
    let (_, url) = consumer_role(&app.db).await;
    let script = format!(
        "const pg = require({driver:?});
         const sendMail = async (order, refund, {{ idempotencyKey }}) => {{
             if (order === 'order-refused') throw new Error('no such address');
             console.log(order, refund.amount, idempotencyKey.split('/')[0]);
         }};
         (async () => {{
             const db = new pg.Client({url:?});
             await db.connect();
             {lines}
             await db.end();
         }})();",
        driver = folder("node").join("node_modules/pg"),
        lines = blocks(README, "js"),
    );
    let output = Command::new(node).args(["-e", &script]).output().await.expect("Node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "order-1 4800 notify_refund\n");
    all_done(&app, "'notify_refund'", 1).await;
    let handed_back = "order_id = 'order-refused' and state = 'ready' and last_error like '%no such address%'";
    assert_eq!(app.db.value(&count(handed_back)).await, 1);
}

/// The evidence consumer, with its folder of documents.
async fn evidence(app: &TestApp, program: String) -> (Command, PathBuf) {
    let documents = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&app.db.name).join("documents");
    // An earlier run may have left it.
    drop(std::fs::remove_dir_all(&documents));
    std::fs::create_dir_all(documents.join("order-kept")).expect("a folder");
    let (_, url) = role_with(&app.db, &["--read", "--work", "--respond"]).await;
    let mut command = Command::new(program);
    command.env("DATABASE_URL", format!("{url}?sslmode=disable")).env("POLL", format!("{NEVER}s"));
    command.env("DOCUMENTS_DIR", &documents).env("LIVEMODE", "false");
    (command, documents)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_go_example_extends_its_lease_while_it_works() {
    let Some(program) = prepared("CLAWBACK_EXAMPLE_GO") else { return };
    let app = TestApp::start().await;
    let (mut command, documents) = evidence(&app, program).await;
    // Reading it takes until somebody writes to it.
    let slow = documents.join("order-kept/uncategorized_text.txt");
    assert!(Command::new("mkfifo").arg(&slow).status().await.expect("mkfifo runs").success());
    let consumer = Consumer::start(command.env("LEASE", "1s"));
    listening(&app).await;
    app.live("chargeback-open", "order-kept").await;
    let row = "clawback_v1.follow_ups where kind = 'collect_evidence'";
    app.db.until(&format!("select state = 'leased' from {row}")).await;
    let first = app.db.value(&format!("select leased_until from {row}")).await;
    let first = first.as_str().expect("a time");
    app.db.until(&format!("select leased_until > '{first}'::timestamptz + interval '1 second' from {row}")).await;
    std::fs::write(&slow, "a letter").expect("the reader waits");
    app.db.until(&format!("select state = 'done' and attempts = 1 from {row}")).await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_go_example_fills_drafts_snoozes_what_has_no_documents_and_gives_up_what_a_person_must_see() {
    let Some(program) = prepared("CLAWBACK_EXAMPLE_GO") else { return };
    let mut app = TestApp::start().await;
    app.db.expect_errors(&["is no evidence field"]);
    let (mut command, documents) = evidence(&app, program).await;
    std::fs::write(documents.join("order-kept/uncategorized_text.txt"), "a letter").expect("a document");
    std::fs::write(documents.join("order-kept/receipt.pdf"), "%PDF-1.4").expect("a document");
    std::fs::create_dir(documents.join("order-misnamed")).expect("a folder");
    std::fs::write(documents.join("order-misnamed/letter.txt"), "a letter").expect("a document");
    let consumer = Consumer::start(&mut command);
    listening(&app).await;
    for order in ["order-kept", "order-misnamed", "order-without-documents"] {
        app.live("chargeback-open", order).await;
    }
    let unlinked = dispute("dp_unlinked", json!({ "charge": "ch_unlinked" }));
    app.see(&[event("evt_1", 1, &charge("ch_unlinked", json!({}))), event("evt_2", 2, &unlinked)]).await;
    let state = "select coalesce(order_id, '-') || ' ' || state || ' ' || attempts as told
                 from clawback_v1.follow_ups where kind = 'collect_evidence' order by 1";
    let expected = ["- dead 1", "order-kept done 1", "order-misnamed dead 1", "order-without-documents ready 0"];
    until("every follow-up is looked at", async || {
        app.db.rows(state).await == expected.map(|told| json!({ "told": told }))
    })
    .await;
    consumer.stop().await;
    let drafts = "select state, fields, files -> 0 ->> 'name' as file, version from clawback_v1.dispute_responses";
    let filled = json!({ "state": "draft", "fields": { "uncategorized_text": "a letter" }, "file": "receipt.pdf", "version": 2 });
    assert_eq!(app.db.rows(drafts).await, [filled]);
    let result = app.db.value("select result from clawback_v1.follow_ups where state = 'done'").await;
    assert_eq!((&result["documents"], &result["version"]), (&json!(2), &json!(2)), "{result}");
    assert!(result["missing"].is_array(), "{result}");
}

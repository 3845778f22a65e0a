//! Promise: whatever is sent, it gets one of the answers that are written down for it, and harms nothing.
//!
//! The requests are in `hostile_http.rs`, `hostile_framing.rs`, `hostile_signatures.rs` and `hostile_bodies.rs`. Here
//! they are sent, each on a connection of its own, to the real binary.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use clawback::console::settings::Entry;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

use crate::binary::Serving;
use crate::harness::{Database, SECRET, TestApp, client, header};
use crate::hostile_bodies::bodies;
use crate::hostile_framing::framings;
use crate::hostile_http::requests;
use crate::hostile_signatures::signatures;

/// In every body, path and header that must not be quoted in an answer or a log line.
pub const MARKER: &str = "hush-7261";

/// In place of a status: the connection is closed without an answer.
pub const CLOSED: u16 = 0;

/// For all answers to one case: less than the service waits for the rest of a request, so that a broken case must be
/// recognised and not waited out.
const TIME_LIMIT: Duration = Duration::from_secs(8);

/// How much the process may grow, in KiB. Bodies are at most 1 MiB, and come one at a time.
const MAX_GROWTH: u64 = 64 << 10;

/// All that a client may read of why it was refused.
const REASONS: [&str; 15] = [
    "not found",
    "method not allowed",
    "body too large",
    "body ended early",
    "body is not UTF-8",
    "more than one Stripe-Signature header",
    "no Stripe-Signature header",
    "malformed Stripe-Signature header",
    "no v1 signature",
    "signature does not match",
    "signature too old",
    "signature from the future",
    "body is not a JSON object",
    "event has no usable id",
    "event has no usable type",
];

/// What is sent on one connection, and the acceptable answers.
pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
    /// The client ends its side after these bytes. Otherwise another request follows at once, and must be answered
    /// unless the connection is closed.
    pub ends: bool,
    pub answers: Vec<Answer>,
}

/// The acceptable answers to one request.
pub struct Answer {
    pub statuses: &'static [u16],
    /// What is stored if the answer is 200.
    pub stores: Option<Stored>,
}

#[derive(Clone)]
pub struct Stored {
    pub body: String,
    /// Of the event, once it was processed.
    pub state: &'static str,
}

impl Case {
    /// One request, of which nothing is stored.
    pub fn refused(name: impl Into<String>, bytes: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Self {
        let answers = vec![Answer { statuses, stores: None }];
        Self { name: name.into(), bytes: bytes.into(), ends: false, answers }
    }

    /// One delivery, stored if it is answered 200, and ignored by processing.
    pub fn delivery(name: impl Into<String>, bytes: impl Into<Vec<u8>>, statuses: &'static [u16], body: &str) -> Self {
        let stores = Some(Stored { body: body.to_owned(), state: "ignored" });
        Self { answers: vec![Answer { statuses, stores }], ..Self::refused(name, bytes, statuses) }
    }

    /// The client ends its side after the last byte.
    pub fn ended(self) -> Self {
        Self { ends: true, ..self }
    }
}

/// An event that no handler reads.
pub fn event(id: &str) -> String {
    let object = json!({ "id": "thing_1", "object": "thing", "text": MARKER });
    json!({ "id": id, "type": "thing.made", "created": 1_700_000_000, "data": { "object": object } }).to_string()
}

/// A request to the webhook. `headers` end with a line break each.
pub fn post(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A head with a right signature, without its end.
pub fn head_of(body: &str, headers: &str) -> String {
    format!("POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: {}\r\n{headers}", header(body))
}

/// The corpus: every case has a name of its own.
fn corpus() -> Vec<Case> {
    let cases: Vec<Case> = [requests(), framings(), signatures(), bodies()].into_iter().flatten().collect();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
    assert!(cases.len() >= 150, "{} cases", cases.len());
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_get_their_answers_and_store_only_what_was_signed() {
    let db = Database::migrated().await;
    let serving = Serving::start(&db.url, &[]).await;
    let (cases, client, before) = (corpus(), client(), serving.peak_memory());
    let (mut expected, mut faults) = (BTreeMap::new(), Vec::new());
    for (number, case) in cases.iter().enumerate() {
        let judged = match send(serving.address, case).await {
            Ok(received) => judge(case, &received),
            Err(fault) => Err(fault),
        };
        match judged {
            Ok(stored) => expected.extend(stored.into_iter().map(|stored| (stored.body, stored.state))),
            Err(fault) => faults.push(format!("{}: {fault}", case.name)),
        }
        let valid = event(&format!("evt_valid_{number}"));
        let delivery = client.post(format!("http://{}/webhooks/stripe", serving.address));
        let answer = delivery.header("Stripe-Signature", header(&valid)).body(valid.clone()).send().await;
        assert_eq!(answer.expect("an answer").status(), 200, "a valid delivery after: {}", case.name);
        expected.insert(valid, "ignored");
    }
    db.settle().await;
    faults.extend(compare(&expected, &stored(&db).await));
    assert_eq!(db.value("select count(*) from clawback.events").await, expected.len());
    assert!(faults.is_empty(), "{} of {} cases: {faults:#?}", faults.len(), cases.len());
    let grown = serving.peak_memory() - before;
    println!("cases: {}, stored: {}, grown by {grown} KiB", cases.len(), expected.len());
    assert!(grown < MAX_GROWTH, "grown by {grown} KiB");
    assert_log_is_clean(serving).await;
}

/// On the other listener nothing is stored, whatever it is.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_to_the_admin_listener_are_refused_and_store_nothing() {
    let db = Database::migrated().await;
    let serving = Serving::start(&db.url, &[]).await;
    let mut faults = Vec::new();
    for case in corpus() {
        match send(serving.admin, &case).await {
            Ok(received) => faults.extend(received.iter().filter_map(|response| {
                let is_health = response.body == r#"{"alive":true}"#;
                let is_right = [400, 404, 405, 431].contains(&response.status) || is_health;
                let fault = response.check().err().or((!is_right).then(|| format!("{response:?}")));
                Some(format!("{}: {}", case.name, fault?))
            })),
            Err(fault) => faults.push(format!("{}: {fault}", case.name)),
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(db.value("select count(*) from clawback.events").await, 0);
    assert_log_is_clean(serving).await;
}

/// What the console shows to whom is tested in `console_crawl.rs`; here it only must not fail.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_to_the_console_cause_no_server_error() {
    let app = TestApp::start_with_console("", Entry::Password).await;
    let url = app.console_url.as_deref().expect("a console");
    let address: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
    let last = format!("GET /login HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    for case in corpus() {
        // A case that lacks its end gets it by the last request, or waits for more than it sends.
        if case.ends {
            continue;
        }
        let bytes = [&case.bytes, last.as_bytes()].concat();
        let received = timeout(TIME_LIMIT, exchange(address, bytes)).await;
        let received = received.unwrap_or_else(|_| panic!("{}: no answer in time", case.name));
        let statuses: Vec<&str> =
            received.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap_or_default()).collect();
        assert!(statuses.iter().all(|status| !status.starts_with('5')), "{}: {statuses:?}", case.name);
    }
    let page = client().get(format!("{url}/login")).send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    assert_eq!(app.db.value("select count(*) from clawback.events").await, 0);
}

/// Sends these bytes, and returns all that comes back.
async fn exchange(address: SocketAddr, bytes: Vec<u8>) -> String {
    let (mut reader, mut writer) = TcpStream::connect(address).await.expect("it listens").into_split();
    let writing = async move {
        drop(writer.write_all(&bytes).await);
        writer
    };
    let reading = async {
        let mut received = Vec::new();
        drop(reader.read_to_end(&mut received).await);
        String::from_utf8_lossy(&received).into_owned()
    };
    tokio::join!(writing, reading).1
}

/// The bodies in the ledger, and the states of their events.
async fn stored(db: &Database) -> BTreeMap<String, String> {
    let query = "select payload, state from clawback_v1.events join clawback.event_payloads using (event_id)";
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    db.rows(query).await.iter().map(|row| (text(&row["payload"]), text(&row["state"]))).collect()
}

/// Nothing but what was acknowledged is stored, exactly as it was sent, and processed as expected.
fn compare(expected: &BTreeMap<String, &'static str>, stored: &BTreeMap<String, String>) -> Vec<String> {
    let short = |body: &str| body.chars().take(200).collect::<String>();
    let differs = |(body, state): (&String, &&str)| {
        let is = stored.get(body).map(String::as_str);
        (is != Some(state)).then(|| format!("is {is:?}, not {state}: {}", short(body)))
    };
    let surplus = stored.keys().filter(|body| !expected.contains_key(*body));
    let surplus = surplus.map(|body| format!("stored without an acknowledgement: {}", short(body)));
    expected.iter().filter_map(differs).chain(surplus).collect()
}

/// No line of the log quotes what was sent or the secret; the only errors are events that processing refused.
async fn assert_log_is_clean(serving: Serving) {
    let ended = serving.terminate(Duration::from_secs(20)).await;
    assert_eq!(ended.code, Some(0));
    let is_of_event = |line: &str| line.contains(r#""message":"event "#) && line.contains(" failed: ");
    let is_error = |line: &str| line.contains(r#""level":"ERROR""#) && !is_of_event(line);
    for line in ended.stdout.lines().chain(ended.stderr.lines()) {
        let quotes = [MARKER, SECRET, "v1=", "panicked"].iter().any(|bad| line.contains(bad));
        assert!(!quotes && !is_error(line), "{line}");
    }
}

/// Checks the answers to a case. Returns what must be stored now.
fn judge(case: &Case, received: &[Response]) -> Result<Vec<Stored>, String> {
    if received.len() > case.answers.len() {
        return Err(format!("more answers than requests: {received:?}"));
    }
    let mut stored = Vec::new();
    for (number, answer) in case.answers.iter().enumerate() {
        let response = received.get(number);
        let status = response.map_or(CLOSED, |response| response.status);
        if !answer.statuses.contains(&status) {
            return Err(format!("{response:?} is not one of {:?}", answer.statuses));
        }
        response.map_or(Ok(()), Response::check)?;
        if status == 200 {
            stored.extend(answer.stores.clone());
        }
    }
    Ok(stored)
}

/// Sends a case and, unless it ends its side, a probe right behind it. Returns the answers before the probe's.
async fn send(address: SocketAddr, case: &Case) -> Result<Vec<Response>, String> {
    let (reader, mut writer) = TcpStream::connect(address).await.expect("it listens").into_split();
    let probe: &[u8] = if case.ends { b"" } else { b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: probe\r\n\r\n" };
    let (bytes, ends) = ([&case.bytes, probe].concat(), case.ends);
    let writing = async move {
        // The service may close its side at any moment.
        drop(writer.write_all(&bytes).await);
        if ends {
            drop(writer.shutdown().await);
        }
        writer
    };
    let talk = async { tokio::join!(writing, receive(reader, case.bytes.starts_with(b"HEAD "))).1 };
    timeout(TIME_LIMIT, talk).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

/// Reads answers until that to the probe, or until the service closes its side.
async fn receive(mut reader: OwnedReadHalf, case_is_head: bool) -> Result<Vec<Response>, String> {
    let (mut read, mut received) = (Vec::new(), Vec::new());
    loop {
        while let Some(response) = Response::take_from(&mut read, case_is_head) {
            if !response.answers_probe {
                received.push(response);
            } else if response.status == 200 && response.body == r#"{"alive":true}"# {
                return Ok(received);
            } else {
                return Err(format!("the next request got {response:?}"));
            }
        }
        if reader.read_buf(&mut read).await.unwrap_or(0) == 0 {
            let rest = String::from_utf8_lossy(&read);
            return if read.is_empty() { Ok(received) } else { Err(format!("half an answer: {rest}")) };
        }
    }
}

#[derive(Debug)]
struct Response {
    status: u16,
    body: String,
    answers_probe: bool,
    answers_head: bool,
}

impl Response {
    /// Takes the first response off what was read, if it is complete. Interim responses (`100 Continue`) are skipped.
    fn take_from(read: &mut Vec<u8>, case_is_head: bool) -> Option<Self> {
        let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let status: u16 = head.get(9..12)?.parse().expect("a status");
        if status == 100 {
            read.drain(..end);
            return Self::take_from(read, case_is_head);
        }
        let answers_probe = head.contains("x-request-id: probe\r\n");
        let answers_head = case_is_head && !answers_probe;
        let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.split("\r\n").next()?.parse().ok());
        let length: usize = if answers_head { 0 } else { length.expect("a length") };
        if read.len() < end + length {
            return None;
        }
        let body = String::from_utf8(read[end..end + length].to_vec()).expect("UTF-8");
        read.drain(..end + length);
        Some(Self { status, body, answers_probe, answers_head })
    }

    /// What every answer must be, whatever was sent. A request that is not HTTP gets a bare 400 or 431.
    fn check(&self) -> Result<(), String> {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let reason = body["error"].as_str().unwrap_or_default();
        let is_known = REASONS.contains(&reason);
        let is_right = match self.status {
            200 => [r#"{"received":true}"#, r#"{"alive":true}"#].contains(&self.body.as_str()),
            400 | 414 | 431 if self.body.is_empty() => true,
            404 | 405 if self.answers_head => self.body.is_empty(),
            400..500 => is_known && body.as_object().is_some_and(|fields| fields.len() == 1),
            _ => false,
        };
        if is_right { Ok(()) } else { Err(format!("an answer of another form: {self:?}")) }
    }
}

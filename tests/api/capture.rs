//! A server that records requests, decoded, as `scripts/sdk-requests.py` does.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use clawback::stripe_api::Base;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<Value>>>);

impl Capture {
    /// Starts a server that stands in for this host. It ends with the test's runtime.
    pub(crate) async fn serve(&self, host: &'static str) -> Base {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(record).with_state((self.clone(), host));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Base::parse(&format!("http://{address}")).expect("a base")
    }

    /// The one request since the last time.
    pub(crate) fn the_one(&self) -> Value {
        let mut requests = self.0.lock().expect("requests");
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.pop().expect("one")
    }
}

async fn record(State((capture, host)): State<(Capture, &'static str)>, request: Request) -> String {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let header = |name: &str| head.headers.get(name).map(|value| json!(value.to_str().expect("text")));
    let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let boundary = content_type.as_str().and_then(|text| text.strip_prefix("multipart/form-data; boundary="));
    let form = if boundary.is_some() { Bytes::new() } else { body.clone() };
    let fields = [
        ("method", Some(json!(head.method.as_str()))),
        ("host", Some(json!(host))),
        ("path", Some(json!(head.uri.path()))),
        ("params", Some(params(head.uri.query().unwrap_or_default().as_bytes(), &form))),
        ("version", header("stripe-version")),
        ("account", header("stripe-account")),
        ("context", header("stripe-context")),
        ("idempotency_key", header("idempotency-key")),
        ("authorization", header(AUTHORIZATION.as_str())),
        ("parts", boundary.map(|boundary| parts(boundary, &body))),
    ];
    capture.0.lock().expect("requests").push(present(fields));
    if head.uri.path().ends_with('s') {
        r#"{"object":"list","data":[],"has_more":false}"#.to_owned()
    } else {
        r#"{"id":"x_1","object":"x"}"#.to_owned()
    }
}

fn params(query: &[u8], form: &[u8]) -> Value {
    let mut pairs: Vec<_> = form_urlencoded::parse(query).chain(form_urlencoded::parse(form)).collect();
    pairs.sort();
    json!(pairs)
}

fn parts(boundary: &str, body: &[u8]) -> Value {
    let text = std::str::from_utf8(body).expect("text");
    let inner = text.strip_prefix(&format!("--{boundary}\r\n")).expect("a first boundary");
    let inner = inner.strip_suffix(&format!("\r\n--{boundary}--\r\n")).expect("a last boundary");
    inner.split(&format!("\r\n--{boundary}\r\n")).map(part).collect()
}

fn part(text: &str) -> Value {
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    let between = |before: &str, after: &str| {
        let (_, rest) = head.split_once(before)?;
        Some(json!(rest.split(after).next()))
    };
    present([
        ("name", between(" name=\"", "\"")),
        ("filename", between("filename=\"", "\"")),
        ("type", between("Content-Type: ", "\r\n")),
        ("content", Some(json!(content))),
    ])
}

fn present<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let some = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(some.collect::<Map<_, _>>())
}

//! Requests and answers as HTTP has them: what is read of a request, and what a fault does to its answer.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{iter, once};
use time::OffsetDateTime;
use time::macros::format_description;

use super::books::VERSION;
use super::call::{Begun, Call, Reply};
use super::faults::{Fault, Kind};
use super::files;

/// Reads a request of the API.
///
/// # Errors
/// When its multipart body cannot be read.
pub(super) async fn read(head: &Parts, body: Bytes) -> io::Result<Call> {
    let mut params = pairs(head.uri.query().unwrap_or_default().as_bytes());
    let header = |name: &str| text(&head.headers, name);
    let content_type = header("Content-Type").unwrap_or_default();
    let mut upload = None;
    if content_type.starts_with("multipart/form-data") {
        let (fields, file) = files::read(body, &content_type).await.map_err(io::Error::other)?;
        params.extend(fields);
        upload = file;
    } else {
        params.extend(pairs(&body));
    }
    Ok(Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        key: header("Authorization").and_then(|value| key(&value)),
        account: header("Stripe-Account").or_else(|| header("Stripe-Context")),
        version: header("Stripe-Version"),
        idempotency_key: header("Idempotency-Key"),
        params,
        upload,
    })
}

/// The API key in an `Authorization` header: a bearer token, or the user of Basic authentication.
fn key(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(credentials.to_owned()),
        "basic" => {
            let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
            Some(decoded.split_once(':').map_or(decoded.as_str(), |(user, _)| user).to_owned())
        }
        _ => None,
    }
}

fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// How long the fault of a request makes it wait.
pub(super) fn wait(begun: &Begun) -> Duration {
    Duration::from_millis(begun.fault.as_ref().map_or(0, |fault| fault.millis))
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut on request")
}

/// Sends an answer, unless a fault withholds or cuts it.
pub(super) async fn send(call: &Call, begun: &Begun, reply: Reply, now: i64) -> io::Result<Response<Body>> {
    let kind = begun.fault.as_ref().map(|fault| fault.kind);
    match kind {
        Some(Kind::CutBefore | Kind::CutAfter) => return Err(cut()),
        Some(Kind::Silence) => return std::future::pending().await,
        Some(Kind::Unavailable) => {
            let response = Response::builder().status(503).header("Content-Type", "text/html");
            let page = "<html><body>503 Service Unavailable</body></html>";
            return response.body(Body::from(page)).map_err(io::Error::other);
        }
        _ => {}
    }
    let mut response = Response::builder()
        .status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("Content-Type", "application/json")
        .header("Content-Length", reply.body.len())
        .header("Date", date(now))
        .header("Request-Id", &begun.id)
        .header("Stripe-Version", call.version.as_deref().unwrap_or(VERSION));
    for (name, value) in optional(call, begun.fault.as_ref(), &reply) {
        response = response.header(name, value);
    }
    response.body(body(kind, Bytes::from(reply.body), wait(begun))).map_err(io::Error::other)
}

/// The headers that not every answer has.
fn optional(call: &Call, fault: Option<&Fault>, reply: &Reply) -> Vec<(&'static str, String)> {
    let key = call.idempotency_key.clone().map(|key| ("Idempotency-Key", key));
    let replayed = reply.replayed.then(|| ("Idempotent-Replayed", "true".to_owned()));
    let retry = fault.and_then(|fault| fault.should_retry).map(|it| ("Stripe-Should-Retry", it.to_string()));
    let after = fault.and_then(|fault| fault.retry_after).map(|it| ("Retry-After", it.to_string()));
    [key, replayed, retry, after].into_iter().flatten().collect()
}

/// The body, cut or delayed in the middle by a fault.
fn body(kind: Option<Kind>, body: Bytes, wait: Duration) -> Body {
    let (first, rest) = (body.slice(..body.len() / 2), body.slice(body.len() / 2..));
    match kind {
        Some(Kind::CutBody) => Body::from_stream(iter([Ok(first), Err(cut())])),
        Some(Kind::SlowBody) => {
            let rest = once(async move {
                tokio::time::sleep(wait).await;
                Ok::<_, io::Error>(rest)
            });
            Body::from_stream(iter([Ok(first)]).chain(rest))
        }
        _ => Body::from(body),
    }
}

/// A time as HTTP writes it.
fn date(now: i64) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let at = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(format).unwrap_or_default()
}

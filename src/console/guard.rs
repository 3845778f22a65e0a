//! What holds for every request: the host it is for, where it comes from, how large and how slow it may be, and the
//! headers of every answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::Console;
use super::failure::Failure;

/// Longest time for a request with its answer.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// The same for sending files.
pub(super) const UPLOAD_LIMIT: Duration = Duration::from_secs(120);
/// How long a request waits for its turn.
const WAIT_LIMIT: Duration = Duration::from_secs(3);

/// The headers of every answer. `same-origin` and not `no-referrer`: with that, a browser sends `Origin: null` with the
/// forms of these pages.
const HEADERS: [(HeaderName, HeaderValue); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
];

/// Adds them. What does not say otherwise is not stored by the browser.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        // An attachment has a policy of its own, which is stricter.
        headers.entry(name).or_insert(value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets requests through that are for this console, and forms only that one of its pages sent.
///
/// The host is compared because a name of somebody else's can be made to lead here, and would then count as the same
/// origin.
pub(super) async fn origin(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = request.uri().authority().map(|authority| authority.as_str().to_owned()).or_else(|| {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        Some(host.to_owned())
    });
    if host.is_none_or(|host| !console.settings.url.answers_to(&host)) {
        return Failure::ForeignHost.into_response();
    }
    let is_by_browser = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !is_by_browser {
        return Failure::CrossSite.into_response();
    }
    next.run(request).await
}

/// At most so many at once, and none for ever.
pub(super) async fn limits(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let Ok(Ok(_slot)) = timeout(WAIT_LIMIT, console.slots.acquire()).await else {
        return Failure::Busy.into_response();
    };
    let sends_files = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"multipart/form-data"));
    let limit = if sends_files { UPLOAD_LIMIT } else { TIME_LIMIT };
    match timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::Busy.into_response(),
    }
}

/// Answers 304 to a refresh that would show nothing new.
pub(super) async fn not_modified(request: Request, next: Next) -> Response {
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    match (known, response.headers().get(header::ETAG)) {
        (Some(known), Some(tag)) if known == *tag && response.status() == StatusCode::OK => {
            (StatusCode::NOT_MODIFIED, [(header::ETAG, known)]).into_response()
        }
        _ => response,
    }
}

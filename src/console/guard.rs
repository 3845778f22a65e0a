//! What holds for every request: the host it is for, where it comes from, how large and how slow it may be, and the
//! headers of every answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::failure::Failure;
use super::who::Who;
use super::{Console, LARGEST_LOG_IN};

/// Longest time for a page.
const PAGE_LIMIT: Duration = Duration::from_secs(5);
/// Longest time for a form.
const FORM_LIMIT: Duration = Duration::from_secs(15);
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
    let is_one = headers.get_all(header::HOST).iter().count() <= 1;
    if !is_one || host.is_none_or(|host| !console.settings.url.answers_to(&host)) {
        return Failure::ForeignHost.into_response();
    }
    let is_by_browser = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !is_by_browser {
        return Failure::CrossSite.into_response();
    }
    next.run(request).await
}

/// Limits how many requests run at once, and for how long. A stranger's form is read before it takes a slot, so that
/// strangers cannot shut out those who are logged in.
pub(super) async fn limits(
    State(console): State<Arc<Console>>,
    who: Option<Who>,
    request: Request,
    next: Next,
) -> Response {
    let request = match who {
        Some(_) => request,
        None => match console.read_whole(request).await {
            Ok(request) => request,
            Err(failure) => return failure.into_response(),
        },
    };
    let Ok(Ok(_slot)) = timeout(WAIT_LIMIT, console.slots.acquire()).await else {
        return Failure::Busy.into_response();
    };
    match timeout(time_limit(&request), next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::Busy.into_response(),
    }
}

fn time_limit(request: &Request) -> Duration {
    let content_type = request.headers().get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    match *request.method() {
        Method::GET | Method::HEAD => PAGE_LIMIT,
        _ if content_type.starts_with(b"multipart/form-data") => UPLOAD_LIMIT,
        _ => FORM_LIMIT,
    }
}

impl Console {
    /// The request with its whole body in memory.
    async fn read_whole(&self, request: Request) -> Result<Request, Failure> {
        let Ok(Ok(_turn)) = timeout(WAIT_LIMIT, self.strangers.acquire()).await else { return Err(Failure::Busy) };
        let (parts, body) = request.into_parts();
        let read = timeout(PAGE_LIMIT, to_bytes(body, LARGEST_LOG_IN)).await.map_err(|_| Failure::Busy)?;
        Ok(Request::from_parts(parts, Body::from(read.map_err(|_| Failure::TooLarge)?)))
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

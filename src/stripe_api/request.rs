//! A call as it is sent: method, path, parameters, and the headers that every call carries.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::base::Base;
use super::key::IdempotencyKey;
use super::params::Params;
use super::path::Path;

/// The version of Stripe's API that every call asks for.
pub const API_VERSION: &str = "2026-10-28.endive";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How long one try may take, from connecting to the end of the answer.
const TIME: Duration = Duration::from_secs(20);
const TIME_FOR_A_FILE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Reads, and has no effect.
    Get,
    /// Has an effect, once per idempotency key.
    Post,
}

/// Method and path: what a call is called in logs and errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) method: Method,
    pub(super) path: Path,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.method {
            Method::Get => write!(f, "GET {}", self.path),
            Method::Post => write!(f, "POST {}", self.path),
        }
    }
}

/// What is sent with it. There is no POST without an idempotency key.
#[derive(Clone, Debug)]
enum Content {
    Query(Params),
    Form(Params, IdempotencyKey),
    File(Multipart, IdempotencyKey),
}

/// A body of several parts, and the text that separates them.
#[derive(Clone, Debug)]
pub(super) struct Multipart {
    pub(super) boundary: String,
    pub(super) body: Bytes,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) line: Line,
    content: Content,
}

impl Request {
    pub(super) fn get(path: Path, params: Params) -> Self {
        Self { line: Line { method: Method::Get, path }, content: Content::Query(params) }
    }

    pub(super) fn post(path: Path, params: Params, key: &IdempotencyKey) -> Self {
        Self { line: Line { method: Method::Post, path }, content: Content::Form(params, key.clone()) }
    }

    /// Goes to the host for files.
    pub(super) fn upload(path: Path, file: Multipart, key: &IdempotencyKey) -> Self {
        Self { line: Line { method: Method::Post, path }, content: Content::File(file, key.clone()) }
    }

    pub(super) fn time(&self) -> Duration {
        match self.content {
            Content::Query(_) | Content::Form(..) => TIME,
            Content::File(..) => TIME_FOR_A_FILE,
        }
    }

    /// For the HTTP client, without the headers that all calls on an account share.
    pub(super) fn build(&self, http: &reqwest::Client, api: &Base, files: &Base) -> reqwest::RequestBuilder {
        let path = &self.line.path;
        match &self.content {
            Content::Query(params) => http.get(api.url(path, &params.encoded())),
            Content::Form(params, key) => http
                .post(api.url(path, ""))
                .header(IDEMPOTENCY_KEY, key.as_str())
                .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
                .body(params.encoded()),
            Content::File(file, key) => http
                .post(files.url(path, ""))
                .header(IDEMPOTENCY_KEY, key.as_str())
                .header(CONTENT_TYPE, format!("multipart/form-data; boundary={}", file.boundary))
                .body(file.body.clone()),
        }
    }
}

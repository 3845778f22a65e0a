//! A form that was sent after the session ended, and is kept until its sender has logged in again.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header;
use serde::Deserialize;

/// The largest form that is kept while somebody logs in, in bytes: a whole draft of evidence.
pub(super) const LARGEST_FORM: usize = 2 << 20;

/// A form that was sent when nobody was logged in.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Unsent {
    /// Where it was sent to.
    #[serde(default)]
    pub unsent_path: String,
    /// Its content, encoded as a form; empty when it is not kept.
    #[serde(default)]
    pub unsent_body: String,
    /// Whether it is kept.
    #[serde(skip)]
    pub kept: Kept,
}

/// Whether a form is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is.
    #[default]
    Form,
    /// It held a file, which is not.
    NoFile,
    /// It is too large.
    TooLarge,
}

impl Unsent {
    /// Keeps the form of a request.
    pub(super) async fn read(request: Request) -> Self {
        let unsent_path = wanted(&request);
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        if !is_form {
            return Self { unsent_path, kept: Kept::NoFile, ..Self::default() };
        }
        match to_bytes(request.into_body(), LARGEST_FORM).await {
            Ok(body) => {
                let unsent_body = String::from_utf8_lossy(&body).into_owned();
                Self { unsent_path, unsent_body, kept: Kept::Form }
            }
            Err(_) => Self { unsent_path, kept: Kept::TooLarge, ..Self::default() },
        }
    }
}

/// The path and query of a request, below the prefix.
pub(super) fn wanted(request: &Request) -> String {
    request.uri().path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned())
}

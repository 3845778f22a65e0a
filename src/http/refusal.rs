//! Every answer that is not a 2xx: its status, its short public reason, its log line and its count.
//!
//! Reasons are fixed words: they contain nothing that a client sent and no internal detail.

use std::any::Any;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::counter;
use serde_json::json;
use tracing::{debug, warn};

use crate::intake::Unavailable;
use crate::stripe::envelope::NotAnEvent;
use crate::stripe::signature::SignatureError;
use crate::telemetry;

/// Seconds. Stripe retries on its own schedule; other clients may honour it.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Why a request was refused. docs/GUARANTEES.md lists the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("not found")]
    NotFound,
    #[error("method not allowed")]
    MethodNotAllowed,
    #[error("body was sent too slowly")]
    TooSlow,
    #[error("body too large")]
    TooLarge,
    #[error("body ended early")]
    BodyBroken,
    #[error("body is not UTF-8")]
    NotUtf8,
    #[error("more than one Stripe-Signature header")]
    SeveralSignatures,
    #[error("{0}")]
    Signature(#[from] SignatureError),
    #[error("{0}")]
    NotAnEvent(#[from] NotAnEvent),
    #[error("too many bodies in memory")]
    NoRoom,
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("not ready: {0}")]
    NotReady(NotReady),
    #[error("internal error")]
    Panicked,
}

/// What readiness lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotReady {
    #[error("database does not answer")]
    NoDatabase,
    #[error("database is read-only")]
    ReadOnly,
    #[error("database is not migrated")]
    NotMigrated,
    #[error("intake cannot store events")]
    NoIntake,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyBroken | Self::NotUtf8 | Self::SeveralSignatures | Self::Signature(_) | Self::NotAnEvent(_) => {
                StatusCode::BAD_REQUEST
            }
            // Never another 5xx: whatever went wrong here, resending is right.
            Self::NoRoom | Self::Unavailable(_) | Self::NotReady(_) | Self::Panicked => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A fixed word for metrics and logs.
    fn label(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooSlow => "body_too_slow",
            Self::TooLarge => "body_too_large",
            Self::BodyBroken => "body_broken",
            Self::NotUtf8 => "body_not_utf8",
            Self::SeveralSignatures => "signature_twice",
            Self::Signature(error) => error.label(),
            Self::NotAnEvent(error) => error.label(),
            Self::NoRoom => "no_room",
            Self::Unavailable(error) => error.label(),
            Self::NotReady(_) => "not_ready",
            Self::Panicked => "panic",
        }
    }

    fn log(self) {
        let (status, reason) = (self.status().as_u16(), self.label());
        match self {
            // Scanners cause the first ones all day; intake logs its own outages, once.
            Self::NotFound
            | Self::MethodNotAllowed
            | Self::Signature(SignatureError::Missing)
            | Self::NoRoom
            | Self::Unavailable(_)
            | Self::NotReady(_) => debug!(status, reason, "refused: {self}"),
            _ => warn!(status, reason, "refused: {self}"),
        }
    }
}

/// One refusal for each label.
const EVERY: [Refusal; 25] = [
    Refusal::NotFound,
    Refusal::MethodNotAllowed,
    Refusal::TooSlow,
    Refusal::TooLarge,
    Refusal::BodyBroken,
    Refusal::NotUtf8,
    Refusal::SeveralSignatures,
    Refusal::Signature(SignatureError::Missing),
    Refusal::Signature(SignatureError::Malformed),
    Refusal::Signature(SignatureError::NoV1),
    Refusal::Signature(SignatureError::NoMatch),
    Refusal::Signature(SignatureError::Stale),
    Refusal::Signature(SignatureError::Future),
    Refusal::NotAnEvent(NotAnEvent::NotAnObject),
    Refusal::NotAnEvent(NotAnEvent::Id),
    Refusal::NotAnEvent(NotAnEvent::Type),
    Refusal::NoRoom,
    Refusal::Unavailable(Unavailable::NoDatabase),
    Refusal::Unavailable(Unavailable::NotDurable),
    Refusal::Unavailable(Unavailable::QueueFull),
    Refusal::Unavailable(Unavailable::NotStored),
    Refusal::Unavailable(Unavailable::DataRefused),
    Refusal::Unavailable(Unavailable::Stopping),
    Refusal::NotReady(NotReady::NoDatabase),
    Refusal::Panicked,
];

/// Creates each series at 0: `increase()` misses the first count of a series that begins with it.
pub(super) fn begin_counting() {
    for refusal in EVERY {
        counter!(telemetry::REFUSALS, "reason" => refusal.label()).increment(0);
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.log();
        counter!(telemetry::REFUSALS, "reason" => self.label()).increment(1);
        let status = self.status();
        let mut response = (status, Json(json!({ "error": self.to_string() }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

/// The panic's message is not sent: it may quote a body. The panic hook has printed it.
pub(super) fn after_panic(_panic: Box<dyn Any + Send>) -> Response {
    Refusal::Panicked.into_response()
}

//! Errors as Stripe words them: a status, and a body with type, code, message and parameter.

use serde_json::{Map, Value, json};

/// What an operation gives: an object as JSON, or a refusal.
pub(super) type Answer = Result<Value, Refusal>;

/// A request that Stripe refuses.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) param: Option<String>,
    /// Whether an idempotency key keeps it.
    pub(super) stage: Stage,
}

/// How far a request came before it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was not valid in itself: the key may be used again.
    Validation,
    /// It was valid, and the state of an object forbids it: the key keeps this answer.
    Execution,
}

impl Refusal {
    /// A request that is wrong in itself.
    pub(super) fn invalid(code: &str, param: &str, message: impl Into<String>) -> Self {
        let (code, param) = ((!code.is_empty()).then(|| code.to_owned()), Some(param.to_owned()));
        Self {
            status: 400,
            kind: "invalid_request_error",
            code,
            message: message.into(),
            param,
            stage: Stage::Validation,
        }
    }

    /// A valid request that the state of an object forbids.
    pub(super) fn forbidden(code: &str, message: impl Into<String>) -> Self {
        Self { param: None, stage: Stage::Execution, ..Self::invalid(code, "", message) }
    }

    /// No object with this id.
    pub(super) fn missing(noun: &str, param: &str, id: &str) -> Self {
        Self { status: 404, ..Self::invalid("resource_missing", param, format!("No such {noun}: '{id}'")) }
    }

    /// A refusal that is about no parameter.
    pub(super) fn plain(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, param: None, ..Self::invalid(code, "", message) }
    }

    /// A refusal of another type than `invalid_request_error`.
    pub(super) fn of_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// The body, with what else Stripe tells about the request.
    pub(super) fn body(&self, request_id: &str) -> Value {
        let mut error = Map::new();
        if let Some(code) = &self.code {
            error.insert("code".to_owned(), json!(code));
            let page = code.replace('_', "-");
            error.insert("doc_url".to_owned(), json!(format!("https://stripe.com/docs/error-codes/{page}")));
        }
        error.insert("message".to_owned(), json!(self.message));
        if let Some(param) = &self.param {
            error.insert("param".to_owned(), json!(param));
        }
        let log = format!("https://dashboard.stripe.com/test/logs/{request_id}");
        error.insert("request_log_url".to_owned(), json!(log));
        error.insert("type".to_owned(), json!(self.kind));
        json!({ "error": error })
    }
}

//! The log of requests, for assertions. It holds no key and no file.

use serde::Serialize;

/// One request of the API.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Logged {
    /// Stripe's id of the request.
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) account: String,
    pub(super) version: Option<String>,
    pub(super) idempotency_key: Option<String>,
    /// Decoded, in the given order.
    pub(super) params: Vec<(String, String)>,
    /// The double's time, in unix seconds.
    pub(super) at: i64,
    /// None until it is decided.
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    /// Whether an idempotency key gave an earlier answer again.
    pub(super) replayed: bool,
    /// The fault that was injected.
    pub(super) fault: Option<String>,
}

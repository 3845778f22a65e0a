//! Faults on request: which request fails, how often, and how.

use serde::{Deserialize, Serialize};

/// A fault that waits for its requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// The method it is for; every method if none.
    pub(super) method: Option<String>,
    /// The path it is for; `*` stands for one part, a `*` at the end for the rest. Every path if none.
    #[serde(default = "everywhere")]
    pub(super) path: String,
    /// How many requests pass first.
    #[serde(default)]
    pub(super) skip: u32,
    /// How many requests it hits, unless it has `seconds`.
    #[serde(default = "once")]
    pub(super) count: u32,
    pub(super) kind: Kind,
    /// An outage: it hits all its requests for so long, by the double's clock.
    pub(super) seconds: Option<i64>,
    /// When the outage ends, in unix seconds: follows from `seconds`.
    #[serde(skip_deserializing)]
    pub(super) until: Option<i64>,
    /// What to wait, in milliseconds: of `slow` and `slow_body`.
    #[serde(default)]
    pub(super) millis: u64,
    /// `Stripe-Should-Retry` on the answer.
    pub(super) should_retry: Option<bool>,
    /// `Retry-After` on the answer, in seconds.
    pub(super) retry_after: Option<u32>,
    /// The status of `refuse`.
    pub(super) status: Option<u16>,
    /// The code of `refuse`, such as `balance_insufficient`.
    pub(super) code: Option<String>,
}

fn once() -> u32 {
    1
}

fn everywhere() -> String {
    "/*".to_owned()
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// 429 before anything happens.
    RateLimit,
    /// 409 `lock_timeout` before anything happens.
    Conflict,
    /// 500, and nothing happened.
    ErrorBefore,
    /// 500, although it happened.
    ErrorAfter,
    /// 503 with a page of HTML, and nothing happened.
    Unavailable,
    /// The given status and code, and nothing happened.
    Refuse,
    /// It waits before it happens; its idempotency key is in use meanwhile.
    Slow,
    /// It happens, and the answer never comes.
    Silence,
    /// It happens, and the second half of the body comes late.
    SlowBody,
    /// The connection is cut, and nothing happened.
    CutBefore,
    /// It happens, and the connection is cut before the answer.
    CutAfter,
    /// It happens, and the connection is cut in the body.
    CutBody,
}

/// The fault for a request at this time, used up by it unless it is an outage.
pub(super) fn take(faults: &mut Vec<Fault>, method: &str, path: &str, now: i64) -> Option<Fault> {
    faults.retain(|fault| fault.until.is_none_or(|until| now < until));
    let mut found = None;
    for fault in faults.iter_mut().filter(|fault| fault.is_for(method, path)) {
        if fault.skip > 0 {
            fault.skip -= 1;
        } else {
            if fault.until.is_none() {
                fault.count = fault.count.saturating_sub(1);
            }
            found = Some(fault.clone());
            break;
        }
    }
    faults.retain(|fault| fault.count > 0);
    found
}

impl Fault {
    /// The fault from this time on.
    pub(super) fn starting(self, now: i64) -> Self {
        Self { until: self.seconds.map(|seconds| now + seconds), ..self }
    }

    fn is_for(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method)) && matches(&self.path, path)
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let mut wanted = pattern.split('/').peekable();
    while let Some(part) = wanted.next() {
        match parts.next() {
            Some(_) if part == "*" && wanted.peek().is_none() => return true,
            Some(given) if part == "*" || part == given => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_one_part_and_at_the_end_for_the_rest() {
        assert!(matches("/v1/refunds", "/v1/refunds"));
        assert!(matches("/v1/refunds/*/cancel", "/v1/refunds/re_1/cancel"));
        assert!(matches("/v1/*", "/v1/refunds/re_1"));
        assert!(!matches("/v1/refunds", "/v1/refunds/re_1"));
        assert!(!matches("/v1/refunds/*", "/v1/refunds"));
    }
}

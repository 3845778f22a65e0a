//! The log of requests, for assertions, and how close together they came. It holds no key and no file.

use std::collections::BTreeMap;

use serde::Serialize;

/// The window in which requests are counted, in milliseconds.
const WINDOW: i64 = 1_000;

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
    /// The wall clock, in milliseconds.
    pub(super) wall_ms: i64,
    /// None until it is decided.
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    /// Whether an idempotency key gave an earlier answer again.
    pub(super) replayed: bool,
    /// The fault that was injected.
    pub(super) fault: Option<String>,
}

/// How fast an account's requests came.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Rate {
    requests: usize,
    /// The most within any one second of the wall clock.
    most_in_a_second: usize,
    /// How many were answered with 429.
    rate_limited: usize,
}

/// The rate of each account that made requests; the platform's is named `platform`.
pub(super) fn rates(log: &[Logged]) -> BTreeMap<&str, Rate> {
    let mut accounts: BTreeMap<&str, Vec<&Logged>> = BTreeMap::new();
    for logged in log {
        let name = if logged.account.is_empty() { "platform" } else { logged.account.as_str() };
        accounts.entry(name).or_default().push(logged);
    }
    accounts.into_iter().map(|(account, requests)| (account, rate(&requests))).collect()
}

fn rate(requests: &[&Logged]) -> Rate {
    let (mut first, mut most) = (0, 0);
    for (last, logged) in requests.iter().enumerate() {
        while logged.wall_ms - requests[first].wall_ms >= WINDOW {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    let rate_limited = requests.iter().filter(|logged| logged.status == Some(429)).count();
    Rate { requests: requests.len(), most_in_a_second: most, rate_limited }
}

/// How many requests an account made within the second before its latest, which counts.
pub(super) fn latest(log: &[Logged], account: &str) -> usize {
    let Some(newest) = log.last().map(|logged| logged.wall_ms) else { return 0 };
    let recent = log.iter().rev().take_while(|logged| newest - logged.wall_ms < WINDOW);
    recent.filter(|logged| logged.account == account).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(account: &str, wall_ms: i64, status: u16) -> Logged {
        Logged {
            id: String::new(),
            method: "GET".to_owned(),
            path: "/v1/charges".to_owned(),
            account: account.to_owned(),
            version: None,
            idempotency_key: None,
            params: Vec::new(),
            at: 0,
            wall_ms,
            status: Some(status),
            code: None,
            replayed: false,
            fault: None,
        }
    }

    #[test]
    fn the_most_within_a_second_is_counted_over_its_bounds_and_per_account() {
        let at = [100, 900, 1_099, 1_100, 1_899, 1_900, 5_000].map(|at| logged("", at, 200));
        let mut log = Vec::from(at);
        log.insert(3, logged("acct_1", 1_100, 429));
        let rates = rates(&log);
        assert_eq!(rates["platform"], Rate { requests: 7, most_in_a_second: 4, rate_limited: 0 });
        assert_eq!(rates["acct_1"], Rate { requests: 1, most_in_a_second: 1, rate_limited: 1 });
        assert_eq!(latest(&log[..7], ""), 4, "900 is a second before 1900");
    }
}

//! Answers that idempotency keys keep. A key belongs to one account and is forgotten after a day.

use std::collections::HashMap;

use super::refusal::Refusal;

/// How long a key is kept, in seconds.
const KEPT: i64 = 86_400;

/// All keys that are kept.
#[derive(Debug, Default)]
pub(super) struct Store(HashMap<Key, Kept>);

/// What a key stands for.
#[derive(Debug)]
struct Kept {
    since: i64,
    /// Method, path and parameters of the first request.
    request: String,
    /// None while it runs.
    answer: Option<(u16, String)>,
}

/// What to do with a request that came with a key.
#[derive(Debug)]
pub(super) enum Known {
    /// The key is new: run it.
    New,
    /// Answer as before.
    Replay(u16, String),
}

/// An account and one of its keys.
pub(super) type Key = (String, String);

impl Store {
    /// Forgets answers that are older than a day.
    pub(super) fn forget(&mut self, now: i64) {
        self.0.retain(|_, kept| kept.answer.is_none() || now - kept.since <= KEPT);
    }

    /// Looks a key up, and marks it as running when it is new.
    pub(super) fn claim(&mut self, key: &Key, request: &str, now: i64) -> Result<Known, Refusal> {
        match self.0.get(key) {
            None => {
                let kept = Kept { since: now, request: request.to_owned(), answer: None };
                self.0.insert(key.clone(), kept);
                Ok(Known::New)
            }
            Some(kept) if kept.request != request => {
                let message = "Keys for idempotent requests can only be used with the same parameters they were first \
                               used with. Try using a key other than the one given if you meant to execute a different \
                               request.";
                Err(Refusal::plain(400, "", message).of_kind("idempotency_error"))
            }
            Some(Kept { answer: None, .. }) => {
                let message = "There is currently another in-progress request using this Idempotent Key. Please try \
                               again later.";
                Err(Refusal::plain(409, "idempotency_key_in_use", message))
            }
            Some(Kept { answer: Some((status, body)), .. }) => Ok(Known::Replay(*status, body.clone())),
        }
    }

    /// Keeps the answer of a request that was executed.
    pub(super) fn keep(&mut self, key: &Key, status: u16, body: &str) {
        if let Some(kept) = self.0.get_mut(key) {
            kept.answer = Some((status, body.to_owned()));
        }
    }

    /// Frees the key of a request that never began.
    pub(super) fn release(&mut self, key: &Key) {
        self.0.remove(key);
    }
}

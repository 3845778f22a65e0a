//! What an answer means for the caller. Pure: one table over method, status, headers and body.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{Advice, Answer, Head};
use super::error::{Details, Error, Problem};
use super::request::{Line, Method};

/// Longest text that is kept of an error's fields, in characters.
const MAX_WORD: usize = 100;
/// Longest message that is kept, in characters.
const MAX_MESSAGE: usize = 500;

/// Stripe's error object, v1 and v2.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    error: Said,
}

/// What the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Retry,
    Unknown,
    Refused,
    Key,
    NotFound,
    WrongMode,
}

/// Judges an answer. `body` is the whole one, or what kept it from being read.
pub(super) fn classify(
    line: &Line,
    status: u16,
    head: &Head,
    body: Result<&[u8], Problem>,
    took: Duration,
) -> Result<Answer, Error> {
    let problem = match (body, status) {
        (Err(problem), _) => problem,
        (Ok(body), 200..=299) => match object(body) {
            Some(json) => return Ok(answer(json, head, took)),
            None => Problem::NotJson,
        },
        (Ok(_), _) => Problem::Status,
    };
    let said = said(body.unwrap_or_default());
    let verdict = verdict(line.method, status, &said, head.advice);
    Err(error(verdict, details(line, status, head, problem, said), head.retry_after))
}

/// What it means that there was no answer at all.
pub(super) fn unanswered(line: &Line, problem: Problem, message: Option<&str>) -> Error {
    let verdict = match (problem, line.method) {
        (Problem::NotConnected | Problem::NoTurn, _) | (_, Method::Get) => Verdict::Retry,
        (_, Method::Post) => Verdict::Unknown,
    };
    let mut details = Details::new(line.to_string(), problem);
    details.message = message.map(|text| short(text, MAX_MESSAGE));
    error(verdict, details, None)
}

/// The table. `idempotency_error` means that the key was used with other parameters: another call may have had its
/// effect. A status that needs no body (401, 403, 409, 424, 429) is believed without one. A refusal is definite only
/// in Stripe's own words: a page of some proxy proves nothing.
fn verdict(method: Method, status: u16, said: &Said, advice: Option<Advice>) -> Verdict {
    match (status, said.kind.as_deref(), said.code.as_deref()) {
        (401 | 403, ..) => Verdict::Key,
        (400..=499, _, Some("idempotency_key_in_use" | "lock_timeout" | "rate_limit")) => Verdict::Retry,
        (400..=499, Some("idempotency_error"), _) => Verdict::Unknown,
        (409 | 424 | 429, ..) => Verdict::Retry,
        (400..=499, _, Some("livemode_mismatch")) => Verdict::WrongMode,
        (404, _, Some("resource_missing")) if method == Method::Get => Verdict::NotFound,
        (400..=499, Some(_), _) if advice == Some(Advice::Retry) => Verdict::Retry,
        (400..=499, Some(_), _) => Verdict::Refused,
        _ if method == Method::Get => Verdict::Retry,
        _ => Verdict::Unknown,
    }
}

fn error(verdict: Verdict, details: Details, after: Option<Duration>) -> Error {
    let details = Box::new(details);
    match verdict {
        Verdict::Retry => Error::Retry { after, details },
        Verdict::Unknown => Error::Unknown(details),
        Verdict::Refused => Error::Refused(details),
        Verdict::Key => Error::Key(details),
        Verdict::NotFound => Error::NotFound(details),
        Verdict::WrongMode => Error::WrongMode(details),
    }
}

fn details(line: &Line, status: u16, head: &Head, problem: Problem, said: Said) -> Details {
    let word = |text: Option<String>| text.map(|text| short(&text, MAX_WORD));
    Details {
        call: line.to_string(),
        problem,
        status: Some(status),
        request_id: head.request_id.clone(),
        kind: word(said.kind),
        code: word(said.code),
        decline_code: word(said.decline_code),
        param: word(said.param),
        message: said.message.map(|text| short(&text, MAX_MESSAGE)),
        rate_limited_reason: head.rate_limited_reason.clone(),
        advice: head.advice,
    }
}

fn answer(json: Box<RawValue>, head: &Head, took: Duration) -> Answer {
    Answer { json, request_id: head.request_id.clone(), origin: head.origin(), date: head.date, took }
}

fn object(body: &[u8]) -> Option<Box<RawValue>> {
    let json: Box<RawValue> = serde_json::from_slice(body).ok()?;
    json.get().starts_with('{').then_some(json)
}

fn said(body: &[u8]) -> Said {
    serde_json::from_slice(body).map(|body: Body| body.error).unwrap_or_default()
}

/// On one line, and not too long.
fn short(text: &str, longest: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect()
}

#[cfg(test)]
mod tests;

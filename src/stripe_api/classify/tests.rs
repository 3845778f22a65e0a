//! The table of answers, row by row.

use super::*;
use crate::stripe_api::path::Path;

fn line(method: Method) -> Line {
    Line { method, path: Path::of("/v1/refunds") }
}

fn judge(method: Method, status: u16, body: Result<&str, Problem>, advice: Option<Advice>) -> &'static str {
    let head = Head { advice, ..Head::default() };
    let body = body.map(str::as_bytes);
    match classify(&line(method), status, &head, body, Duration::ZERO) {
        Ok(_) => "answer",
        Err(Error::Retry { .. }) => "retry",
        Err(Error::Unknown(_)) => "unknown",
        Err(Error::Refused(_)) => "refused",
        Err(Error::Key(_)) => "key",
        Err(Error::NotFound(_)) => "not found",
        Err(Error::WrongMode(_)) => "wrong mode",
        Err(Error::NoKey(_) | Error::Malformed { .. }) => "not sent",
    }
}

fn stripe_error(kind: &str, code: &str) -> String {
    format!(r#"{{"error":{{"type":"{kind}","code":"{code}","message":"No."}}}}"#)
}

#[test]
fn every_answer_has_its_verdict() {
    const INVALID: &str = "invalid_request_error";
    let html = "<html>503 Service Unavailable</html>".to_owned();
    // Status, body, what a GET makes of it, what a POST makes of it.
    let rows = [
        (200, r#"{"id":"re_1"}"#.to_owned(), "answer", "answer"),
        (200, html.clone(), "retry", "unknown"),
        (200, r#"{"id":"re_1""#.to_owned(), "retry", "unknown"),
        (200, "[]".to_owned(), "retry", "unknown"),
        (200, String::new(), "retry", "unknown"),
        (302, String::new(), "retry", "unknown"),
        (400, stripe_error(INVALID, "charge_already_refunded"), "refused", "refused"),
        (400, r#"{"error":{"type":"invalid_request_error","message":"No."}}"#.to_owned(), "refused", "refused"),
        (400, stripe_error("idempotency_error", ""), "unknown", "unknown"),
        (400, stripe_error(INVALID, "livemode_mismatch"), "wrong mode", "wrong mode"),
        (400, stripe_error(INVALID, "lock_timeout"), "retry", "retry"),
        (400, html.clone(), "retry", "unknown"),
        (401, stripe_error(INVALID, "api_key_expired"), "key", "key"),
        (402, stripe_error("card_error", "balance_insufficient"), "refused", "refused"),
        (403, html.clone(), "key", "key"),
        (404, stripe_error(INVALID, "resource_missing"), "not found", "refused"),
        (404, stripe_error(INVALID, "url_invalid"), "refused", "refused"),
        (404, html.clone(), "retry", "unknown"),
        (409, stripe_error("idempotency_error", "idempotency_key_in_use"), "retry", "retry"),
        (409, stripe_error(INVALID, "lock_timeout"), "retry", "retry"),
        (409, html.clone(), "retry", "retry"),
        (424, stripe_error("api_error", "external_dependency"), "retry", "retry"),
        (429, stripe_error(INVALID, "rate_limit"), "retry", "retry"),
        (429, html.clone(), "retry", "retry"),
        (500, stripe_error("api_error", ""), "retry", "unknown"),
        (500, stripe_error(INVALID, "lock_timeout"), "retry", "unknown"),
        (503, html, "retry", "unknown"),
    ];
    for (status, body, get, post) in rows {
        assert_eq!(judge(Method::Get, status, Ok(&body), None), get, "GET {status} {body}");
        assert_eq!(judge(Method::Post, status, Ok(&body), None), post, "POST {status} {body}");
    }
}

#[test]
fn an_answer_cut_in_its_body_says_only_what_its_status_says() {
    for (status, get, post) in
        [(200, "retry", "unknown"), (400, "retry", "unknown"), (429, "retry", "retry"), (401, "key", "key")]
    {
        assert_eq!(judge(Method::Get, status, Err(Problem::Cut), None), get, "GET {status}");
        assert_eq!(judge(Method::Post, status, Err(Problem::Cut), None), post, "POST {status}");
    }
}

#[test]
fn what_stripe_asks_to_repeat_is_not_refused_for_good() {
    let body = stripe_error("invalid_request_error", "resource_busy");
    assert_eq!(judge(Method::Post, 400, Ok(&body), Some(Advice::Retry)), "retry");
    assert_eq!(judge(Method::Post, 400, Ok(&body), Some(Advice::Stop)), "refused");
    assert_eq!(judge(Method::Post, 500, Ok(&body), Some(Advice::Retry)), "unknown");
}

#[test]
fn a_call_without_an_answer_had_no_effect_only_when_nothing_was_sent() {
    let is_unknown = |method, problem| matches!(unanswered(&line(method), problem, None), Error::Unknown(_));
    assert!(is_unknown(Method::Post, Problem::TimedOut) && is_unknown(Method::Post, Problem::Cut));
    assert!(!is_unknown(Method::Post, Problem::NotConnected) && !is_unknown(Method::Post, Problem::NoTurn));
    assert!(!is_unknown(Method::Get, Problem::TimedOut) && !is_unknown(Method::Get, Problem::Cut));
}

#[test]
fn an_error_names_call_code_message_and_request_on_one_line() {
    let head = Head { request_id: Some("req_1".to_owned()), ..Head::default() };
    let body = r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"expired_card","param":"charge",
        "message":"First line.\nSecond line."}}"#;
    let error = classify(&line(Method::Post), 402, &head, Ok(body.as_bytes()), Duration::ZERO).expect_err("an error");
    assert_eq!(
        error.to_string(),
        "POST /v1/refunds: 402 card_declined expired_card: First line. Second line. (request req_1)"
    );
    assert_eq!(error.details().and_then(|details| details.param.as_deref()), Some("charge"));
}

#[test]
fn a_long_message_is_shortened() {
    let body = format!(r#"{{"error":{{"type":"api_error","message":"{}"}}}}"#, "ü".repeat(10_000));
    let error = classify(&line(Method::Get), 500, &Head::default(), Ok(body.as_bytes()), Duration::ZERO);
    let message = error.expect_err("an error").details().and_then(|details| details.message.clone());
    assert_eq!(message.map(|text| text.chars().count()), Some(MAX_MESSAGE));
}

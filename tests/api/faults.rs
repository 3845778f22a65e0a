//! What the client makes of every way in which a call can go wrong.

use std::time::{Duration, Instant};

use clawback::stripe_api::{Answer, Base, Calls, Client, Error, IdempotencyKey, Keys, Limits, Mode, Origin};
use clawback::stripe_api::{OtherModes, Params, Problem, Scope, Settings, SetupError, TimeLimit};

use crate::stub::{KEY, Reply, Stub, calls, client};

const OBJECT: &str = r#"{"id":"re_1","object":"refund"}"#;
const HTML: &str = "<html>Service Unavailable</html>";
const SOON: Duration = Duration::from_millis(300);

fn stripe_error(kind: &str, code: &str) -> String {
    format!(r#"{{"error":{{"type":"{kind}","code":"{code}","message":"No."}}}}"#)
}

async fn get(calls: &Calls) -> Result<Answer, Error> {
    calls.retrieve_refund("re_1").await
}

async fn post(calls: &Calls) -> Result<Answer, Error> {
    let key = IdempotencyKey::parse("key-1").expect("a key");
    calls.create_refund(Params::new().set("charge", "ch_1"), &key).await
}

fn problem(error: &Error) -> Option<Problem> {
    error.details().map(|details| details.problem)
}

#[track_caller]
fn assert_unknown(outcome: Result<Answer, Error>, expected: Problem) {
    let error = outcome.expect_err("no answer");
    assert!(matches!(error, Error::Unknown(_)), "{error:?}");
    assert_eq!(problem(&error), Some(expected));
}

#[track_caller]
fn assert_retry(outcome: Result<Answer, Error>, expected: Problem) {
    let error = outcome.expect_err("no answer");
    assert!(matches!(error, Error::Retry { .. }), "{error:?}");
    assert_eq!(problem(&error), Some(expected));
}

#[tokio::test]
async fn an_answer_comes_with_what_its_headers_say() {
    let headers = "Request-Id: req_1\r\nIdempotent-Replayed: true\r\nDate: Thu, 26 Nov 2026 09:12:55 GMT\r\n";
    let stub = Stub::play([Reply::of(200, headers, OBJECT)]).await;
    let answer = post(&stub.calls()).await.expect("an answer");
    assert_eq!(answer.json(), OBJECT);
    assert_eq!((answer.request_id.as_deref(), answer.origin), (Some("req_1"), Origin::Replayed));
    assert_eq!(answer.date.map(|date| date.unix_timestamp()), Some(1_795_684_375));
    let [request] = &stub.requests()[..] else { panic!("one request") };
    assert!(request.contains(concat!("user-agent: clawback/", env!("CARGO_PKG_VERSION"), "\r\n")), "{request}");
    assert!(!request.to_lowercase().contains("telemetry"), "{request}");
}

#[tokio::test]
async fn a_read_is_repeated_after_an_outage_and_a_rate_limit() {
    let rate_limited = Reply::of(429, "", &stripe_error("invalid_request_error", "rate_limit"));
    let stub = Stub::play([Reply::of(503, "", HTML), rate_limited, Reply::of(200, "", OBJECT)]).await;
    get(&stub.calls()).await.expect("an answer");
    assert_eq!(stub.requests().len(), 3);
}

#[tokio::test]
async fn a_read_is_tried_three_times() {
    let stub = Stub::play((0..5).map(|_| Reply::of(500, "Request-Id: req_1\r\n", HTML))).await;
    let error = get(&stub.calls()).await.expect_err("no answer");
    assert_eq!(error.to_string(), "GET /v1/refunds/re_1: 500 (request req_1)");
    assert_eq!(stub.requests().len(), 3);
}

#[tokio::test]
async fn a_write_that_may_have_had_its_effect_is_not_repeated() {
    for (status, body) in [(500, stripe_error("api_error", "")), (503, HTML.to_owned())] {
        let stub = Stub::play([Reply::of(status, "Request-Id: req_1\r\n", &body)]).await;
        let outcome = post(&stub.calls()).await;
        let id = outcome.as_ref().expect_err("no answer").details().and_then(|details| details.request_id.clone());
        assert_eq!(id.as_deref(), Some("req_1"));
        assert_unknown(outcome, Problem::Status);
        assert_eq!(stub.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_write_whose_key_is_in_use_is_repeated_unchanged() {
    let in_use = Reply::of(409, "", &stripe_error("idempotency_error", "idempotency_key_in_use"));
    let stub = Stub::play([in_use, Reply::of(200, "", OBJECT)]).await;
    post(&stub.calls()).await.expect("an answer");
    let [first, second] = &stub.requests()[..] else { panic!("two requests") };
    assert_eq!(first, second);
    assert!(first.contains("idempotency-key: key-1\r\n"), "{first}");
}

#[tokio::test]
async fn stripes_word_on_repeating_comes_first() {
    let refusal = stripe_error("invalid_request_error", "resource_busy");
    let yes = || Reply::of(400, "Stripe-Should-Retry: true\r\n", &refusal);
    let stub = Stub::play([yes(), Reply::of(200, "", OBJECT)]).await;
    post(&stub.calls()).await.expect("an answer");
    assert_eq!(stub.requests().len(), 2);

    let failure = Reply::of(500, "Stripe-Should-Retry: true\r\n", &stripe_error("api_error", ""));
    let stub = Stub::play([failure, Reply::of(200, "", OBJECT)]).await;
    post(&stub.calls()).await.expect("an answer");
    assert_eq!(stub.requests().len(), 2);

    let no = Reply::of(429, "Stripe-Should-Retry: false\r\n", &stripe_error("invalid_request_error", "rate_limit"));
    let stub = Stub::play([no]).await;
    assert_retry(get(&stub.calls()).await, Problem::Status);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_left_to_the_caller() {
    let headers = "Retry-After: 30\r\nStripe-Rate-Limited-Reason: endpoint-rate\r\n";
    let stub = Stub::play([Reply::of(429, headers, "")]).await;
    match post(&stub.calls()).await.expect_err("no answer") {
        Error::Retry { after, details } => {
            assert_eq!(after, Some(Duration::from_secs(30)));
            assert_eq!(details.rate_limited_reason.as_deref(), Some("endpoint-rate"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_cut_before_the_answer() {
    let stub = Stub::play([Reply::new("")]).await;
    assert_unknown(post(&stub.calls()).await, Problem::Cut);
    assert_eq!(stub.requests().len(), 1);

    let stub = Stub::play([Reply::new("HTTP/1.1 200"), Reply::of(200, "", OBJECT)]).await;
    get(&stub.calls()).await.expect("an answer");
    assert_eq!(stub.requests().len(), 2);
}

#[tokio::test]
async fn a_connection_cut_within_the_answer() {
    let cut = "HTTP/1.1 200 OK\r\nRequest-Id: req_1\r\nContent-Length: 500\r\n\r\n{\"id\":\"re_1\"}";
    let stub = Stub::play([Reply::new(cut)]).await;
    let outcome = post(&stub.calls()).await;
    assert!(outcome.as_ref().is_err_and(|error| error.to_string().contains("req_1")), "{outcome:?}");
    assert_unknown(outcome, Problem::Cut);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn an_answer_shorter_than_it_is_said_to_be_is_not_half_read() {
    let short =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 20\r\n\r\n{\"id\":\"re_1\",\"object\":\"refund\"}";
    let stub = Stub::play([Reply::new(short)]).await;
    assert_unknown(post(&stub.calls()).await, Problem::NotJson);
}

#[tokio::test]
async fn a_slow_answer_ends_with_the_deadline() {
    let begun = Instant::now();
    let heads = ["", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\":"];
    for head in heads {
        let stub = Stub::play([Reply::new(head).and_hang()]).await;
        assert_unknown(post(&stub.calls_within(SOON)).await, Problem::TimedOut);
        let stub = Stub::play([Reply::new(head).and_hang()]).await;
        assert_retry(get(&stub.calls_within(SOON)).await, Problem::TimedOut);
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Stub::play([Reply::of(200, "", OBJECT)]).await;
    let location = format!("Location: {}/v1/refunds\r\n", elsewhere.url());
    for status in [302, 307] {
        let stub = Stub::play([Reply::of(status, &location, "")]).await;
        assert_unknown(post(&stub.calls()).await, Problem::Status);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn a_huge_answer_is_refused_and_not_asked_for_again() {
    let huge = format!("{{\"id\":\"{}\"}}", "x".repeat(9 << 20));
    let stub = Stub::play([Reply::of(200, "", &huge)]).await;
    assert_retry(get(&stub.calls()).await, Problem::TooLarge);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_write_that_reached_nobody_had_no_effect() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    let calls = calls(&client(&closed, Limits::default()), SOON);
    assert_retry(post(&calls).await, Problem::NotConnected);
}

#[tokio::test]
async fn a_call_without_a_turn_before_its_deadline_is_not_sent() {
    let stub = Stub::play([Reply::of(200, "", OBJECT)]).await;
    let client = client(&stub.url(), Limits { per_second: 1, at_once: 1 });
    get(&calls(&client, Duration::from_secs(10))).await.expect("an answer");
    assert_retry(post(&calls(&client, SOON)).await, Problem::NoTurn);
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_call_after_its_deadline_is_not_sent() {
    let stub = Stub::play([Reply::of(200, "", OBJECT)]).await;
    let limit = TimeLimit::Until(tokio::time::Instant::now());
    let client = client(&stub.url(), Limits::default());
    assert_retry(post(&client.calls(&Scope::own(Mode::Test), limit).expect("a key")).await, Problem::NoTurn);
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn without_a_key_for_the_mode_nothing_is_sent() {
    let stub = Stub::play([]).await;
    let limit = TimeLimit::PerCall(SOON);
    let refused = client(&stub.url(), Limits::default()).calls(&Scope::own(Mode::Live), limit).expect_err("no key");
    assert_eq!(refused, Error::NoKey(Mode::Live));
    let account = Some("acct_1\r\nx: y".to_owned());
    let scope = Scope { account, ..Scope::own(Mode::Test) };
    let refused = client(&stub.url(), Limits::default()).calls(&scope, limit).expect_err("no header");
    assert!(matches!(refused, Error::Malformed { .. }), "{refused:?}");
}

#[tokio::test]
async fn an_id_or_url_that_leads_elsewhere_is_not_sent() {
    let stub = Stub::play([]).await;
    let calls = stub.calls();
    let refused =
        [calls.retrieve_refund("").await, calls.retrieve_refund("..").await, calls.retrieve_related("//a/v1/x").await];
    for outcome in refused {
        assert!(matches!(outcome, Err(Error::Malformed { .. })), "{outcome:?}");
    }
    assert_eq!(stub.requests().len(), 0);
}

#[test]
fn a_live_key_does_not_leave_the_machine_without_tls() {
    let setup = |keys: &str, api: &str| {
        let keys = Keys::parse(keys).expect("keys");
        let api_base = Base::parse(api).expect("a base");
        Client::new(Settings { keys, api_base, files_base: Base::files(), limits: Limits::default() })
    };
    assert!(matches!(setup("rk_live_1", "http://stripe-double:12111"), Err(SetupError::Exposed)));
    assert!(setup("rk_live_1", "http://127.0.0.1:12111").is_ok());
    assert!(setup("rk_test_1", "http://stripe-double:12111").is_ok());
}

#[tokio::test]
async fn the_key_is_in_no_error_and_not_shown() {
    let body = format!(r#"{{"error":{{"type":"invalid_request_error","message":"Invalid API Key: {KEY}"}}}}"#);
    let stub = Stub::play([Reply::of(401, "", &body)]).await;
    let calls = stub.calls();
    let error = get(&calls).await.expect_err("no answer");
    assert!(matches!(error, Error::Key(_)), "{error:?}");
    for shown in [error.to_string(), format!("{error:?}"), format!("{calls:?}")] {
        assert!(!shown.contains("TopSecret"), "{shown}");
    }
}

#[tokio::test]
async fn a_key_that_is_rotated_is_used_by_the_next_call_and_a_key_of_another_mode_is_refused() {
    let stub = Stub::play([Reply::of(200, "", OBJECT), Reply::of(200, "", OBJECT)]).await;
    let client = client(&stub.url(), Limits { per_second: 1_000, at_once: 2 });
    get(&calls(&client, SOON * 10)).await.expect("an answer");
    assert_eq!(client.use_keys(Keys::parse("sk_live_1").expect("a key")), Err(OtherModes));
    client.use_keys(Keys::parse("rk_test_new").expect("a key")).expect("the same mode");
    get(&calls(&client, SOON * 10)).await.expect("an answer");
    let [first, second] = <[String; 2]>::try_from(stub.requests()).expect("two requests");
    assert!(first.contains(KEY) && second.contains("rk_test_new") && !second.contains(KEY), "{first}{second}");
}

//! Promise: each kind of request gets a defined answer, and only signed events are stored.

use clawback::stripe::signature::{Secret, Secrets, sign, sign_with};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::binary::Serving;
use crate::bodies;
use crate::harness::{Database, PATIENCE, SECRET, TestApp, client, header, tell, unix_now, until};

#[tokio::test(flavor = "multi_thread")]
async fn new_events_duplicates_and_unknown_types_are_received() {
    let app = TestApp::start().await;
    let event = tell("paid", "o_1").remove(0).body;
    let unknown = json!({ "id": "evt_1", "type": "a.type.of.tomorrow", "data": 1 }).to_string();
    for body in [&event, &event, &unknown, &unknown] {
        let answer = app.deliver(body).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.text().await.expect("a body"), r#"{"received":true}"#);
    }
    assert_eq!(app.db.value("select count(*) from clawback.events").await, 2);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_requests_are_refused_with_a_reason_and_not_stored() {
    let app = TestApp::start().await;
    let event = json!({ "id": "evt_1", "type": "charge.refunded" }).to_string();
    let at = |age: i64| sign(&secret(), unix_now() - age, event.as_bytes());
    let other = sign(&Secret::from_key("whsec_another"), unix_now(), event.as_bytes());
    let good = header(&event);
    for (signatures, reason) in [
        (vec![], "no Stripe-Signature header"),
        (vec![""], "no Stripe-Signature header"),
        (vec!["v1=1"], "malformed Stripe-Signature header"),
        (vec!["t=now,v1=1"], "malformed Stripe-Signature header"),
        (vec!["t=1"], "no v1 signature"),
        (vec![&good.replace("v1=", "v0=")], "no v1 signature"),
        (vec![&good[..good.len() - 2]], "no v1 signature"),
        (vec![&other], "signature does not match"),
        (vec![&header("{}")], "signature does not match"),
        (vec![&at(310)], "signature too old"),
        (vec![&at(-310)], "signature from the future"),
        (vec![&good, &good], "more than one Stripe-Signature header"),
    ] {
        let request = signatures.iter().fold(app.request(&event), |r, line| r.header("Stripe-Signature", *line));
        assert_error(request, 400, reason).await;
    }
    nothing_is_stored(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_bodies_that_are_not_events_are_refused_with_a_reason_and_not_stored() {
    let app = TestApp::start().await;
    let long_id = json!({ "id": "e".repeat(256), "type": "t" }).to_string();
    for (body, reason) in [
        (&b""[..], "body is not a JSON object"),
        (b"{\"id\":\"evt_\xff\",\"type\":\"t\"}", "body is not UTF-8"),
        (br#"{"id":"evt_1","type":"t"} x"#, "body is not a JSON object"),
        (br#"["evt_1","t"]"#, "body is not a JSON object"),
        (br#"{"id":"evt_1","type":"t""#, "body is not a JSON object"),
        (br#"{"type":"t"}"#, "event has no usable id"),
        (br#"{"id":"","type":"t"}"#, "event has no usable id"),
        (br#"{"id":7,"type":"t"}"#, "event has no usable id"),
        (br#"{"id":"evt_\u0000","type":"t"}"#, "event has no usable id"),
        (br#"{"id":"evt_\ud800","type":"t"}"#, "event has no usable id"),
        (long_id.as_bytes(), "event has no usable id"),
        (br#"{"id":"evt_1"}"#, "event has no usable type"),
        (br#"{"id":"evt_1","type":""}"#, "event has no usable type"),
        (br#"{"id":"evt_1","type":"t\u0000"}"#, "event has no usable type"),
        (br#"{"id":"evt_1","type":null}"#, "event has no usable type"),
    ] {
        let signature = sign(&secret(), unix_now(), body);
        assert_error(app.request(body).header("Stripe-Signature", signature), 400, reason).await;
    }
    nothing_is_stored(&app).await;

    let longest = json!({ "id": "e".repeat(255), "type": "t" }).to_string();
    assert_eq!(app.deliver(&longest).await.status(), 200);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_are_not_served() {
    let app = TestApp::start().await;
    for path in ["/", "/metrics", "/webhooks", "/webhooks/stripe/", "/webhooks/Stripe", "//webhooks/stripe"] {
        assert_error(client().post(format!("{}{path}", app.url)), 404, "not found").await;
    }
    assert_error(client().post(format!("{}/webhooks/stripe", app.admin_url)), 404, "not found").await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let method = method.parse().expect("a method");
        let request = client().request(method, format!("{}/webhooks/stripe", app.url));
        let answer = assert_error(request, 405, "method not allowed").await;
        assert_eq!(answer["allow"], "POST");
    }
}

/// Both limits are 10 s, so the two waits run at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_gets_an_error_and_a_slow_head_is_disconnected() {
    let app = TestApp::start().await;
    let slow_body = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
    let slow_head = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Le";
    let (body, head) = tokio::join!(talk(&app, slow_body), talk(&app, slow_head));
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert!(body.ends_with(r#"{"error":"body was sent too slowly"}"#), "{body}");
    assert_eq!(head, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_request_is_refused_however_it_is_sent() {
    let app = TestApp::start_on(Database::migrated().await, |service| service.max_body = 4096).await;
    app.ready().await;
    let event = |length: usize| {
        let frame = json!({ "id": "evt_1", "type": "t", "x": "" }).to_string().len();
        json!({ "id": "evt_1", "type": "t", "x": "x".repeat(length - frame) }).to_string()
    };
    assert_error(app.delivery(&event(4097)), 413, "body too large").await;

    // Announced by Content-Length, and never sent.
    let announced = talk(&app, "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 4097\r\n\r\n").await;
    assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
    let chunk = format!("800\r\n{}\r\n", "x".repeat(0x800));
    let head = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = talk(&app, &format!("{head}{}", chunk.repeat(3))).await;
    assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
    assert!(chunked.ends_with(r#"{"error":"body too large"}"#), "{chunked}");
    let head = talk(&app, &format!("POST /webhooks/stripe HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(17 << 10))).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
    nothing_is_stored(&app).await;

    assert_eq!(app.deliver(&event(4096)).await.status(), 200);
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_labelled_secret_accepts_only_events_of_its_mode() {
    let secrets = Secrets::parse("live:whsec_live test:whsec_test").expect("two secrets");
    let app = TestApp::start_on(Database::migrated().await, |service| service.secrets = secrets).await;
    app.ready().await;
    let deliver = async |key: &str, id: &str, livemode: Value| {
        let body = json!({ "id": id, "type": "t", "livemode": livemode }).to_string();
        app.post(&body, &sign(&Secret::from_key(key), unix_now(), body.as_bytes())).await
    };
    for (key, id, livemode) in [("whsec_live", "evt_a", false), ("whsec_test", "evt_b", true)] {
        assert_eq!(deliver(key, id, json!(livemode)).await.status(), 200);
    }
    nothing_is_stored(&app).await;
    assert_eq!(app.db.value("select count(*) from clawback.unvouched_events").await, 2);
    for (key, id, livemode) in [
        ("whsec_live", "evt_live", json!(true)),
        ("whsec_test", "evt_test", json!(false)),
        ("whsec_test", "evt_none", Value::Null),
    ] {
        assert_eq!(deliver(key, id, livemode).await.status(), 200);
    }
    assert_eq!(app.db.value("select count(*) from clawback.events").await, 3);
    app.db.settle().await;
}

/// Stripe sends test events to live Connect endpoints, and the same ones to the test endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_the_wrong_mode_is_kept_apart_until_it_arrives_under_a_matching_secret() {
    let secrets = Secrets::parse("live:whsec_live test:whsec_test").expect("two secrets");
    let app = TestApp::start_on(Database::migrated().await, |service| service.secrets = secrets).await;
    app.ready().await;
    let body = bodies::event("evt_1", 1, &bodies::charge("ch_1", json!({ "client_secret": "hush" })));
    let deliver = async |key: &str| {
        let answer = app.post(&body, &sign(&Secret::from_key(key), unix_now(), body.as_bytes())).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.expect("a body"), r#"{"received":true}"#);
    };
    let shown = "select concat_ws(' | ', event_id, type, object_id, livemode, state, last_error, payload) as line
                 from clawback_v1.events left join clawback_v1.event_payloads using (event_id)";
    deliver("whsec_live").await;
    deliver("whsec_live").await;
    let lines = app.db.rows(shown).await;
    let reason = "livemode does not match the signing secret: stored separately, not processed";
    let begins = format!("evt_1 | charge.updated | ch_1 | f | ignored | {reason} | {{");
    assert!(lines.len() == 1 && lines[0]["line"].as_str().is_some_and(|line| line.starts_with(&begins)), "{lines:?}");
    assert!(!lines[0].to_string().contains("hush"), "{lines:?}");
    assert_eq!(app.db.value("select clawback_v1.replay_event('evt_1', 'hope')").await, false);
    assert_eq!(app.db.value("select count(*) from clawback_v1.payments").await, 0);

    deliver("whsec_test").await;
    app.db.settle().await;
    deliver("whsec_live").await;
    let states = app.db.rows("select event_id, state from clawback_v1.events").await;
    assert_eq!(states, [json!({ "event_id": "evt_1", "state": "processed" })]);
    assert_eq!(app.db.value("select amount_paid from clawback_v1.payments").await, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_rolled_both_old_and_new_are_accepted() {
    let (old, new, other) = ("whsec_old", "whsec_new", "whsec_other");
    let secrets = Secrets::parse(&format!("{old},{new}")).expect("two secrets");
    let app = TestApp::start_on(Database::migrated().await, |service| service.secrets = secrets).await;
    app.ready().await;
    let signed = [vec![old], vec![new], vec![old, new], vec![other, new], vec![old, other], vec![other]];
    for (number, keys) in signed.into_iter().enumerate() {
        let body = json!({ "id": format!("evt_{number}"), "type": "t" }).to_string();
        let secrets: Vec<_> = keys.iter().copied().map(Secret::from_key).collect();
        let answer = app.post(&body, &sign_with(&secrets, unix_now(), body.as_bytes())).await;
        assert_eq!(answer.status(), if keys == [other] { 400 } else { 200 }, "{keys:?}");
    }
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envelope_values_that_no_column_can_hold_are_stored_as_null() {
    let app = TestApp::start().await;
    let odd = [
        json!(null),
        json!({}),
        json!([1]),
        json!("x".repeat(256)),
        json!("\u{0}"),
        json!(""),
        json!(1e300),
        json!(i64::MIN),
        json!("soon"),
    ];
    for (number, value) in odd.iter().enumerate() {
        let text = |value: &Value| if value == "soon" { json!(7) } else { value.clone() };
        let body = json!({
            "id": format!("evt_{number}"), "type": "t", "api_version": text(value), "account": text(value),
            "livemode": value, "created": value, "data": { "object": { "id": text(value), "object": "unknown" } },
        });
        assert_eq!(app.deliver(&body.to_string()).await.status(), 200, "{body}");
    }
    let kept = "api_version is not null or account is not null or livemode is not null or object_id is not null
                or created_at is not null";
    assert_eq!(app.db.rows(&format!("select * from clawback.events where {kept}")).await, Vec::<Value>::new());
    assert_eq!(app.db.value("select count(*) from clawback.events").await, odd.len());

    let version = json!({ "id": "evt_v", "type": "t", "api_version": "2099-12-31.zebra" }).to_string();
    assert_eq!(app.deliver(&version).await.status(), 200);
    let stored = app.db.value("select api_version from clawback.events where event_id = 'evt_v'").await;
    assert_eq!(stored, "2099-12-31.zebra");
    app.db.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_kept_byte_for_byte_and_read_whatever_its_unread_fields_contain() {
    let app = TestApp::start().await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let body = format!(
        r#" {{"id":"evt_1", "type":"charge.updated","created":1700000000,"livemode":false,
        "nul":"a\u0000b","lone":"\ud800 \udc00","same":1,"same":1.10e+2,"big":123456789012345678901234567890,
        "data":{{"object":{{"id":"ch_1","object":"charge","amount":700,"amount_captured":700,"currency":"EUR",
        "captured":true,"status":"succeeded","created":1700000000,"description":"\u0000\ud83d","deep":{deep},
        "metadata":{{"order_id":"o_1","note":"\udfff\u0000","é":"ü"}}}}}}}}
"#
    );
    app.ready().await;
    assert_eq!(app.deliver(&body).await.status(), 200);
    app.db.settle().await;
    assert_eq!(app.db.value("select payload from clawback.event_payloads").await, body);
    assert_eq!(app.db.value("select state from clawback_v1.events").await, "processed");
    assert_eq!(app.db.value("select amount_paid from clawback_v1.orders where order_id = 'o_1'").await, 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_needs_a_migrated_database_and_liveness_does_not() {
    let mut app = TestApp::start_on(Database::empty().await, |service| service.migrate = false).await;
    app.db.expect_errors(&["relation \"clawback", "schema \"clawback", "function clawback"]);
    assert_error(client().get(format!("{}/readyz", app.url)), 503, "not ready: database is not migrated").await;
    let alive = app.get("/healthz").await;
    assert_eq!((alive.status().as_u16(), alive.text().await.expect("a body").as_str()), (200, r#"{"alive":true}"#));
    let event = json!({ "id": "evt_1", "type": "t" }).to_string();
    assert_error(app.delivery(&event), 503, "event could not be stored").await;

    clawback::app::migrate::migrate(&crate::harness::options(&app.db.url)).await.expect("the migrations run");
    app.ready().await;
    assert_eq!(app.deliver(&event).await.status(), 200);
    app.db.settle().await;
}

/// On the real binary, since counters are global to a process.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened_on_the_admin_listener_only() {
    let db = Database::migrated().await;
    let serving = Serving::start(&db.url, &[]).await;
    let post = async |body: &str, signature: &str| {
        let request = client().post(format!("http://{}/webhooks/stripe", serving.address));
        request.header("Stripe-Signature", signature).body(body.to_owned()).send().await.expect("an answer").status()
    };
    let event = tell("paid", "o_1").remove(0).body;
    assert_eq!(post(&event, &header(&event)).await, 200);
    assert_eq!(post(&event, &header(&event)).await, 200);
    assert_eq!(post(&event, "t=1").await, 400);
    assert_error(client().get(format!("http://{}/metrics", serving.address)), 404, "not found").await;
    db.settle().await;

    let get =
        async |path: &str| client().get(format!("http://{}{path}", serving.admin)).send().await.expect("an answer");
    assert_eq!((get("/healthz").await.status().as_u16(), get("/readyz").await.status().as_u16()), (200, 200));
    let answer = get("/metrics").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        r#"clawback_events_received_total{type="payment_intent.created",outcome="new"} 1"#,
        r#"clawback_events_received_total{type="payment_intent.created",outcome="duplicate"} 1"#,
        r#"clawback_refusals_total{reason="signature_no_v1"} 1"#,
        r#"clawback_refusals_total{reason="not_found"} 1"#,
        r#"clawback_events_finished_total{outcome="processed"} 1"#,
        "clawback_intake_available 1",
        "clawback_intake_batch_size_count 2",
    ] {
        // Counters are updated shortly after the commit.
        let metrics = async || get("/metrics").await.text().await.expect("a body");
        until(line, async || metrics().await.lines().any(|found| found == line)).await;
    }
}

fn secret() -> Secret {
    Secret::from_key(SECRET)
}

/// Sends a request and asserts that it is refused in JSON with exactly this reason. Returns the headers.
async fn assert_error(request: reqwest::RequestBuilder, status: u16, reason: &str) -> reqwest::header::HeaderMap {
    let answer = request.send().await.expect("an answer");
    let headers = answer.headers().clone();
    let found = answer.status().as_u16();
    let body = answer.text().await.expect("a body");
    assert_eq!((found, body.as_str()), (status, json!({ "error": reason }).to_string().as_str()));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers.contains_key("retry-after"), status == 503);
    headers
}

/// Sends these bytes, and returns everything received until the service closes the connection.
async fn talk(app: &TestApp, request: &str) -> String {
    let address = app.url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("it closes in time").expect("UTF-8");
    answer
}

async fn nothing_is_stored(app: &TestApp) {
    assert_eq!(app.db.value("select count(*) from clawback.events").await, 0);
    assert_eq!(app.db.value("select count(*) from clawback.event_payloads").await, 0);
}

//! Hostile requests: first lines and headers that are broken, old, foreign or odd.
//!
//! Where the answer is one of several, RFC 9112 leaves the choice to the server.

use crate::hostile::{CLOSED, Case, MARKER, event, head_of};

const OK: &[u16] = &[200];
const BROKEN: &[u16] = &[400, CLOSED];
const NOT_FOUND: &[u16] = &[404];
const NO_METHOD: &[u16] = &[405];
const EITHER: &[u16] = &[200, 400];

pub fn requests() -> Vec<Case> {
    [methods(), targets(), versions(), foreign(), headers(), hosts()].into_iter().flatten().collect()
}

/// A right delivery with further headers, which end with a line break each.
fn with(id: &str, headers: &str, statuses: &'static [u16]) -> Case {
    let body = event(id);
    let bytes = format!("{}Content-Length: {}\r\n\r\n{body}", head_of(&body, headers), body.len());
    let name: String = headers.escape_debug().take(60).collect();
    Case::delivery(format!("{id}: {name}"), bytes, statuses, &body)
}

/// A right delivery, changed as text.
fn changed(name: &str, statuses: &'static [u16], change: impl Fn(String) -> String) -> Case {
    let body = event(&format!("evt {name}"));
    let bytes = format!("{}Content-Length: {}\r\n\r\n{body}", head_of(&body, ""), body.len());
    Case::delivery(name, change(bytes), statuses, &body)
}

fn methods() -> Vec<Case> {
    let long = "M".repeat(1000);
    let methods = [
        "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "PROPFIND", "post", "Post", "P", MARKER,
        &long,
    ];
    let mut cases: Vec<Case> = methods
        .iter()
        .map(|method| {
            let name: String = method.chars().take(20).collect();
            changed(&format!("method {name}"), NO_METHOD, |bytes| bytes.replacen("POST", method, 1))
        })
        .collect();
    for (name, method) in [
        ("no method", ""),
        ("a method with NUL", "PO\0ST"),
        ("a method in quotes", "\"POST\""),
        ("a method with é", "POSTé"),
    ] {
        cases.push(changed(name, BROKEN, |bytes| bytes.replacen("POST", method, 1)));
    }
    cases.push(changed("CONNECT", &[400, 404, 405, CLOSED], |bytes| {
        bytes.replacen("POST /webhooks/stripe", "CONNECT x:443", 1)
    }));
    cases
}

fn targets() -> Vec<Case> {
    let target = |name: &str, statuses, target: &str| {
        changed(&format!("target {name}"), statuses, |bytes| bytes.replacen("/webhooks/stripe", target, 1))
    };
    let long = format!("/{}", "a".repeat(15_000));
    let longest = format!("/{}", "a".repeat(70_000));
    let many = format!("/webhooks/stripe?{}", "a=1&".repeat(3_500));
    let mut cases = vec![
        target("of 15,000 bytes", NOT_FOUND, &long),
        target("of 70,000 bytes", &[414, 431], &longest),
        target("with 3,500 parameters", OK, &many),
        target("with a query", OK, "/webhooks/stripe?x=%00"),
        target("with a fragment", &[200, 400, 404], "/webhooks/stripe#x"),
        target("in absolute form", OK, "http://elsewhere/webhooks/stripe"),
        target("in absolute form with a user", &[200, 400, CLOSED], "http://u:p@elsewhere/webhooks/stripe"),
        target("in absolute form without a path", &[400, 404, 405], "http://elsewhere"),
        target("as a star", NOT_FOUND, "*"),
    ];
    let unknown = [
        "/",
        "//",
        "//webhooks/stripe",
        "/webhooks//stripe",
        "/webhooks/stripe/",
        "/webhooks/stripe/..",
        "/./webhooks/stripe",
        "/webhooks/../webhooks/stripe",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/webhooks/stripe%00",
        "/webhooks/stripe%2f",
        "/webhooks%2fstripe",
        "/Webhooks/Stripe",
        "/webhooks/stripe;x=1",
        "/webhooks/stripe%0d%0aX:1",
        "/webhooks/stripe%",
        "/webhooks/stripe%zz",
        "/webhooks/stripe.json",
        "/metrics",
        "/console",
        "/.env",
        "/hush-7261",
    ];
    cases.extend(unknown.iter().map(|path| target(path, NOT_FOUND, path)));
    let broken =
        ["", "webhooks/stripe", "/webhooks/stripe x", "/webhooks\tstripe", "/webhooks/stripe\0", "\\webhooks\\stripe"];
    cases.extend(broken.iter().map(|path| target(&path.escape_debug().to_string(), &[400, 404, CLOSED], path)));
    cases.push(target("with é", &[400, 404, CLOSED], "/webhooks/stripé"));
    // axum matches percent-encoded paths as they were sent.
    cases.push(target("with an encoded letter", NOT_FOUND, "/webhooks/%73tripe"));
    cases
}

fn versions() -> Vec<Case> {
    let version = |version: &str, statuses| {
        changed(&format!("version {version:?}"), statuses, |bytes| bytes.replacen("HTTP/1.1", version, 1))
    };
    let mut cases = vec![version("HTTP/1.0", OK)];
    cases.extend(
        ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3", "HTTP/11", "http/1.1", "HTTP/1", "HTTP/1.1x", "ICY", ""]
            .map(|name| version(name, BROKEN)),
    );
    let old = "GET /healthz\r\n".to_owned();
    cases.push(Case::refused("HTTP/0.9", old, BROKEN));
    let body = event("evt_keep_alive");
    let keep = format!("{}Connection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}", head_of(&body, ""), body.len());
    cases.push(Case::delivery("HTTP/1.0 with keep-alive", keep.replacen("HTTP/1.1", "HTTP/1.0", 1), OK, &body));
    let body = event("evt_chunked_in_1_0");
    let chunked =
        format!("{}{:x}\r\n{body}\r\n0\r\n\r\n", head_of(&body, "Transfer-Encoding: chunked\r\n\r\n"), body.len());
    cases.push(Case::delivery("HTTP/1.0 with chunks", chunked.replacen("HTTP/1.1", "HTTP/1.0", 1), BROKEN, &body));
    cases
}

/// Other protocols.
fn foreign() -> Vec<Case> {
    let noise: Vec<u8> = (0..4096_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let foreign: [(&str, &[u8]); 14] = [
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        ("TLS", b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x02\x13\x01\x01\x00\x00\x00"),
        ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n"),
        ("SMTP", b"EHLO x\r\nMAIL FROM:<a@x>\r\n"),
        ("Redis", b"*1\r\n$4\r\nPING\r\n"),
        ("Postgres", b"\x00\x00\x00\x08\x04\xd2\x16\x2f\r\n\r\n"),
        ("PROXY 1", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
        ("PROXY 2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"),
        ("SOCKS", b"\x05\x01\x00\r\n\r\n"),
        ("RTSP", b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("a response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("JSON", br#"{"id":"evt_1","type":"t"}"#),
        ("noise", &noise),
        ("NULs", &[0; 4096]),
    ];
    foreign.into_iter().map(|(name, bytes)| Case::refused(format!("{name} in place of HTTP"), bytes, BROKEN)).collect()
}

fn headers() -> Vec<Case> {
    let lines = |count: usize| (0..count).map(|n| format!("X-{n}: {MARKER}\r\n")).collect::<String>();
    let odd_but_right = [
        ("evt_ninety_headers", lines(90)),
        ("evt_long_header", format!("X: {}\r\n", "x".repeat(15_000))),
        ("evt_empty_value", "X:\r\n".to_owned()),
        ("evt_no_blank", "X:y\r\n".to_owned()),
        ("evt_other_bytes", "X: é\u{80}\r\n".to_owned()),
        ("evt_types", "Content-Type: text/plain\r\nContent-Type: application/xml\r\n".to_owned()),
        ("evt_gzip", "Content-Encoding: gzip\r\n".to_owned()),
        ("evt_override", "X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /metrics\r\n".to_owned()),
        ("evt_forwarded", "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=\"[::1]\"\r\n".to_owned()),
        ("evt_cookie", format!("Cookie: {}\r\n", "a=b; ".repeat(1000))),
        ("evt_range", "Range: bytes=0-,0-,0-,0-\r\nIf-Match: *\r\n".to_owned()),
        ("evt_request_id", format!("X-Request-Id: {}\r\n", "r".repeat(10_000))),
        ("evt_two_request_ids", "X-Request-Id: a\r\nX-Request-Id: b\r\n".to_owned()),
        ("evt_traceparent", "traceparent: \r\nbaggage: ,,,\r\n".to_owned()),
        ("evt_close", "Connection: close\r\n".to_owned()),
        ("evt_hop", "Connection: Stripe-Signature, close\r\n".to_owned()),
        ("evt_h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n".to_owned()),
        ("evt_websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n".to_owned()),
        ("evt_expect", "Expect: 100-continue\r\n".to_owned()),
    ];
    let mut cases: Vec<Case> = odd_but_right.iter().map(|(id, lines)| with(id, lines, OK)).collect();
    cases.push(with("evt_expect_more", "Expect: 200-ok\r\n", &[200, 417]));
    cases.push(with("evt_folded", "X: a\r\n b\r\n", EITHER));
    cases.push(with("evt_too_many", &lines(101), &[431]));
    cases.push(with("evt_far_too_many", &lines(1200), &[431]));
    cases.push(with("evt_too_long", &format!("X: {}\r\n", "x".repeat(17_000)), &[431]));
    cases.push(with("evt_far_too_long", &format!("X: {}\r\n", "x".repeat(3 << 20)), &[431]));
    let broken = [
        "X\r\n",
        ": x\r\n",
        "X : y\r\n",
        " X: y\r\n",
        "X\t: y\r\n",
        "X y: z\r\n",
        "X: a\0b\r\n",
        "X: a\rb\r\n",
        "X: a\x08b\r\n",
        "é: x\r\n",
        "X(): y\r\n",
        "\"X\": y\r\n",
        "{X}: y\r\n",
        "@: x\r\n",
        "X[]: y\r\n",
        "X\0: y\r\n",
        "\0\r\n",
    ];
    cases.extend(
        broken.iter().enumerate().map(|(number, line)| with(&format!("evt_broken_line_{number}"), line, BROKEN)),
    );
    cases.push(changed("line feeds alone", EITHER, |bytes| bytes.replace("\r\n", "\n")));
    cases.push(changed("carriage returns alone", BROKEN, |bytes| bytes.replace("\r\n", "\r")));
    cases.push(changed("an empty line before", OK, |bytes| format!("\r\n{bytes}")));
    cases.push(changed("a hundred empty lines before", OK, |bytes| format!("{}{bytes}", "\r\n".repeat(100))));
    cases.push(changed("two blanks in the first line", BROKEN, |bytes| bytes.replacen("POST ", "POST  ", 1)));
    cases.push(changed("tabs in the first line", BROKEN, |bytes| bytes.replacen("POST ", "POST\t", 1)));
    cases.push(changed("a blank before the first line", BROKEN, |bytes| format!(" {bytes}")));
    cases
}

/// The service has one site: what `Host` says decides nothing.
fn hosts() -> Vec<Case> {
    let hosts = [
        "",
        "Host:\r\n",
        "Host: x\r\nHost: y\r\n",
        "Host: x, y\r\n",
        "Host: x/y?z\r\n",
        "Host: u:p@x\r\n",
        "Host: x:99999999\r\n",
        "Host: [::1\r\n",
        "Host: ..\r\n",
        "Host: localhost\r\n",
        "Host: 169.254.169.254\r\n",
        "Host: é\r\n",
    ];
    let mut cases: Vec<Case> = hosts
        .iter()
        .map(|line| changed(&format!("host {line:?}"), EITHER, |bytes| bytes.replacen("Host: x\r\n", line, 1)))
        .collect();
    let long = format!("Host: {}\r\n", "x".repeat(10_000));
    cases.push(changed("host of 10,000 bytes", EITHER, |bytes| bytes.replacen("Host: x\r\n", &long, 1)));
    cases
}

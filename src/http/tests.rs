//! The answers that need no database, and the server's bounds. Where nothing listens stands for a
//! database that is away.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::stripe::signature::{Secret, sign};

const EVENT: &[u8] = br#"{"id":"evt_1","type":"charge.refunded","livemode":false}"#;

/// The app, and its writer running against a database that is away.
fn app() -> App {
    let nowhere = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1);
    let (intake, writer) = Intake::new(nowhere.clone(), Arc::new(Notify::new()));
    tokio::spawn(writer.run());
    App {
        intake,
        bodies: BodyMemory::new(4096),
        secrets: watch::channel(Arc::new(Secrets::parse("whsec_any live:whsec_live").unwrap())).1,
        tolerance: Duration::from_secs(300),
        max_body: 1024,
        last_ready: LastReady::default(),
        pool: PgPoolOptions::new().connect_lazy_with(nowhere),
        required_version: 1,
    }
}

fn signature(key: &str, body: &[u8]) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    sign(&Secret::from_key(key), i64::try_from(now).unwrap(), body)
}

fn delivery(signatures: &[&str], body: impl Into<Body>) -> Request {
    let mut request = Request::post("/webhooks/stripe");
    for line in signatures {
        request = request.header("Stripe-Signature", *line);
    }
    request.body(body.into()).unwrap()
}

/// Status, headers and the `error` in the body.
async fn answer(app: App, request: Request) -> (StatusCode, HeaderMap, String) {
    read(router(app).oneshot(request).await.unwrap()).await
}

async fn read(response: Response) -> (StatusCode, HeaderMap, String) {
    let (head, body) = response.into_parts();
    let body: serde_json::Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    (head.status, head.headers, body["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_is_not_a_signed_event_is_refused() {
    let good = signature("whsec_any", EVENT);
    let signed = |body: &'static [u8]| delivery(&[&signature("whsec_any", body)], body);
    for (request, reason) in [
        (delivery(&[], EVENT), "no Stripe-Signature header"),
        (delivery(&["nonsense"], EVENT), "malformed Stripe-Signature header"),
        (delivery(&["t=1,v1=\u{e9}"], EVENT), "malformed Stripe-Signature header"),
        (delivery(&[&good, &good], EVENT), "more than one Stripe-Signature header"),
        (delivery(&[&good], &EVENT[1..]), "signature does not match"),
        (delivery(&[&signature("whsec_other", EVENT)], EVENT), "signature does not match"),
        (signed(b"{\"id\":\"\xff\"}"), "body is not UTF-8"),
        (signed(b"[]"), "body is not a JSON object"),
        (signed(b"{}"), "event has no usable id"),
    ] {
        let (status, _, error) = answer(app(), request).await;
        assert_eq!((status, error.as_str()), (StatusCode::BAD_REQUEST, reason));
    }
}

#[tokio::test]
async fn a_good_event_is_never_acknowledged_while_the_database_is_away() {
    let (status, headers, error) = answer(app(), delivery(&[&signature("whsec_any", EVENT)], EVENT)).await;
    assert_eq!((status, error.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "database unavailable"));
    assert_eq!(headers[header::RETRY_AFTER], "5");
}

#[tokio::test]
async fn readiness_needs_the_database_and_liveness_does_not() {
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let (status, _, error) = answer(app(), get("/readyz")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error, "not ready: database does not answer");
    assert_eq!(answer(app(), get("/healthz")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_path_or_method_is_told_so() {
    let request = |method, path| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (status, headers, _) = answer(app(), request(Method::GET, "/webhooks/stripe")).await;
    assert_eq!((status, &headers[header::ALLOW]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
    for path in ["/", "/webhooks/stripe/", "/metrics"] {
        assert_eq!(answer(app(), request(Method::POST, path)).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_body_is_bounded_announced_or_not() {
    let exactly = "x".repeat(1024);
    assert_eq!(answer(app(), delivery(&[], exactly.clone())).await.0, StatusCode::BAD_REQUEST);
    let announced = delivery(&[], format!("{exactly}x"));
    assert_eq!(answer(app(), announced).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let chunked = delivery(&[], Body::new(Chunks(3)));
    assert_eq!(answer(app(), chunked).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn bodies_beyond_the_room_for_all_are_sent_away() {
    let app = App { bodies: BodyMemory::new(10), max_body: 1 << 20, ..app() };
    let large = "x".repeat((16 << 10) + 11);
    let (status, headers, error) = answer(app.clone(), delivery(&[], large)).await;
    assert_eq!((status, error.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "too many bodies in memory"));
    assert!(headers.contains_key(header::RETRY_AFTER));
    // Stripe's own are small, and never stand back behind large ones.
    assert_eq!(answer(app, delivery(&[], EVENT)).await.0, StatusCode::BAD_REQUEST);
}

/// What is held of unsigned bodies is charged as it comes in, and given back.
#[tokio::test]
async fn half_sent_bodies_are_bounded_together_and_shut_out_no_small_one() {
    let bodies = BodyMemory::new(1 << 20);
    let app = App { bodies: bodies.clone(), max_body: 1 << 20, ..app() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = router(app);
    let serving = tokio::spawn(server::serve(listener, router, stop.clone()));
    let half =
        format!("POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n{}", "x".repeat(48 << 10));
    let mut held = Vec::new();
    for n in 1..=32 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(half.as_bytes()).await.unwrap();
        held.push(stream);
        // Of each, all but the first 16 KiB.
        room_left(&bodies, (1 << 20) - n * (32 << 10)).await;
    }

    for (body, status) in [("x".repeat(17 << 10), 503), ("{}".to_owned(), 400)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nConnection: close";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    drop(held);
    room_left(&bodies, 1 << 20).await;
    stop.cancel();
    serving.await.unwrap();
}

/// Waits until exactly so much room is left.
async fn room_left(bodies: &BodyMemory, bytes: usize) {
    let waiting = async {
        while bodies.left() != bytes {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    assert!(waited.is_ok(), "{} bytes are left instead of {bytes}", bodies.left());
}

#[tokio::test]
async fn a_panic_is_answered_and_keeps_to_itself() {
    let boom = async || -> StatusCode { panic!("whsec_hidden") };
    let router = finish(Router::new().route("/", get(boom)), app());
    let request = Request::get("/").body(Body::empty()).unwrap();
    let (status, headers, error) = read(router.oneshot(request).await.unwrap()).await;
    assert_eq!((status, error.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "internal error"));
    assert!(headers.contains_key(header::RETRY_AFTER) && headers.contains_key(REQUEST_ID));
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = router(app());
    let serving = tokio::spawn(server::serve(listener, router, stop.clone()));

    let head = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\n";
    let megabytes = "x".repeat(3 << 20);
    for (request, status) in [
        (format!("{head}Content-Length: {}\r\n\r\n{megabytes}", megabytes.len()), "413"),
        (format!("{head}X: {megabytes}\r\n\r\n"), "431"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }

    stop.cancel();
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_router_that_asks_is_told_who_connected() {
    let folder = std::env::temp_dir().join(format!("clawback-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let socket = folder.join("socket");
    let tcp = TcpListener::bind("[::]:0").await.unwrap();
    let address = (std::net::Ipv4Addr::LOCALHOST, tcp.local_addr().unwrap().port());
    let unix = UnixListener::bind(&socket).unwrap();
    let who = async |Extension(peer): Extension<Peer>| format!("{peer:?}");
    let routes = Router::new().route("/", get(who));
    let stop = CancellationToken::new();
    let tcp = tokio::spawn(server::serve(tcp, routes.clone(), stop.clone()));
    let unix = tokio::spawn(server::serve(unix, routes, stop.clone()));

    let told = by(TcpStream::connect(address).await.unwrap()).await;
    assert!(told.ends_with("\r\n\r\nAddress(127.0.0.1)"), "{told}");
    let told = by(UnixStream::connect(&socket).await.unwrap()).await;
    assert!(told.ends_with("\r\n\r\nUnixSocket"), "{told}");
    stop.cancel();
    tcp.await.unwrap();
    unix.await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

/// The answer to a request for `/` by this stream.
async fn by(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A body of unknown length: so many frames of half the limit.
struct Chunks(usize);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = self.0.checked_sub(1).map(|left| {
            self.0 = left;
            Ok(Frame::data(Bytes::from_static(&[b'x'; 512])))
        });
        Poll::Ready(frame)
    }
}

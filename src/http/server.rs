//! Serves a router on a listener, with a limit on every wait and every size.
//!
//! `axum::serve` has no time-out for headers and no limit on connections, so a few slow clients could hold them all.
//! Not here: TLS, which a proxy in front terminates.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics::counter;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::MapRequest;
use tracing::{debug, warn};

use super::lingering::{Accepted, LingeringStream};
use super::seats::{Peer, Seats, Taken};
use crate::telemetry;

/// Open connections. For a further one, one of them is closed.
pub const MAX_CONNECTIONS: usize = 2048;
/// From the opening of a connection, or the end of a response, to the end of the next request head. So it is also the
/// keep-alive time-out.
const HEAD_TIME_LIMIT: Duration = Duration::from_secs(10);
/// Of a request head, in bytes. Larger ones get 431.
const MAX_HEAD: usize = 16 * 1024;
/// Of the read buffer, in bytes.
const MAX_BUFFER: usize = 16 * 1024;
/// Older connections are closed after the current request, so that clients find new replicas.
const MAX_AGE: Duration = Duration::from_secs(600);
/// For a request in progress when the service stops, or when its connection is too old.
const FINISH_TIME_LIMIT: Duration = Duration::from_secs(8);
/// After an accept error of this process (out of file descriptors), not of the client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket, whose file permissions decide who may connect.
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

impl Listener {
    /// The next connection.
    async fn accept(&self) -> io::Result<(Accepted, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Responses are small and written at once: Nagle's algorithm would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%error, "cannot set TCP_NODELAY");
                }
                // An IPv4 client of a dual-stack socket is the same peer as elsewhere.
                Ok((Either::Left(stream), Peer::Address(address.ip().to_canonical())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Either::Right(stream), Peer::UnixSocket))
            }
        }
    }
}

/// Serves until `stop` is cancelled; then accepts no more, closes idle connections, lets requests in progress finish for
/// at most 8 s, and returns. Handlers can extract `Extension<Peer>` and `Extension<Seat>`. The router and all its clones
/// are dropped on return.
pub async fn serve(listener: impl Into<Listener>, router: Router, stop: CancellationToken) {
    let listener = listener.into();
    let seats = Seats::new(MAX_CONNECTIONS);
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            // First, or a listener with a long backlog would go on accepting.
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &seats) => accepted,
        };
        if let Some((stream, taken)) = accepted {
            connections.spawn(serve_connection(stream, taken, router.clone(), stop.clone()));
        }
    }
    drop((listener, router));
    connections.close();
    connections.wait().await;
}

/// The next connection and its place; none after an error, which never ends the service.
async fn accept(listener: &Listener, seats: &Arc<Seats>) -> Option<(Accepted, Taken)> {
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, seats.take(peer).await)),
        Err(error) if is_of_client(&error) => None,
        Err(error) => {
            warn!(%error, "cannot accept a connection");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// The client went away before it was accepted.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// One connection, from its first byte to its last.
async fn serve_connection(stream: Accepted, taken: Taken, router: Router, stop: CancellationToken) {
    let seat = taken.seat.clone();
    let with_seat = move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(seat.peer());
        request.extensions_mut().insert(seat.clone());
        request
    };
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_LIMIT)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(
                TokioIo::new(LingeringStream::new(stream)),
                TowerToHyperService::new(MapRequest::new(router, with_seat)),
            )
    );
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = taken.seat.yields() => return close("yielded"),
        () = stop.cancelled() => (),
        () = sleep(MAX_AGE) => (),
    }
    connection.as_mut().graceful_shutdown();
    // A client that sends requests and reads no answer would otherwise keep its place for ever.
    tokio::select! {
        ended = timeout(FINISH_TIME_LIMIT, connection) => ended.map_or_else(|_| close("idle"), note),
        () = taken.seat.yields() => close("yielded"),
    }
}

/// Connections that end with an error are routine on the Internet: they are counted, and not logged.
fn note(ended: hyper::Result<()>) {
    let Err(error) = ended else { return };
    debug!(%error, "connection ended");
    if error.is_timeout() {
        close("idle");
    } else if error.is_parse() {
        close("malformed");
    }
}

/// Counts a connection that this side closed.
fn close(reason: &'static str) {
    counter!(telemetry::CONNECTIONS_CLOSED, "reason" => reason).increment(1);
}

/// Creates each series at 0: `increase()` misses the first count of a series that begins with it.
pub(super) fn begin_counting() {
    for reason in ["idle", "malformed", "yielded"] {
        counter!(telemetry::CONNECTIONS_CLOSED, "reason" => reason).increment(0);
    }
}

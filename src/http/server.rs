//! Serves a router on a listener, with a limit on every wait and every size.
//!
//! `axum::serve` has no time-out for headers and no limit on connections, so a few slow clients could hold them all.
//! Not here: TLS, which a proxy in front terminates.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::lingering::{Accepted, LingeringStream};

/// Open connections. Further ones wait in the listener's backlog.
pub const MAX_CONNECTIONS: usize = 2048;
/// From the opening of a connection, or the end of a response, to the end of the next request head. So it is also the
/// keep-alive time-out.
const HEAD_TIME_LIMIT: Duration = Duration::from_secs(10);
/// Of a request head, in bytes. Larger ones get 431.
const MAX_HEAD: usize = 16 * 1024;
/// Of the read buffer, in bytes.
const MAX_BUFFER: usize = 32 * 1024;
/// Older connections are closed after the current request, so that clients find new replicas.
const MAX_AGE: Duration = Duration::from_secs(600);
/// For a request in progress when the service stops.
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

/// The other end of a connection. Behind a proxy this is the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A TCP client; never an IPv4 address mapped to IPv6.
    Address(IpAddr),
    /// A process that may open the Unix socket.
    UnixSocket,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::UnixSocket => f.write_str("a Unix socket"),
        }
    }
}

/// Routes for [`serve`] whose handlers can extract `Extension<Peer>`.
pub fn with_peer(router: Router) -> impl Fn(Peer) -> Router + Clone {
    // Around the router and not on each of its routes, of which there may be many.
    move |peer| Router::new().fallback_service(router.clone()).layer(Extension(peer))
}

/// A connection that holds one of the slots until it is dropped.
struct Connection {
    stream: Accepted,
    peer: Peer,
    _slot: OwnedSemaphorePermit,
}

/// Serves until `stop` is cancelled; then accepts no more, closes idle connections, lets requests in progress finish for
/// at most 8 s, and returns. `routes` makes the router of each connection, so that only a router that needs the peer
/// pays for it; they and all clones are dropped on return.
pub async fn serve(listener: impl Into<Listener>, routes: impl Fn(Peer) -> Router, stop: CancellationToken) {
    let listener = listener.into();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            // First, or a listener with a long backlog would go on accepting.
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some(connection) = accepted else { continue };
        let router = routes(connection.peer);
        connections.spawn(serve_connection(connection, router, stop.clone()));
    }
    drop((listener, routes));
    connections.close();
    connections.wait().await;
}

/// The next connection and its slot; none after an error, which never ends the service.
async fn accept(listener: &Listener, slots: &Arc<Semaphore>) -> Option<Connection> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some(Connection { stream, peer, _slot: slot }),
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
async fn serve_connection(accepted: Connection, router: Router, stop: CancellationToken) {
    let Connection { stream, _slot, .. } = accepted;
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_LIMIT)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(LingeringStream::new(stream)), TowerToHyperService::new(router))
    );
    tokio::select! {
        ended = connection.as_mut() => return log(ended),
        () = stop.cancelled() => (),
        () = sleep(MAX_AGE) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => return log(ended),
                () = stop.cancelled() => (),
            }
        }
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(FINISH_TIME_LIMIT, connection).await {
        log(ended);
    }
}

/// Connections that end with an error are routine on the Internet.
fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}

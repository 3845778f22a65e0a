//! Serves a router on a listener, with every wait and every size bounded.
//!
//! `axum::serve` has no time-out for headers and no bound on connections, so that a few slow clients
//! could hold all there is. Not here: TLS, which belongs to whatever stands in front.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::linger::Linger;

/// At a time. When there are so many, the next wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 2048;
/// From the opening of a connection, or the end of an answer, to the end of the next head. So an idle
/// connection is closed after this time too.
const HEAD_TIME_LIMIT: Duration = Duration::from_secs(10);
/// Of a request's head, in bytes. Beyond: 431.
const MAX_HEAD: usize = 16 * 1024;
/// Of what is read and not yet taken, in bytes.
const MAX_BUFFER: usize = 32 * 1024;
/// After which a connection is closed at the next opportunity: nobody may hold one for ever, and new
/// connections find new replicas.
const MAX_AGE: Duration = Duration::from_secs(600);
/// For a request that is under way when its connection is to be closed.
const FINISH_TIME_LIMIT: Duration = Duration::from_secs(8);
/// After an error to accept, which is about this process (no file descriptors left), not the client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `shutdown` completes; then accepts no more, closes idle connections, lets requests
/// that are under way finish for at most 8 s, and returns. Every clone of the router is gone by then.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (closing, _) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, slot)) = accepted else {
            continue;
        };
        let router = router.clone();
        let closing = closing.subscribe();
        connections.spawn(async move {
            talk(stream, router, closing).await;
            drop(slot);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// The next connection and its slot, or none after an error, which never ends the service.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
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
async fn talk(stream: TcpStream, router: Router, mut closing: watch::Receiver<bool>) {
    // Answers are small and go out whole: waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_LIMIT)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(Linger::new(stream)), TowerToHyperService::new(router))
    );
    tokio::select! {
        ended = connection.as_mut() => return log(ended),
        _ = closing.wait_for(|closing| *closing) => (),
        () = sleep(MAX_AGE) => (),
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(FINISH_TIME_LIMIT, connection).await {
        log(ended);
    }
}

/// A connection that ends badly is the client's affair, all day on the Internet.
fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}

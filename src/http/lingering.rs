//! Lingering close: a socket whose client can still read the last response after it was closed.
//!
//! When a socket is closed while its client is still sending, the kernel sends a reset, which may overtake a response
//! such as 413: the client sees a broken connection and no reason. So the write side is closed first, and what the
//! client still sends is read and discarded, for a moment.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep};
use tokio_util::either::Either;

/// How long the client has to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// The stream of a connection, as it was accepted.
pub(super) type Accepted = Either<TcpStream, UnixStream>;

pub(super) struct LingeringStream {
    stream: Accepted,
    /// Set once the write side is closed.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl LingeringStream {
    pub(super) fn new(stream: Accepted) -> Self {
        Self { stream, deadline: None }
    }

    /// Reads until the client closes its side.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [MaybeUninit::uninit(); 8 * 1024];
        loop {
            let mut discarded = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut discarded))?;
            if discarded.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for LingeringStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for LingeringStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deadline.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.deadline = Some(Box::pin(sleep(LINGER)));
        }
        let is_over = self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready());
        if is_over { Poll::Ready(Ok(())) } else { self.poll_drain(cx) }
    }
}

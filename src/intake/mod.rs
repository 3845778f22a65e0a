//! Group commit: events that wait at the same time are stored with one statement and one commit.
//!
//! A request hands its event to the one [`Writer`] and waits for the commit. There is no timer: a lone event is stored
//! at once, a burst shares commits.
//!
//! Not here: HTTP, verification, and processing.

mod batch;
pub mod memory;
mod problem;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use self::memory::Reservation;
pub use self::writer::Writer;
use crate::store::inbox::NewEvent;

/// Events that may wait for the writer: one for each connection that the service takes, so that a burst is not refused
/// while nothing is wrong.
pub const MAX_WAITING: usize = 2048;

/// How an event was recorded. In each case it is committed, and may be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Stored just now.
    New,
    /// Stored before.
    Duplicate,
    /// Kept apart: its `livemode` does not match the signing secret.
    WrongMode,
}

impl Recorded {
    /// A fixed word for metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Duplicate => "duplicate",
            Self::WrongMode => "wrong_mode",
        }
    }
}

/// Why an event could not be stored durably. When the answer to a commit was lost, it may still have been stored;
/// the sender must resend it, which is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// There is no connection to the database.
    #[error("database unavailable")]
    NoDatabase,
    /// The server is a standby or read-only.
    #[error("database cannot store durably")]
    NotDurable,
    /// Too many events wait, or this one waited for too long.
    #[error("too many events are waiting")]
    QueueFull,
    /// The statement failed or timed out; whether it committed is unknown.
    #[error("event could not be stored")]
    NotStored,
    /// The database refuses the data of this one event.
    #[error("event could not be stored")]
    DataRefused,
    /// The service is shutting down.
    #[error("shutting down")]
    Stopping,
}

impl Unavailable {
    /// A fixed word for metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NoDatabase => "no_database",
            Self::NotDurable => "not_durable",
            Self::QueueFull => "queue_full",
            Self::NotStored => "not_stored",
            Self::DataRefused => "data_refused",
            Self::Stopping => "stopping",
        }
    }
}

/// A handle to the writer. Clones are cheap; when all are dropped, the writer finishes its queue and ends.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
    available: Arc<AtomicBool>,
}

impl Intake {
    /// A handle and its writer, which does nothing until [`Writer::run`] is polled. The writer connects by itself, and
    /// notifies `wake` after each commit that stored a new event.
    #[must_use]
    pub fn new(database: PgConnectOptions, wake: Arc<Notify>) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let available = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(receiver, Arc::clone(&available), database, wake);
        (Self { queue: sender, available }, writer)
    }

    /// Returns when the event is committed. Cancelling the future does not cancel the event. `memory` is that of its body,
    /// and is released when the writer answers.
    ///
    /// # Errors
    /// [`Unavailable`] when it could not be stored durably, or when that is unknown.
    pub async fn record(&self, event: NewEvent, memory: Reservation) -> Result<Recorded, Unavailable> {
        let (sender, answer) = oneshot::channel();
        let reply = Reply { sender, _memory: memory };
        self.queue.try_send(Waiting { event, since: Instant::now(), reply }).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::QueueFull,
            TrySendError::Closed(_) => Unavailable::Stopping,
        })?;
        // Dropped without an answer: the writer ended, perhaps between the commit and the answer.
        answer.await.unwrap_or(Err(Unavailable::Stopping))
    }

    /// How many events wait for the writer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Whether the writer can store: it is connected, and since the last failure storing succeeded, or was tried out. A
    /// hint: the next event may still fail.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.availability().is_available()
    }

    /// The same for whoever only watches, and keeps the writer running no longer.
    #[must_use]
    pub fn availability(&self) -> Availability {
        Availability(Arc::clone(&self.available))
    }
}

/// Whether events can be stored.
#[derive(Debug, Clone)]
pub struct Availability(Arc<AtomicBool>);

impl Availability {
    /// As [`Intake::is_available`].
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// An event in the queue, with the request that waits for it.
#[derive(Debug)]
struct Waiting {
    event: NewEvent,
    since: Instant,
    reply: Reply,
}

/// The way back to a request.
#[derive(Debug)]
struct Reply {
    sender: oneshot::Sender<Result<Recorded, Unavailable>>,
    /// The memory of the body, which waits even if the client hung up.
    _memory: Reservation,
}

impl Reply {
    /// A request that was cancelled is no error: its event is stored or not regardless.
    fn send(self, answer: Result<Recorded, Unavailable>) {
        let _ = self.sender.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::memory::BodyMemory;
    use super::*;
    use crate::stripe::envelope::Envelope;

    #[tokio::test]
    async fn the_memory_of_a_body_is_held_after_its_client_hung_up() {
        let (memory, envelope) = (BodyMemory::new(10), Envelope::read(r#"{"id":"evt_1","type":"t"}"#).unwrap());
        let (intake, writer) = Intake::new(PgConnectOptions::new_without_pgpass(), Arc::default());
        let mut reserved = memory.reservation();
        reserved.grow(10).unwrap();
        let event = NewEvent { envelope, payload: "x".repeat(10), mode_matches: true };
        let mut request = Box::pin(intake.record(event, reserved));
        assert!(futures_util::poll!(&mut request).is_pending());
        drop(request);
        assert_eq!(memory.left(), 0);
        drop(writer);
        assert_eq!(memory.left(), 10);
    }

    #[tokio::test]
    async fn an_event_that_finds_the_queue_full_is_refused_at_once() {
        let (intake, _writer) = Intake::new(PgConnectOptions::new_without_pgpass(), Arc::default());
        let record = || {
            let envelope = Envelope::read(r#"{"id":"evt_1","type":"t"}"#).unwrap();
            let event = NewEvent { envelope, payload: String::new(), mode_matches: true };
            intake.record(event, BodyMemory::new(0).reservation())
        };
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(record())).collect();
        for event in &mut waiting {
            assert!(futures_util::poll!(event).is_pending());
        }
        assert_eq!(intake.waiting(), MAX_WAITING);
        assert_eq!(record().await, Err(Unavailable::QueueFull));
    }
}

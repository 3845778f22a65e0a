//! Group commit: events that wait at the same time are stored by one statement and one commit.
//!
//! A request hands its event to the one [`Writer`] and waits for the commit. There is no timer: a
//! lone event goes at once, a burst shares commits. Memory is bounded: by the number of events that
//! wait, and by the bytes of their bodies ([`BodyBudget`]).
//!
//! Not here: HTTP, verification, and what becomes of an event once it is stored.

mod batch;
mod budget;
mod problem;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};

pub use self::budget::{BodyBudget, Share, Spent};
pub use self::writer::Writer;
use crate::store::inbox::NewEvent;

/// Events that may wait for the writer: four batches. More would only wait longer.
const MAX_WAITING: usize = 1024;

/// What became of an event. Either way it is committed, and may be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Stored just now.
    New,
    /// Stored before.
    Duplicate,
    /// Kept apart, since its secret does not vouch for its mode.
    Unvouched,
}

impl Recorded {
    /// A fixed word for metrics and logs.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Duplicate => "duplicate",
            Self::Unvouched => "unvouched",
        }
    }
}

/// Why an event could not be made durable. It may have been stored all the same, if the answer to a
/// commit was lost: whoever sent it must send it again, which is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// There is no connection to the database.
    #[error("database unavailable")]
    NoDatabase,
    /// The database is read-only, or its commits would not survive a crash.
    #[error("database cannot store durably")]
    NotDurable,
    /// Too many events wait already.
    #[error("too many events are waiting")]
    QueueFull,
    /// The statement failed or took too long; what became of its commit is unknown.
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

/// A handle to the writer. Clones are cheap; once all are dropped, the writer finishes and ends.
#[derive(Debug, Clone)]
pub struct Intake {
    queue: mpsc::Sender<Waiting>,
    available: Arc<AtomicBool>,
}

impl Intake {
    /// A handle and its writer, which does nothing until [`Writer::run`] runs. The writer connects
    /// by itself, and calls `notify_one` on `wake` after each commit that stored something new.
    #[must_use]
    pub fn new(database: PgConnectOptions, wake: Arc<Notify>) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let available = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(receiver, Arc::clone(&available), database, wake);
        (Self { queue: sender, available }, writer)
    }

    /// Returns once the event is committed. `share` is the room that its body takes; it is given
    /// back when the writer has answered, even if nobody waits for that any more.
    ///
    /// # Errors
    ///
    /// [`Unavailable`], when it could not be made durable, or when that is unknown.
    pub async fn record(&self, event: NewEvent, share: Share) -> Result<Recorded, Unavailable> {
        let (sender, answer) = oneshot::channel();
        let reply = Reply { sender, _share: share };
        self.queue.try_send(Waiting { event, reply }).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::QueueFull,
            TrySendError::Closed(_) => Unavailable::Stopping,
        })?;
        // Dropped without an answer: the writer is gone, perhaps between the commit and the answer.
        answer.await.unwrap_or(Err(Unavailable::Stopping))
    }

    /// How many events wait for the writer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Whether the writer holds a connection to a server that stores durably. A hint: the next event
    /// may find out otherwise.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.available.load(Ordering::Relaxed)
    }
}

/// An event in the queue, with the request that waits for it.
#[derive(Debug)]
struct Waiting {
    event: NewEvent,
    reply: Reply,
}

/// The way back to a request, and the room that its body takes until then.
#[derive(Debug)]
struct Reply {
    sender: oneshot::Sender<Result<Recorded, Unavailable>>,
    _share: Share,
}

impl Reply {
    /// A request that has hung up is no error: its event is stored or not, just the same.
    fn send(self, answer: Result<Recorded, Unavailable>) {
        let _ = self.sender.send(answer);
    }
}

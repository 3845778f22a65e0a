//! What a processor remembers between batches.
//!
//! Not here: when a batch runs.

use std::collections::VecDeque;

use sqlx::PgConnection;
use tokio::task::JoinError;

use super::errors::{is_disconnected, is_transient, took_too_long};
use crate::apply::{Ahead, BatchError, Cause, Taken};
use crate::terminal::error_chain::error_chain;

/// Transient-error threshold: after this many in a row, the events of the batch are tried in parts.
const TRANSIENT_LIMIT: u32 = 3;
/// Into how many parts events that failed together are divided: a thousand take two rounds.
const PARTS: usize = 32;

/// What was read ahead, and the connection that read it.
pub(super) struct ReadAhead {
    pub(super) ahead: Ahead,
    pub(super) reader: PgConnection,
}

/// What a processor remembers between batches.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last batch was full and no event arrived meanwhile: a backlog waits, and nothing else needs the machine.
    pub(super) is_behind: bool,
    /// For the next batch.
    pub(super) ahead: Ahead,
    /// The connection that reads ahead.
    pub(super) reader: Option<PgConnection>,
    /// Transient errors in a row.
    pub(super) failures: u32,
    /// The error that paused processing, as it was logged.
    pub(super) paused_by: Option<String>,
    /// The events of a failed batch in parts, which are divided until a poison event is alone: so it does not hold up
    /// the others.
    pub(super) parts: VecDeque<Vec<Taken>>,
    /// The payments of a failed batch of rebuilds.
    pub(super) payments: VecDeque<String>,
}

impl Progress {
    pub(super) fn pause(&mut self, error: &sqlx::Error) {
        self.failures += 1;
        let reason = error_chain(error);
        if self.paused_by.as_ref() != Some(&reason) {
            tracing::warn!(error = reason, "processing paused, retrying: {reason}");
            self.paused_by = Some(reason);
        }
    }

    /// Keeps what was read ahead; none: it is late. What could not be read ahead is read in its batch, which reports what
    /// is wrong.
    pub(super) fn keep(&mut self, read: Option<Result<Result<ReadAhead, Cause>, JoinError>>) {
        match read {
            Some(Ok(Ok(ReadAhead { ahead, reader }))) => (self.ahead, self.reader) = (ahead, Some(reader)),
            Some(Ok(Err(cause))) => tracing::debug!(%cause, "cannot read ahead"),
            Some(Err(error)) => tracing::debug!(%error, "cannot read ahead"),
            None => tracing::debug!("reading ahead takes too long"),
        }
    }

    /// Puts events that failed together at the front, in [`PARTS`] parts.
    pub(super) fn divide(&mut self, events: &[Taken]) {
        for part in events.chunks(events.len().div_ceil(PARTS).max(1)).rev() {
            self.parts.push_front(part.to_vec());
        }
    }

    pub(super) fn resume(&mut self) {
        self.failures = 0;
        if self.paused_by.take().is_some() {
            tracing::info!("processing resumed");
        }
    }
}

/// Queues the events of a failed batch to be tried in parts, or returns the error when it is likely to pass.
pub(super) fn split(BatchError { taken, cause }: BatchError, progress: &mut Progress) -> Result<(), sqlx::Error> {
    // What keeps failing on a database that answers may be caused by one of the events: not retried for ever.
    let retry =
        |error: &sqlx::Error| is_transient(error) && !took_too_long(error) && progress.failures < TRANSIENT_LIMIT;
    match cause {
        Cause::Database(error) if taken.is_empty() || is_disconnected(&error) || retry(&error) => Err(error),
        cause => {
            tracing::warn!(%cause, "a batch of {} events failed; retrying them in smaller batches", taken.len());
            progress.divide(&taken);
            Ok(())
        }
    }
}

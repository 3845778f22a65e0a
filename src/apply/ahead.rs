//! Reads bodies ahead of the batch that will take them, while the batch before it runs.
//!
//! A body changes only when it is erased, which is refused while its event is pending. So what it says can be worked out
//! without the lock. Which events are pending is decided under the lock, in their batch: what was read ahead and is not
//! taken is dropped, and what was not read ahead is read there.

use std::collections::HashMap;

use sqlx::{Connection, PgConnection};
use tokio::task::spawn_blocking;

use super::Cause;
use crate::handlers::{self, Reading};
use crate::store::ledger;

/// What bodies say, by the id of their event. Those without facts are missing: they are few.
#[derive(Debug, Default)]
pub struct Ahead(HashMap<String, Reading>);

impl Ahead {
    /// Reads the bodies of the batch after the one that is about to run: at most 500 events and 8 MiB.
    ///
    /// # Errors
    /// When the database refuses a statement or is unreachable, or a reader panics. The batch then reads by itself.
    pub async fn read(conn: &mut PgConnection, order_key: String) -> Result<Self, Cause> {
        let mut tx = conn.begin().await?;
        ledger::find_by_key(&mut tx).await?;
        let bodies = ledger::bodies_ahead(&mut tx).await?;
        tx.commit().await?;
        let read = move |(id, body): (String, String)| match handlers::read(&id, &body, &order_key) {
            Ok(facts @ Reading::Facts(..)) => Some((id, facts)),
            Ok(Reading::Ignored(_)) | Err(_) => None,
        };
        let all = spawn_blocking(|| Self(bodies.into_iter().filter_map(read).collect()));
        all.await.map_err(|_| Cause::Panic)
    }

    pub(super) fn contains(&self, event_id: &str) -> bool {
        self.0.contains_key(event_id)
    }

    /// What was read of this event, if it was.
    pub(super) fn take(&mut self, event_id: &str) -> Option<Reading> {
        self.0.remove(event_id)
    }
}

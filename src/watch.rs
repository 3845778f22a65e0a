//! Looks for due work about once a second, and wakes the parts of the service that have some.
//!
//! One statement for all of them keeps an idle service cheap. Intake does not wait for it: it notifies the processor at
//! once. Each part also looks by itself once a minute, in case the watch cannot.
//!
//! Not here: taking work, which each part does under its own locks, whichever replica found it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::store::desk::Wanted;
use crate::store::session::{self, SILENT, within};
use crate::store::watch::{self, Due};
use crate::terminal::error_chain::error_chain;

/// How each part is woken.
#[derive(Clone, Debug, Default)]
pub struct Wakes {
    /// The processor, by intake when it stored an event.
    pub arrival: Arc<Notify>,
    /// The processor.
    pub processor: Arc<Notify>,
    /// The executor.
    pub executor: Arc<Notify>,
    /// The desk.
    pub desk: Arc<Notify>,
}

impl Wakes {
    fn wake(&self, due: Due) {
        for (is_due, part) in [(due.events, &self.processor), (due.calls, &self.executor), (due.disputes, &self.desk)] {
            if is_due {
                part.notify_one();
            }
        }
    }
}

/// The watch of one replica.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The database.
    pub database: PgConnectOptions,
    /// The modes with an API key; true is live mode.
    pub modes: Vec<bool>,
    /// What the desk does by itself.
    pub policy: Wanted,
    /// How often it looks.
    pub poll: Duration,
    /// Whom it wakes.
    pub wakes: Wakes,
}

impl Watch {
    /// Works until `stop` is cancelled. Survives outages of the database.
    pub async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            let mut failures = 0;
            loop {
                let Err(error) = self.look(&mut failures).await;
                failures += 1;
                if failures == 1 {
                    tracing::warn!("cannot look for due work, retrying: {}", error_chain(&error));
                }
                sleep(backoff::delay(failures)).await;
            }
        })
        .await;
    }

    /// Looks again and again on one connection, until it fails.
    async fn look(&self, failures: &mut u32) -> Result<Infallible, sqlx::Error> {
        let mut conn = within(session::connect(&self.database, SILENT)).await?;
        loop {
            self.wakes.wake(within(self.due(&mut conn)).await?);
            *failures = 0;
            sleep(self.poll).await;
        }
    }

    async fn due(&self, conn: &mut PgConnection) -> sqlx::Result<Due> {
        watch::due(conn, &self.modes, &self.policy).await
    }
}

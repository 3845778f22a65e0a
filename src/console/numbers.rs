//! The numbers of the health page: read at most once in a few seconds, however many people look. The last good ones are
//! kept while the database does not answer.

use std::sync::Arc;

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;
use tracing::warn;

use super::{Console, now};
use crate::store::gauges::{self, Gauges};
use crate::store::overview::{self, Overview};

/// How long they are shown before they are read again.
const FRESH: Duration = Duration::seconds(5);

/// The numbers of one moment.
#[derive(Debug)]
pub(super) struct Numbers {
    pub at: OffsetDateTime,
    pub gauges: Gauges,
    pub overview: Overview,
}

impl Numbers {
    async fn read(conn: &mut PgConnection) -> sqlx::Result<Self> {
        Ok(Self { at: now(), gauges: gauges::read(conn).await?, overview: overview::read(conn).await? })
    }
}

/// The last good numbers.
pub(super) type Latest = Mutex<Option<Arc<Numbers>>>;

/// What could be read.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// A few seconds old at most.
    Fresh(Arc<Numbers>),
    /// The last good ones: the database does not answer.
    Old(Arc<Numbers>),
    /// None: it has not answered yet.
    Unread,
}

impl Console {
    /// Reads the numbers, unless that was done just now.
    pub(super) async fn numbers(&self) -> Reading {
        // Held while reading, so that the others wait for this answer.
        let mut latest = self.latest.lock().await;
        if let Some(numbers) = latest.as_ref().filter(|numbers| now() - numbers.at < FRESH) {
            return Reading::Fresh(Arc::clone(numbers));
        }
        let read = async { Numbers::read(&mut *self.reading().await?).await };
        match read.await {
            Ok(numbers) => Reading::Fresh(Arc::clone(latest.insert(Arc::new(numbers)))),
            Err(error) => {
                warn!(%error, "console: the numbers of the health page could not be read");
                latest.as_ref().map_or(Reading::Unread, |numbers| Reading::Old(Arc::clone(numbers)))
            }
        }
    }
}

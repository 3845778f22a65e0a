//! Works on responses to disputes by itself, until it is told to stop: counts the pages of attached files, stages complete
//! drafts, and does what the merchant's policy says before a deadline.
//!
//! Every decision is made again by a function in the database, under its locks: several replicas may run one desk each.
//!
//! Not here: calling Stripe ([`crate::executor`]), and staging what people write, which are functions of `clawback_v1`.

pub mod checklist;
pub mod draft;
pub mod fields;
pub mod limits;
mod policy;
pub mod preview;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff;
use crate::evidence::pages;
use crate::store::desk::{self, Kind, Task};
use crate::store::{api_calls, responses, session, sqlstate};
use crate::terminal::error_chain::error_chain;
use draft::CannotDraft;
pub use policy::{Limit, Policy};

/// How long after its announcement a dispute is accepted.
const ANNOUNCED: Duration = Duration::from_secs(24 * 3_600);
/// How often it looks for something to do without being notified.
const POLL: Duration = Duration::from_secs(60);

/// The desk of one replica.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The database.
    pub database: PgConnectOptions,
    /// What it does by itself.
    pub policy: Policy,
    /// Notified when there is something to do.
    pub woken: Arc<Notify>,
    /// The shortest wait between rounds: a task that cannot be done yet is found again at once.
    pub pause: Duration,
}

impl Desk {
    /// Works until `stop` is cancelled. Survives outages of the database.
    pub async fn run(&self, stop: CancellationToken) {
        let pool = session::pool(PgPoolOptions::new().max_connections(1), &self.database);
        let mut failures = 0;
        while !stop.is_cancelled() {
            match self.round(&pool).await {
                Ok(()) => {
                    failures = 0;
                    stop.run_until_cancelled(self.rest()).await;
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!("work on disputes waits for the database: {}", error_chain(&error));
                    }
                    stop.run_until_cancelled(sleep(backoff::delay(failures))).await;
                }
            }
        }
        pool.close().await;
    }

    async fn rest(&self) {
        sleep(self.pause).await;
        let _ = timeout(POLL, self.woken.notified()).await;
    }

    async fn round(&self, pool: &PgPool) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        for task in desk::due(&mut conn, &self.policy.wanted()).await? {
            // One dispute that cannot be worked on must not hold up the others, nor who holds a row of it.
            if let Err(error) = self.attempt(&mut conn, &task).await {
                let (kind, dispute_id) = (task.kind, &task.dispute_id);
                tracing::warn!(
                    dispute.id = dispute_id,
                    "dispute {dispute_id}: {kind:?} failed: {}",
                    error_chain(&error)
                );
                if matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, conn: &mut PgConnection, task: &Task) -> sqlx::Result<()> {
        // Before the transaction: it may take a while.
        let pages = match task.file {
            Some(file) => count(conn, file).await?,
            None => None,
        };
        let mut tx = conn.begin().await?;
        api_calls::limit_waits(&mut tx).await?;
        match task.file.zip(pages) {
            Some((file, pages)) => {
                desk::counted(&mut tx, file, pages.as_ref().copied().map_err(String::as_str)).await?
            }
            None => self.perform(&mut tx, task).await?,
        }
        tx.commit().await
    }

    async fn perform(&self, conn: &mut PgConnection, task: &Task) -> sqlx::Result<()> {
        let Task { kind, dispute_id, file: _, below, currency } = task;
        let before = self.policy.respond_before().as_secs_f64();
        let done = match (kind, below.zip(currency.as_deref())) {
            (Kind::Stage, _) => return desk::stage(conn, dispute_id).await,
            (Kind::Submit, _) => desk::submit(conn, dispute_id, before).await?,
            (Kind::Announce, Some((below, currency))) => {
                desk::announce(conn, dispute_id, below, currency, ANNOUNCED.as_secs_f64()).await?
            }
            (Kind::Accept, Some((below, currency))) => desk::accept(conn, dispute_id, below, currency).await?,
            (Kind::LetRespond, _) => desk::let_respond(conn, dispute_id, before).await?,
            (Kind::Draft, _) => self.begin_draft(conn, dispute_id).await?,
            (Kind::Count | Kind::Announce | Kind::Accept, _) => false,
        };
        if done {
            tracing::info!(dispute.id = dispute_id, "dispute {dispute_id}: {}", said(*kind));
        }
        Ok(())
    }

    /// Begins a draft. What cannot be read or staged is left to people: an empty draft keeps it from being tried again.
    async fn begin_draft(&self, conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<bool> {
        let today = OffsetDateTime::from(SystemTime::now()).date();
        match draft::begin(conn, dispute_id, &self.policy.evidence, today).await {
            Ok(is_begun) => Ok(is_begun),
            Err(CannotDraft::Database(error)) if !sqlstate::is_any(&error, &["22"]) => Err(error),
            Err(error) => {
                tracing::warn!(
                    dispute.id = dispute_id,
                    "dispute {dispute_id}: no draft is begun: {}",
                    error_chain(&error)
                );
                desk::stage_draft(conn, dispute_id, &serde_json::json!({}), 0).await.map(|_| false)
            }
        }
    }
}

fn said(kind: Kind) -> &'static str {
    match kind {
        Kind::Submit => "its complete draft is submitted, since the deadline is near",
        Kind::Announce => {
            "it will be accepted in 24 hours, by CLAWBACK_AUTO_ACCEPT_BELOW, unless somebody changes its draft"
        }
        Kind::Accept => "it is accepted, by CLAWBACK_AUTO_ACCEPT_BELOW",
        Kind::LetRespond => "nobody submitted evidence, so Stripe may respond by itself again",
        Kind::Draft => "a draft is begun with what is known, by CLAWBACK_AUTO_DRAFT",
        Kind::Count | Kind::Stage => "done",
    }
}

/// How many pages a file has, or why it cannot be read; none when it was replaced. Counted on a thread of its own: it may
/// be hostile.
async fn count(conn: &mut PgConnection, file: Uuid) -> sqlx::Result<Option<Result<i32, String>>> {
    let Some(content) = responses::content(conn, file).await? else { return Ok(None) };
    let counted = tokio::task::spawn_blocking(move || pages::count(&content)).await;
    Ok(Some(match counted {
        Ok(Ok(pages)) => Ok(i32::try_from(pages).unwrap_or(i32::MAX)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("cannot be read".to_owned()),
    }))
}

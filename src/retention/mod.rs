//! Removes what is old enough: bodies of events, sent evidence, the content of ended follow-ups, finished reads. Until it
//! is told to stop, once a day.
//!
//! Works through one part after another, a page at a time. Each page is a short transaction that also saves the position,
//! and is followed by a pause nine times as long, so intake keeps nine tenths of its speed. Any number of replicas may run:
//! each part is held by one of them, and whoever dies leaves a hold that expires.
//!
//! Not here: which bodies may go (`bodies`), the statements ([`crate::store::retention`]). Never removed: rows of
//! `events`, by which duplicates are recognised, payments, history, actions, and follow-ups themselves.

mod bodies;

use std::time::Duration;

use metrics::counter;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff;
use crate::domain::RULES_VERSION;
pub use crate::store::retention::Part;
use crate::store::retention::{self, Held, Page, Position};
use crate::store::session;
use crate::telemetry;
use crate::terminal::error_chain::error_chain;

/// How long a part is held: longer than a page and its pause take.
const LEASE: Duration = Duration::from_secs(600);
/// From the end of a pass to the next one.
const EVERY: Duration = Duration::from_secs(24 * 3_600);
/// The pause after a page, as a multiple of what the page took.
const PAUSES: u32 = 9;
/// The shortest pause, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// How old something must be to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// Bodies of events, and events of the wrong mode, since they were received.
    pub bodies: Duration,
    /// Sent evidence, since its dispute was closed and last changed.
    pub evidence: Duration,
    /// Follow-ups and reads of Stripe, since they ended.
    pub follow_ups: Duration,
}

impl Ages {
    /// In seconds.
    fn of(&self, part: Part) -> f64 {
        match part {
            Part::Bodies | Part::WrongMode => self.bodies,
            Part::Evidence => self.evidence,
            Part::FollowUps | Part::Calls => self.follow_ups,
        }
        .as_secs_f64()
    }
}

/// The retention job of one replica.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The database.
    pub database: PgConnectOptions,
    /// What is old enough.
    pub ages: Ages,
    /// How often it looks whether a part is due.
    pub poll: Duration,
}

/// The result of a page.
enum Step {
    Removed(i64),
    /// There was none left that is old enough.
    End,
    /// Another process holds the part, or a newer release runs and does the work.
    Lost,
}

impl Retention {
    /// Works until `stop` is cancelled. Survives outages of the database.
    pub async fn run(&self, stop: CancellationToken) {
        let pool = session::pool(PgPoolOptions::new().max_connections(1), &self.database);
        begin_counting();
        let mut failures = 0;
        while !stop.is_cancelled() {
            let wait = match self.round(&pool, &stop).await {
                Ok(()) => {
                    failures = 0;
                    self.poll
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!("retention waits for the database: {}", error_chain(&error));
                    }
                    backoff::between(self.poll, LEASE, failures)
                }
            };
            stop.run_until_cancelled(sleep(wait)).await;
        }
        pool.close().await;
    }

    /// Works through the parts that are due.
    async fn round(&self, pool: &PgPool, stop: &CancellationToken) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        while !stop.is_cancelled() && !retention::is_outdated(&mut conn, RULES_VERSION).await? {
            let Some(held) = retention::hold(&mut conn, Uuid::new_v4(), LEASE.as_secs_f64()).await? else { break };
            self.pass(&mut conn, held, stop).await?;
        }
        Ok(())
    }

    /// One part to its end, or until `stop` is cancelled: then another process goes on.
    async fn pass(&self, conn: &mut PgConnection, mut held: Held, stop: &CancellationToken) -> sqlx::Result<()> {
        let mut removed = 0;
        while !stop.is_cancelled() {
            let began = Instant::now();
            match self.step(conn, &mut held).await? {
                Step::Removed(rows) => removed += rows,
                Step::End => {
                    log(held.part, removed);
                    return retention::finish(conn, &held, EVERY.as_secs_f64()).await;
                }
                Step::Lost => break,
            }
            stop.run_until_cancelled(sleep(pause(began.elapsed()))).await;
        }
        log(held.part, removed);
        retention::release(conn, &held).await
    }

    /// One page, and the position in the same transaction.
    async fn step(&self, conn: &mut PgConnection, held: &mut Held) -> sqlx::Result<Step> {
        let mut tx = conn.begin().await?;
        let Page { removed, last } = page(&mut tx, held.part, &held.after, &self.ages).await?;
        let Some(last) = last else { return tx.rollback().await.map(|()| Step::End) };
        held.after = last;
        if retention::is_outdated(&mut tx, RULES_VERSION).await?
            || !retention::keep(&mut tx, held, LEASE.as_secs_f64()).await?
        {
            return tx.rollback().await.map(|()| Step::Lost);
        }
        tx.commit().await?;
        count(held.part, removed);
        Ok(Step::Removed(removed))
    }
}

/// What a pass does with what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Removes it.
    Remove,
    /// Rolls each page back: only counts.
    Rehearse,
}

/// Works through a part from its oldest row on, beside the running service. `on_page` is given the rows removed so far.
/// Returns how many there were.
///
/// # Errors
/// When the database refuses a statement or is unreachable. What was removed by then is removed.
pub async fn all(
    conn: &mut PgConnection,
    part: Part,
    ages: &Ages,
    mode: Mode,
    mut on_page: impl FnMut(i64),
) -> sqlx::Result<i64> {
    let (mut removed, mut after) = (0, Position::START);
    loop {
        let began = Instant::now();
        let mut tx = conn.begin().await?;
        let page = page(&mut tx, part, &after, ages).await?;
        match mode {
            Mode::Remove => tx.commit().await?,
            Mode::Rehearse => tx.rollback().await?,
        }
        removed += page.removed;
        on_page(removed);
        let Some(last) = page.last else { return Ok(removed) };
        after = last;
        sleep(pause(began.elapsed())).await;
    }
}

/// Whether a newer release runs on this database: what is old enough is left to it.
///
/// # Errors
/// When the database refuses a statement or is unreachable.
pub async fn is_outdated(conn: &mut PgConnection) -> sqlx::Result<bool> {
    retention::is_outdated(conn, RULES_VERSION).await
}

async fn page(conn: &mut PgConnection, part: Part, after: &Position, ages: &Ages) -> sqlx::Result<Page> {
    retention::limit(conn).await?;
    let age = ages.of(part);
    match part {
        Part::Bodies => bodies::remove(conn, after, age).await,
        Part::WrongMode => retention::remove_wrong_mode(conn, after, age).await,
        Part::FollowUps => retention::empty_follow_ups(conn, after, age).await,
        Part::Calls => retention::remove_reads(conn, after, age).await,
        Part::Evidence => retention::remove_evidence(conn, after, age).await,
    }
}

/// How long to wait after a page that took this long.
fn pause(took: Duration) -> Duration {
    (took * PAUSES).clamp(PAUSE.0, PAUSE.1)
}

/// What a part has, and what is done to it.
#[must_use]
pub fn words(part: Part) -> (&'static str, &'static str) {
    match part {
        Part::Bodies => ("event bodies", "removed"),
        Part::WrongMode => ("events of the wrong mode", "removed"),
        Part::FollowUps => ("ended follow-ups", "emptied"),
        Part::Calls => ("finished reads of Stripe", "removed"),
        Part::Evidence => ("files of sent evidence", "removed"),
    }
}

fn log(part: Part, removed: i64) {
    let (rows, done) = words(part);
    if removed > 0 {
        tracing::info!(retention.rows = rows, retention.count = removed, "retention: {removed} {rows} {done}");
    }
}

/// From 0, so that the first removal of each part is seen as an increase.
fn begin_counting() {
    use strum::VariantArray;
    for part in Part::VARIANTS {
        count(*part, 0);
    }
}

fn count(part: Part, removed: i64) {
    let part: &'static str = part.into();
    counter!(telemetry::PRUNED, "part" => part).increment(removed.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn a_pause_is_nine_times_the_page_within_limits() {
        for (took, waits) in [(0, 50), (4, 50), (20, 180), (1_000, 9_000), (60_000, 30_000)] {
            assert_eq!(pause(Duration::from_millis(took)), Duration::from_millis(waits), "{took} ms");
        }
    }
}

//! Posts notices to a Slack-compatible incoming webhook, until it is told to stop: one for each follow-up that needs a
//! person soon, and a digest each day.
//!
//! A notice is held for a while and committed, then posted, then its outcome is recorded: no transaction is open while the
//! webhook is called. Any number of replicas may run. Whoever dies in between leaves a hold that runs out, and the notice is
//! posted again: at least once.
//!
//! Not here: claiming follow-ups, which are left to consumers.

mod message;
mod webhook;

use std::time::Duration;

use metrics::counter;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::backoff;
use crate::store::notices::{self, About, Held};
use crate::store::session;
use crate::telemetry;
use crate::terminal::error_chain::error_chain;
pub use webhook::{Webhook, WebhookError};

/// How long a notice is held: longer than a post may take.
const HOLD: Duration = Duration::from_secs(60);
/// The longest wait before a notice is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(900);
/// The wait between notices: Slack takes about one a second.
const PACE: Duration = Duration::from_secs(1);
/// Most deadlines in a digest.
const DEADLINES: i64 = 20;

/// What posts the notices of one replica.
#[derive(Clone, Debug)]
pub struct Notices {
    /// The database.
    pub database: PgConnectOptions,
    /// Where they are posted.
    pub webhook: Webhook,
    /// The hour of the digest, in UTC.
    pub hour: u8,
    /// How often it looks for something to post.
    pub poll: Duration,
    /// The wait after a notice could not be posted; later ones double.
    pub shortest_wait: Duration,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    of_database: u32,
    of_webhook: u32,
}

/// The outcome of looking for a notice to post.
enum Round {
    Posted,
    Idle,
    /// The webhook does not take notices.
    Refused,
}

impl Notices {
    /// Works until `stop` is cancelled. Survives outages of the database and of the webhook.
    pub async fn run(&self, stop: CancellationToken) {
        let pool = session::pool(PgPoolOptions::new().max_connections(1), &self.database);
        // From 0, so that the first of each outcome is seen as an increase.
        for outcome in ["sent", "retry", "failed"] {
            counter!(telemetry::NOTICES, "outcome" => outcome).increment(0);
        }
        let mut failures = Failures::default();
        while !stop.is_cancelled() {
            let wait = self.wait_after(self.round(&pool).await, &mut failures);
            stop.run_until_cancelled(sleep(wait)).await;
        }
        pool.close().await;
    }

    fn wait_after(&self, round: sqlx::Result<Round>, failures: &mut Failures) -> Duration {
        match round {
            Ok(Round::Posted) => {
                *failures = Failures::default();
                self.poll.min(PACE)
            }
            Ok(Round::Idle) => {
                failures.of_database = 0;
                self.poll
            }
            Ok(Round::Refused) => {
                *failures = Failures { of_webhook: failures.of_webhook + 1, of_database: 0 };
                backoff::between(self.shortest_wait, LONGEST_WAIT, failures.of_webhook)
            }
            Err(error) => {
                failures.of_database += 1;
                if failures.of_database == 1 {
                    tracing::warn!("notices wait for the database: {}", error_chain(&error));
                }
                backoff::delay(failures.of_database)
            }
        }
    }

    async fn round(&self, pool: &PgPool) -> sqlx::Result<Round> {
        let held = {
            let mut conn = pool.acquire().await?;
            notices::begin(&mut conn).await?;
            notices::enqueue(&mut conn).await?;
            notices::enqueue_digest(&mut conn, self.hour).await?;
            notices::hold(&mut conn, HOLD.as_secs_f64()).await?
        };
        match held {
            Some(held) => self.post(pool, &held).await,
            None => Ok(Round::Idle),
        }
    }

    async fn post(&self, pool: &PgPool, held: &Held) -> sqlx::Result<Round> {
        let Some(text) = text(pool, &held.about).await? else {
            notices::finish(&mut *pool.acquire().await?, held, false).await?;
            return Ok(Round::Posted);
        };
        // No connection is held while the webhook is called.
        let posted = self.webhook.post(&text).await;
        let mut conn = pool.acquire().await?;
        if let Err(error) = posted {
            let wait = backoff::between(self.shortest_wait, LONGEST_WAIT, held.attempt.unsigned_abs());
            let given_up = notices::not_sent(&mut conn, held, &error, wait.as_secs_f64()).await?;
            log(held, &error, given_up);
            return Ok(Round::Refused);
        }
        notices::finish(&mut conn, held, true).await?;
        count("sent");
        Ok(Round::Posted)
    }
}

/// What a notice says; none when there is nothing to say.
async fn text(pool: &PgPool, about: &About) -> sqlx::Result<Option<String>> {
    Ok(match about {
        About::FollowUp(follow_up) => Some(message::of_follow_up(follow_up)),
        About::Obsolete => None,
        About::Digest(date) => {
            let digest = notices::digest(&mut *pool.acquire().await?, DEADLINES).await?;
            message::of_digest(date, &digest)
        }
    })
}

fn log(Held { key, attempt, .. }: &Held, error: &str, given_up: bool) {
    if given_up {
        tracing::error!(notice.key = key, "notice {key} is given up after {attempt} attempts: {error}");
    } else {
        tracing::warn!(notice.key = key, "notice {key} was not posted and is tried again: {error}");
    }
    count(if given_up { "failed" } else { "retry" });
}

fn count(outcome: &'static str) {
    counter!(telemetry::NOTICES, "outcome" => outcome).increment(1);
}

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
use crate::telemetry;
use crate::terminal::error_chain::error_chain;
pub use webhook::{Webhook, WebhookError};

/// How long a notice is held: longer than a post may take.
const HOLD: Duration = Duration::from_secs(60);
/// The longest wait before a notice is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(900);
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

/// What came of looking for a notice to post.
enum Round {
    Posted,
    Idle,
    /// The webhook does not take notices.
    Refused,
}

impl Notices {
    /// Works until `stop` is cancelled. Survives outages of the database and of the webhook.
    pub async fn run(&self, stop: CancellationToken) {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.database.clone());
        let (mut failures, mut refusals) = (0, 0);
        // From 0, so that the first of each outcome is seen as an increase.
        for outcome in ["sent", "retry", "failed"] {
            counter!(telemetry::NOTICES, "outcome" => outcome).increment(0);
        }
        while !stop.is_cancelled() {
            let wait = match self.round(&pool).await {
                Ok(round) => {
                    failures = 0;
                    refusals = if matches!(round, Round::Refused) { refusals + 1 } else { 0 };
                    match round {
                        Round::Posted => Duration::ZERO,
                        Round::Idle => self.poll,
                        Round::Refused => backoff::between(self.shortest_wait, LONGEST_WAIT, refusals),
                    }
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!("notices wait for the database: {}", error_chain(&error));
                    }
                    backoff::delay(failures)
                }
            };
            stop.run_until_cancelled(sleep(wait)).await;
        }
        pool.close().await;
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
        let text = match &held.about {
            About::FollowUp(follow_up) => Some(message::of_follow_up(follow_up)),
            About::Obsolete => None,
            About::Digest(date) => {
                message::of_digest(date, &notices::digest(&mut *pool.acquire().await?, DEADLINES).await?)
            }
        };
        let Some(text) = text else {
            notices::finish(&mut *pool.acquire().await?, held, false).await?;
            return Ok(Round::Posted);
        };
        let posted = self.webhook.post(&text).await;
        let mut conn = pool.acquire().await?;
        match posted {
            Ok(()) => {
                notices::finish(&mut conn, held, true).await?;
                count("sent");
                Ok(Round::Posted)
            }
            Err(error) => {
                let attempts = held.attempt.unsigned_abs();
                let wait = backoff::between(self.shortest_wait, LONGEST_WAIT, attempts).as_secs_f64();
                let given_up = notices::not_sent(&mut conn, held, &error, wait).await?;
                log(held, &error, given_up);
                Ok(Round::Refused)
            }
        }
    }
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

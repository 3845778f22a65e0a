//! Records the outcome of a call: the request, the account, the queue and the ledger in one transaction.

use std::time::SystemTime;

use sqlx::{Acquire, PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::outcome::{Made, Next, Origin, Outcome, Shown, Step, next};
use super::{Executor, refund_request};
use crate::apply;
use crate::store::api_calls::{self, LeasedCall};
use crate::store::inbox::{self, NewEvent};
use crate::store::refund_requests;
use crate::stripe::envelope::Envelope;
use crate::stripe::fetched::{Fetched, answered_at};
use crate::stripe_api::Error;
use crate::telemetry;

/// Failures in a row before an account pauses.
const TOLERATED: i32 = 5;

impl Executor {
    /// Records an outcome. Facts are kept even when the lease was lost: they are true whoever holds it.
    ///
    /// Rows are locked in the order of leasing: the account, the call, the request. Another order would deadlock with it.
    pub(super) async fn record(&self, pool: &PgPool, call: &LeasedCall, outcome: Outcome) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        let mut tx = conn.begin().await?;
        // Somebody's open transaction may hold a row: that must not hold up the account's other calls.
        api_calls::limit_waits(&mut tx).await?;
        match outcome {
            Outcome::Over => drop(finish(&mut tx, call, "done", None).await?),
            Outcome::Unknown { kind } => {
                let reason = format!("this release knows no calls of kind {kind}");
                api_calls::retry(&mut tx, call, self.pace.longest_wait.as_secs_f64(), &reason, None, None).await?;
            }
            Outcome::Refunded(made) => {
                account_answers(&mut tx, call).await?;
                record_refund(&mut tx, call, &made).await?;
                enter(&mut tx, call, &made.shown).await?;
            }
            Outcome::Read(events) => {
                account_answers(&mut tx, call).await?;
                self.record_read(&mut tx, call, events).await?;
            }
            Outcome::Vain(error) => {
                let LeasedCall { kind, subject, .. } = call;
                tracing::info!("the call {kind} {subject} finds nothing: {error}");
                finish(&mut tx, call, "done", Some(&error)).await?;
            }
            Outcome::Cancelled => {
                account_answers(&mut tx, call).await?;
                finish(&mut tx, call, "cancelled", None).await?;
                if let Some(id) = refund_request(call) {
                    refund_requests::cancel(&mut tx, id).await?;
                }
            }
            Outcome::Failed { error, step } => self.record_failure(&mut tx, call, &error, step).await?,
            Outcome::Responded { response, end, shown, made_manual } => {
                self.record_response(&mut tx, call, &response, &end, shown.as_ref(), made_manual.as_deref()).await?;
            }
            Outcome::NotResponded { response, errand, error, step } => {
                self.record_no_response(&mut tx, call, &response, errand, &error, step).await?;
            }
        }
        tx.commit().await
    }

    /// Enters in the ledger what is news.
    async fn record_read(&self, tx: &mut PgConnection, call: &LeasedCall, events: Vec<NewEvent>) -> sqlx::Result<()> {
        let mut news = apply::only_news(tx, events, &self.rules).await?;
        news.sort_by(|a, b| a.envelope.id.cmp(&b.envelope.id));
        let outcome = if news.is_empty() { "unchanged" } else { "fetched" };
        if !news.is_empty() {
            inbox::record(tx, &news).await?;
        }
        finish(tx, call, "done", None).await?;
        metrics::counter!(telemetry::API_CALLS, "kind" => call.kind.clone(), "outcome" => outcome).increment(1);
        Ok(())
    }

    async fn record_failure(
        &self,
        tx: &mut PgConnection,
        call: &LeasedCall,
        error: &Error,
        step: Step,
    ) -> sqlx::Result<()> {
        count(call, error);
        let next = next(error, step, call.attempts, &self.pace);
        // Whoever took the lease over records the outcome.
        if self.end_or_put_back(tx, call, next, error).await?
            && let Some(id) = refund_request(call)
        {
            record_reason(tx, id, next, error).await?;
        }
        log(call, next, error);
        Ok(())
    }

    /// Ends the call, or puts it back for later. Returns whether the lease was still held.
    pub(super) async fn end_or_put_back(
        &self,
        tx: &mut PgConnection,
        call: &LeasedCall,
        next: Next,
        error: &Error,
    ) -> sqlx::Result<bool> {
        let text = error.to_string();
        let wait = match next {
            Next::GiveUp => {
                account_answers(tx, call).await?;
                return finish(tx, call, "refused", Some(error)).await;
            }
            Next::Again(wait) | Next::LookUp(wait) => {
                self.account_fails(tx, call, None).await?;
                wait
            }
            Next::Key => {
                self.account_fails(tx, call, Some(&text)).await?;
                self.pace.key_pause
            }
            Next::Forbidden(wait) => wait,
        };
        let details = error.details();
        let code = details.and_then(|details| details.code.as_deref());
        let request_id = details.and_then(|details| details.request_id.as_deref());
        api_calls::retry(tx, call, wait.as_secs_f64(), &text, code, request_id).await
    }

    async fn account_fails(&self, tx: &mut PgConnection, call: &LeasedCall, problem: Option<&str>) -> sqlx::Result<()> {
        let pause = if problem.is_some() { self.pace.key_pause } else { self.pace.pause };
        let (account, livemode) = (&call.account, call.livemode);
        let is_new = api_calls::account_fails(tx, account, livemode, TOLERATED, pause.as_secs_f64(), problem).await?;
        if let Some(problem) = problem.filter(|_| is_new) {
            let mode = if livemode { "live" } else { "test" };
            tracing::error!("calls to Stripe in {mode} mode wait until the API key is mended: {problem}");
        }
        Ok(())
    }
}

/// Records in the request why it was not made.
async fn record_reason(tx: &mut PgConnection, id: Uuid, next: Next, error: &Error) -> sqlx::Result<()> {
    let text = error.to_string();
    let code = error.details().and_then(|details| details.code.as_deref());
    match next {
        Next::GiveUp => refund_requests::refused(tx, id, &text, code).await,
        Next::LookUp(_) => refund_requests::not_made(tx, id, true, &text).await,
        Next::Again(_) | Next::Key | Next::Forbidden(_) => refund_requests::not_made(tx, id, false, &text).await,
    }
}

pub(super) async fn account_answers(tx: &mut PgConnection, call: &LeasedCall) -> sqlx::Result<()> {
    if let Some(problem) = api_calls::account_answers(tx, &call.account, call.livemode).await? {
        tracing::info!("Stripe accepts calls again, after: {problem}");
    }
    Ok(())
}

/// Enters the object in the ledger.
pub(super) async fn enter(tx: &mut PgConnection, call: &LeasedCall, shown: &Shown) -> sqlx::Result<()> {
    let now = OffsetDateTime::from(SystemTime::now()).unix_timestamp();
    let fetched = Fetched {
        account: Some(call.account.as_str()).filter(|account| !account.is_empty()),
        livemode: call.livemode,
        at: answered_at(shown.date, shown.took, now),
        thin_type: None,
        object: &shown.json,
    };
    inbox::record(tx, &[entry(&fetched)]).await.map(drop)
}

/// The event of a fetched object.
pub(super) fn entry(fetched: &Fetched) -> NewEvent {
    let payload = fetched.body(&format!("evt_clawback_{}", Uuid::new_v4().simple()));
    let envelope = Envelope::read(&payload).expect("an event of our own");
    NewEvent { envelope, payload, mode_matches: true }
}

async fn record_refund(tx: &mut PgConnection, call: &LeasedCall, made: &Made) -> sqlx::Result<()> {
    let Some(id) = refund_request(call) else { return Ok(()) };
    let refund = &made.refund;
    let status = refund.status.as_deref().unwrap_or("succeeded");
    api_calls::finish(tx, call, "done", None, None, made.shown.request_id.as_deref()).await?;
    refund_requests::made(tx, id, &refund.id, status, refund.amount, refund.failure_reason.as_deref()).await?;
    let how = match made.origin {
        Origin::Created => "created",
        Origin::Found => "found",
    };
    metrics::counter!(telemetry::API_CALLS, "kind" => call.kind.clone(), "outcome" => how).increment(1);
    tracing::info!(
        refund.request = %id,
        refund.id = refund.id,
        stripe.request_id = made.shown.request_id,
        "refund request {id}: refund {} {how}, {status}",
        refund.id
    );
    Ok(())
}

pub(super) async fn finish(
    tx: &mut PgConnection,
    call: &LeasedCall,
    state: &str,
    error: Option<&Error>,
) -> sqlx::Result<bool> {
    let details = error.and_then(Error::details);
    let code = details.and_then(|details| details.code.as_deref());
    let request_id = details.and_then(|details| details.request_id.as_deref());
    let text = error.map(ToString::to_string);
    api_calls::finish(tx, call, state, text.as_deref(), code, request_id).await
}

pub(super) fn count(call: &LeasedCall, error: &Error) {
    let outcome = match error {
        Error::Retry { .. } => "retry",
        Error::Unknown(_) => "unknown",
        Error::Refused(_) | Error::NotFound(_) | Error::WrongMode(_) => "refused",
        Error::Key(_) | Error::NoKey(_) => "key",
        Error::Malformed { .. } => "malformed",
    };
    metrics::counter!(telemetry::API_CALLS, "kind" => call.kind.clone(), "outcome" => outcome).increment(1);
}

pub(super) fn log(call: &LeasedCall, next: Next, error: &Error) {
    let LeasedCall { kind, subject, attempts, .. } = call;
    match next {
        Next::GiveUp => tracing::warn!("Stripe refuses the call {kind} {subject}: {error}"),
        Next::Again(wait) => {
            tracing::info!("the call {kind} {subject} is tried again in {wait:.1?} (attempt {attempts}): {error}");
        }
        Next::LookUp(wait) => {
            tracing::warn!("the outcome of the call {kind} {subject} is unknown, looked up in {wait:.1?}: {error}");
        }
        // The account's problem is logged once.
        Next::Key => {}
        Next::Forbidden(_) => tracing::error!("the API key may not make the call {kind} {subject}: {error}"),
    }
}

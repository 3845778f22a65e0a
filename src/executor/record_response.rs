//! Records what came back about a response to a dispute: the response, the queue and the ledger in one transaction.

use sqlx::PgConnection;

use super::outcome::{Errand, Next, Responded, Shown, Step, next};
use super::record::{account_answers, count, enter, finish, log};
use super::{Executor, Pace};
use crate::store::api_calls::LeasedCall;
use crate::store::responses::{self, Ended, Refused, Response};
use crate::stripe_api::Error;
use crate::telemetry;

impl Executor {
    /// Records how a call about a response ended. What Stripe showed is true whoever holds the lease.
    ///
    /// The response is locked before the account and the call: staging locks it and then enqueues a call.
    pub(super) async fn record_response(
        &self,
        tx: &mut PgConnection,
        call: &LeasedCall,
        response: &Response,
        end: &Responded,
        shown: Option<&Shown>,
        made_manual: Option<&str>,
    ) -> sqlx::Result<()> {
        responses::lock(tx, &response.dispute_id, &response.phase).await?;
        account_answers(tx, call).await?;
        let is_held = finish(tx, call, "done", None).await?;
        if let Some(former) = made_manual {
            responses::is_manual(tx, response, former).await?;
        }
        let outcome = match end {
            Responded::Staged { fields, all } => {
                responses::staged(tx, response, fields, *all).await?;
                "staged"
            }
            Responded::Ended(ended) => {
                responses::ended(tx, response, *ended).await?;
                (*ended).into()
            }
            Responded::Intended => "intended",
            // Whoever took the lease over may have carried it out: that is why it is over.
            Responded::Over { .. } if !is_held => "over",
            Responded::Over { reason } => {
                responses::refused(tx, response, Refused::Sending, reason, None).await?;
                "over"
            }
        };
        if let Some(shown) = shown {
            enter(tx, call, shown).await?;
        }
        metrics::counter!(telemetry::API_CALLS, "kind" => call.kind.clone(), "outcome" => outcome).increment(1);
        log_end(response, end, shown.and_then(|shown| shown.request_id.as_deref()));
        Ok(())
    }

    /// Records that a call about a response failed: for good, or for now.
    pub(super) async fn record_no_response(
        &self,
        tx: &mut PgConnection,
        call: &LeasedCall,
        response: &Response,
        errand: Errand,
        error: &Error,
        step: Step,
    ) -> sqlx::Result<()> {
        count(call, error);
        responses::lock(tx, &response.dispute_id, &response.phase).await?;
        // A deadline may be near, and looking again does no harm.
        let pace = Pace { longest_doubt: self.pace.longest_wait, ..self.pace };
        let next = match (error, next(error, step, call.attempts, &pace)) {
            // Only this key's right to respond is missing: refunds and reads go on.
            (Error::Key(details), _) if details.status == Some(403) => Next::Forbidden(pace.key_pause),
            (_, next) => next,
        };
        // Whoever took the lease over records the outcome.
        if self.end_or_put_back(tx, call, next, error).await? {
            record_reason(tx, response, errand, next, error).await?;
        }
        log(call, next, error);
        Ok(())
    }
}

async fn record_reason(
    tx: &mut PgConnection,
    response: &Response,
    errand: Errand,
    next: Next,
    error: &Error,
) -> sqlx::Result<()> {
    let text = error.to_string();
    let code = error.details().and_then(|details| details.code.as_deref());
    match (next, errand) {
        (Next::GiveUp, Errand::Submit | Errand::Accept) => {
            responses::refused(tx, response, Refused::Sending, &text, code).await
        }
        (Next::GiveUp, Errand::Stage) => responses::refused(tx, response, Refused::Staging, &text, code).await,
        // Who responds at the deadline is a preference: that the account has no such thing changes nothing.
        (Next::GiveUp, Errand::Intend) => Ok(()),
        (Next::Forbidden(_), Errand::Submit | Errand::Accept) => {
            responses::not_sent(tx, response, &text).await?;
            responses::ask(tx, response, &format!("{}/{}", response.phase, response.attempt), code).await
        }
        (Next::Again(_) | Next::LookUp(_) | Next::Key | Next::Forbidden(_), _) => {
            responses::not_sent(tx, response, &text).await
        }
    }
}

fn log_end(response: &Response, end: &Responded, request_id: Option<&str>) {
    let Response { dispute_id, phase, version, .. } = response;
    match end {
        Responded::Staged { .. } => {
            tracing::info!(
                dispute.id = dispute_id,
                stripe.request_id = request_id,
                "dispute {dispute_id}: version {version} of the response in the phase {phase} is staged"
            );
        }
        Responded::Ended(Ended::Submitted) => {
            tracing::info!(
                dispute.id = dispute_id,
                stripe.request_id = request_id,
                "dispute {dispute_id}: evidence is submitted"
            );
        }
        Responded::Ended(Ended::SubmittedElsewhere) => {
            tracing::warn!(
                dispute.id = dispute_id,
                "dispute {dispute_id}: evidence was submitted elsewhere, so ours is not"
            );
        }
        Responded::Ended(Ended::Accepted) => {
            tracing::info!(dispute.id = dispute_id, stripe.request_id = request_id, "dispute {dispute_id} is accepted");
        }
        Responded::Intended => {}
        Responded::Over { reason } => tracing::warn!(dispute.id = dispute_id, "dispute {dispute_id}: {reason}"),
    }
}

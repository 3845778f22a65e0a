//! One refund: looked up, and created where Stripe has none.
//!
//! Refunds cannot be searched by metadata, a stored 500 is replayed for a day and the idempotency key is forgotten after
//! it, and a restored database has forgotten what it sent. So before every call all refunds of the payment are read.

use serde_json::value::RawValue;
use sqlx::PgPool;
use uuid::Uuid;

use super::outcome::{Made, Origin, Outcome, Refund, Shown, Step};
use super::{Executor, Lease};
use crate::store::refund_requests::{self, RefundRequest};
use crate::stripe_api::{Answer, Calls, Error, IdempotencyKey, Of, Params};

impl Executor {
    pub(super) async fn refund(&self, pool: &PgPool, lease: &Lease, id: Uuid) -> sqlx::Result<Outcome> {
        let request = refund_requests::load(&mut *pool.acquire().await?, id).await?;
        // Its refund may have come by webhook.
        let Some(request) = request.filter(|request| matches!(request.state.as_str(), "sent" | "unknown")) else {
            return Ok(Outcome::Over);
        };
        let calls = match self.client.calls(&lease.scope(), lease.limit()) {
            Ok(calls) => calls,
            Err(error) => return Ok(Outcome::Failed { error, step: look_up_step(&request) }),
        };
        Ok(look_up_and_create(&calls, &request).await)
    }
}

async fn look_up_and_create(calls: &Calls, request: &RefundRequest) -> Outcome {
    match look_up(calls, request).await {
        Ok(Some(made)) => return Outcome::Refunded(made),
        Ok(None) if request.cancel_requested => return Outcome::Cancelled,
        Ok(None) => {}
        Err(error) => return Outcome::Failed { error, step: look_up_step(request) },
    }
    let created = calls.create_refund(params(request), &IdempotencyKey::from(request.id)).await;
    match created.and_then(made) {
        Ok(made) => Outcome::Refunded(made),
        Err(error) => Outcome::Failed { error, step: Step::Create },
    }
}

fn look_up_step(request: &RefundRequest) -> Step {
    if request.state == "unknown" { Step::LookUpInDoubt } else { Step::LookUp }
}

/// The refund of this request among all refunds of its payment, the newest first.
async fn look_up(calls: &Calls, request: &RefundRequest) -> Result<Option<Made>, Error> {
    let mut pages = calls.refunds_of(look_up_by(request));
    while let Some(page) = pages.next().await? {
        let ours = page.items.into_iter().find_map(|json| ours(request, json));
        if let Some((json, refund)) = ours {
            let shown = Shown { json, date: page.date, took: page.took, request_id: page.request_id };
            return Ok(Some(Made { shown, refund, origin: Origin::Found }));
        }
    }
    Ok(None)
}

/// By payment intent where there is one: after a restore the same request may name another of its charges.
fn look_up_by(request: &RefundRequest) -> Of<'_> {
    match &request.intent_id {
        Some(intent_id) => Of::PaymentIntent(intent_id),
        None => Of::Charge(&request.source_id),
    }
}

fn ours(request: &RefundRequest, json: Box<RawValue>) -> Option<(Box<RawValue>, Refund)> {
    let refund: Refund = serde_json::from_str(json.get()).ok()?;
    let metadata = refund.metadata.as_ref()?;
    let names = |key: &str, value: &str| metadata.get(key).and_then(|text| text.as_str()) == Some(value);
    // Of payments that were merged, two requests may have one key.
    let is_other = request.others.iter().any(|other| names(REQUEST, &other.to_string()));
    let is_ours = names(REQUEST, &request.id.to_string()) || !is_other && names(REQUEST_KEY, &request.request_key);
    is_ours.then_some((json, refund))
}

/// The metadata by which a refund is recognised.
const REQUEST: &str = "clawback_request";
const REQUEST_KEY: &str = "clawback_request_key";

/// The parameters, which depend on nothing but the frozen request: the same key goes with the same parameters.
fn params(request: &RefundRequest) -> Params {
    let is_intent = request.intent_id.as_ref() == Some(&request.source_id);
    let source = if is_intent { "payment_intent" } else { "charge" };
    Params::new()
        .set(source, &request.source_id)
        .set("amount", request.amount)
        .set_some("reason", request.reason.as_ref())
        .set_some("reverse_transfer", request.reverse_transfer)
        .set_some("refund_application_fee", request.refund_application_fee)
        .fields("metadata", [(REQUEST, request.id.to_string()), (REQUEST_KEY, request.request_key.clone())])
}

fn made(answer: Answer) -> Result<Made, Error> {
    let refund = serde_json::from_str(answer.json())
        .map_err(|_| Error::Malformed { call: "POST /v1/refunds".to_owned(), problem: "the answer is not a refund" })?;
    Ok(Made { shown: Shown::from(answer), refund, origin: Origin::Created })
}

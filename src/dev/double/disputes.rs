//! Disputes: evidence staged or submitted, and disputes accepted.

use serde_json::{Map, Value};

use super::books::Books;
use super::evidence;
use super::lists::find;
use super::params::Params;
use super::refusal::{Answer, Refusal};
use crate::dev::model::eligibility;
use crate::dev::model::objects::{Dispute, Submitter};
use crate::dev::model::{self, Cause, Id, Method, Submission};

/// Stripe's words for who is to submit.
const INTENDED: [&str; 4] = ["manual", "prefer_manual", "prefer_smart_disputes", "smart_disputes"];

/// `POST /v1/disputes/:id`. Without `submit`, evidence is submitted, as at Stripe.
pub(super) fn update(books: &mut Books, by: &Cause, id: &str, mut params: Params) -> Answer {
    let dispute = find::<Dispute>(&books.account, id)?.clone();
    let submit = params.flag("submit")?;
    let intended = take_intended(&mut params, &dispute)?;
    let metadata = params.metadata()?.apply(dispute.metadata.clone());
    let given = params.below("evidence")?;
    params.finish()?;
    let touches_evidence = !given.is_empty();
    let submits = submits(&dispute, submit, touches_evidence);
    let evidence = evidence::changed(books, &dispute, given)?;
    if touches_evidence || submits {
        check_open(&dispute)?;
        check_method(books, &dispute)?;
    }
    let submission = if submits { Submission::Submit(Submitter::Api) } else { Submission::Stage };
    if submits {
        check_acknowledged(books, &dispute, &evidence)?;
    }
    let test_outcome = evidence.get("uncategorized_text").and_then(Value::as_str).map(str::to_owned);
    books.account.answer(by, &dispute.id, model::Answer { evidence, metadata, intended, submission });
    let shown = books.account.show(&dispute.id);
    if submits {
        decide(books, &dispute.id, test_outcome.as_deref());
    }
    Ok(shown)
}

/// Whether the request submits: always if it says so; if it leaves `submit` out, with any evidence of the merchant's.
fn submits(dispute: &Dispute, submit: Option<bool>, touches_evidence: bool) -> bool {
    match submit {
        Some(submit) => submit,
        None => touches_evidence || dispute.awaits_evidence() && dispute.has_evidence(),
    }
}

/// Who is to submit; unknown where Smart Disputes are not enabled.
fn take_intended(params: &mut Params, dispute: &Dispute) -> Result<Option<&'static str>, Refusal> {
    match dispute.smart {
        Some(_) => params.word("intended_submission_method", &INTENDED),
        None => Ok(None),
    }
}

/// `POST /v1/disputes/:id/close`
pub(super) fn close(books: &mut Books, by: &Cause, id: &str, params: Params) -> Answer {
    params.finish()?;
    let dispute = find::<Dispute>(&books.account, id)?.clone();
    match dispute.status {
        "needs_response" | "under_review" | "warning_needs_response" | "warning_under_review" => {
            books.account.accept(by, &dispute.id);
        }
        "appeal_needs_response" | "appeal_under_review" => {
            let message = format!("Dispute {} is being appealed and cannot be closed.", dispute.id);
            return Err(Refusal::forbidden("", message));
        }
        _ => return Err(closed(&dispute)),
    }
    Ok(books.account.show(&dispute.id))
}

/// Refuses evidence for an inquiry of Klarna: only a refund ends it.
fn check_method(books: &Books, dispute: &Dispute) -> Result<(), Refusal> {
    let klarna = matches!(books.account.paid_with(&dispute.charge), Method::Klarna);
    if klarna && dispute.case_type == "inquiry" {
        let message = format!("Dispute {} is an inquiry of Klarna, which takes no evidence.", dispute.id);
        return Err(Refusal::forbidden("", message));
    }
    Ok(())
}

/// Refuses evidence for a dispute that is closed, or was answered in this phase.
fn check_open(dispute: &Dispute) -> Result<(), Refusal> {
    match dispute.status {
        "under_review" | "warning_under_review" | "appeal_under_review" => {
            let message = format!("Evidence for dispute {} has already been submitted.", dispute.id);
            Err(Refusal::forbidden("", message))
        }
        _ if dispute.awaits_evidence() => Ok(()),
        _ => Err(closed(dispute)),
    }
}

/// Refuses to submit a compliance dispute whose network fee is not acknowledged.
fn check_acknowledged(books: &Books, dispute: &Dispute, evidence: &Map<String, Value>) -> Result<(), Refusal> {
    let kind = eligibility::kind(&books.account, dispute).filter(|_| dispute.case_type == "compliance");
    let Some(kind) = kind.filter(|_| dispute.status == "needs_response") else { return Ok(()) };
    let acknowledged = evidence.get("enhanced_evidence").is_some_and(|all| all[kind]["fee_acknowledged"] == true);
    if acknowledged {
        return Ok(());
    }
    let param = format!("evidence[enhanced_evidence][{kind}][fee_acknowledged]");
    let message = "You must acknowledge the network's fee to submit evidence for a compliance dispute.";
    Err(Refusal::invalid("", &param, message))
}

fn closed(dispute: &Dispute) -> Refusal {
    let message = format!("Dispute {} is already closed: its status is {}.", dispute.id, dispute.status);
    Refusal::forbidden("", message)
}

/// What the texts of Stripe's test mode bring about.
fn decide(books: &mut Books, id: &Id<Dispute>, text: Option<&str>) {
    let account = &mut books.account;
    let dispute = account.get(id).clone();
    match (text, dispute.case_type) {
        _ if dispute.status == "appeal_under_review" => {}
        (Some("winning_evidence" | "losing_evidence"), "inquiry") => account.close_inquiry(id),
        (Some("escalate_inquiry_evidence"), "inquiry") => {
            account.escalate(id);
            account.funds_withdrawn(id);
        }
        // The money is back before Stripe says why.
        (Some("winning_evidence"), _) => {
            account.reinstate(id, dispute.amount);
            account.win(id);
        }
        (Some("losing_evidence"), _) => account.lose(id),
        _ => {}
    }
}

//! Disputes: evidence staged or submitted, and disputes accepted.

use serde_json::Value;

use super::books::Books;
use super::evidence;
use super::lists::find;
use super::params::Params;
use super::refusal::{Answer, Refusal};
use crate::dev::model::objects::Dispute;
use crate::dev::model::{self, Cause, Id, Method, Submission};

/// `POST /v1/disputes/:id`. Without `submit`, evidence is submitted, as at Stripe.
pub(super) fn update(books: &mut Books, by: &Cause, id: &str, mut params: Params) -> Answer {
    let dispute = find::<Dispute>(&books.account, id)?.clone();
    let submit = params.flag("submit")?.unwrap_or(true);
    let metadata = params.metadata()?.apply(dispute.metadata.clone());
    let given = params.below("evidence")?;
    params.finish()?;
    let touches_evidence = !given.is_empty();
    let evidence = evidence::changed(books, &dispute.evidence, given)?;
    let submits = submit && !evidence.is_empty() && (touches_evidence || dispute.submission_count == 0);
    if touches_evidence || submits {
        check_method(books, &dispute)?;
        check_open(&dispute, books.account.now)?;
    }
    let submission = if submits { Submission::Submit } else { Submission::Stage };
    let test_outcome = evidence.get("uncategorized_text").and_then(Value::as_str).map(str::to_owned);
    books.account.answer(by, &dispute.id, model::Answer { evidence, metadata, submission });
    let shown = books.account.show(&dispute.id);
    if submits {
        decide(books, &dispute.id, test_outcome.as_deref());
    }
    Ok(shown)
}

/// `POST /v1/disputes/:id/close`
pub(super) fn close(books: &mut Books, by: &Cause, id: &str, params: Params) -> Answer {
    params.finish()?;
    let dispute = find::<Dispute>(&books.account, id)?.clone();
    match dispute.status {
        "needs_response" | "under_review" => books.account.accept(by, &dispute.id),
        "warning_needs_response" | "warning_under_review" => books.account.close_inquiry(&dispute.id),
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

/// Refuses evidence for a dispute that is closed, was answered, or is past its deadline.
fn check_open(dispute: &Dispute, now: i64) -> Result<(), Refusal> {
    let Dispute { id, due_by, .. } = dispute;
    match dispute.status {
        _ if dispute.submission_count > 0 => {
            Err(Refusal::forbidden("", format!("Evidence for dispute {id} has already been submitted.")))
        }
        _ if due_by.is_some_and(|due_by| due_by < now) => {
            Err(Refusal::forbidden("", format!("The deadline for evidence of dispute {id} has passed.")))
        }
        "needs_response" | "warning_needs_response" => Ok(()),
        _ => Err(closed(dispute)),
    }
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

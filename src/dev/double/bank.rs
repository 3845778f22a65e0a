//! The side of banks and of Stripe itself: what the control API lets happen to charges, refunds and disputes.

use serde::Deserialize;
use serde_json::Value;

use super::books::Books;
use super::lists::{Resource, find};
use super::params::Params;
use super::refusal::{Answer, Refusal};
use super::sessions;
use crate::dev::model::objects::{Charge, Dispute, Refund, Review, Submitter, Warning};
use crate::dev::model::{
    self, AVAILABLE, Cause, DEBIT_NOT_AUTHORIZED, FRAUDULENT, Id, NOT_RECEIVED, Object, Submission, UNACCEPTABLE,
    UNRECOGNIZED,
};

const REASONS: [&str; 9] = [
    DEBIT_NOT_AUTHORIZED,
    FRAUDULENT,
    NOT_RECEIVED,
    UNACCEPTABLE,
    UNRECOGNIZED,
    "credit_not_processed",
    "duplicate",
    "general",
    "subscription_canceled",
];
const FAILURES: [&str; 5] =
    ["declined", "expired_or_canceled_card", "insufficient_funds", "lost_or_stolen_card", "unknown"];
const CLOSED: [&str; 8] = [
    "approved",
    "acknowledged",
    "canceled",
    "disputed",
    "payment_never_settled",
    "redacted",
    "refunded",
    "refunded_as_fraud",
];
const OPEN: [&str; 4] = ["needs_response", "under_review", "appeal_needs_response", "appeal_under_review"];
/// Whether Stripe has a packet of its own, in its words.
const PACKETS: [&str; 3] = [AVAILABLE, "requires_evidence", "unavailable"];
const OPEN_INQUIRY: [&str; 2] = ["warning_needs_response", "warning_under_review"];

/// Something that happens, to the object with this id.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Happening {
    happens: What,
    /// The charge, refund, dispute, warning, review or session.
    id: String,
    amount: Option<i64>,
    reason: Option<String>,
    /// What the buyer pays a session with.
    payment_method: Option<String>,
    /// The account; the platform's if none.
    #[serde(default)]
    pub(super) account: String,
}

/// What happens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// To a charge.
    Chargeback,
    Inquiry,
    Unchallengeable,
    Prevention,
    Compliance,
    FraudWarning,
    Review,
    Expiry,
    /// To a dispute.
    Escalate,
    Win,
    Lose,
    WinLate,
    CloseInquiry,
    ClosePrevention,
    /// A lost one is appealed.
    Appeal,
    /// Somebody submits evidence in Stripe's Dashboard.
    SubmitInDashboard,
    /// Smart Disputes are enabled for it.
    SmartDisputes,
    /// So much of what was withdrawn comes back.
    Reinstate,
    /// To a warning.
    SettleWarning,
    /// To a review, for a reason.
    ReviewCloses,
    /// To a checkout session.
    SessionPaid,
    SessionExpires,
    /// To a refund.
    RefundSettles,
    RefundFails,
    RefundReturns,
    DetailsGiven,
    ReferenceArrives,
}

/// Lets it happen, and answers with the object.
pub(super) fn happen(books: &mut Books, it: &Happening) -> Answer {
    match it.happens {
        What::Chargeback | What::Inquiry | What::Unchallengeable => to_charge(books, it),
        What::Prevention | What::Compliance => to_charge(books, it),
        What::FraudWarning | What::Review | What::Expiry => to_charge(books, it),
        What::Escalate | What::Win | What::Lose | What::WinLate | What::Appeal => to_dispute(books, it),
        What::CloseInquiry | What::ClosePrevention | What::Reinstate => to_dispute(books, it),
        What::SubmitInDashboard | What::SmartDisputes => to_open_dispute(books, it),
        What::SettleWarning => {
            let warning = find::<Warning>(&books.account, &it.id)?.id.clone();
            books.account.settle_warning(&warning);
            Ok(books.account.show(&warning))
        }
        What::ReviewCloses => close_review(books, it),
        What::SessionPaid => sessions::paid(books, &it.id, it.payment_method.as_deref()),
        What::SessionExpires => sessions::expire(books, &Cause::Stripe, &it.id, Params::default()),
        What::RefundSettles | What::RefundFails | What::RefundReturns => to_refund(books, it),
        What::DetailsGiven | What::ReferenceArrives => to_refund(books, it),
    }
}

fn to_charge(books: &mut Books, it: &Happening) -> Answer {
    let charge = find::<Charge>(&books.account, &it.id)?.clone();
    let amount = it.amount.unwrap_or(charge.left());
    let reason = word(it, &REASONS, FRAUDULENT)?;
    require(is_possible(it.happens, &charge), &charge.id, charge.status)?;
    // Of a debit, the buyer's bank takes the money back without asking.
    let asks = matches!(it.happens, What::Inquiry | What::Prevention);
    require(!asks || !books.account.paid_with(&charge.id).is_debit(), &charge.id, "a bank debit")?;
    let id = &charge.id;
    let shown = match it.happens {
        What::Chargeback => shown(books, |books| books.dispute(id, amount, reason)),
        What::Inquiry => shown(books, |books| books.inquiry(id, amount, reason)),
        What::Unchallengeable => shown(books, |books| books.unchallengeable(id, amount, reason)),
        What::Compliance => {
            let network = books.account.paid_with(id).network();
            require(["visa", "mastercard"].map(Some).contains(&network), id, "not of Visa's or Mastercard's network")?;
            shown(books, |books| books.compliance(id, amount))
        }
        What::Prevention => shown(books, |books| books.account.prevent(id, amount, reason)),
        What::FraudWarning => shown(books, |books| books.account.warn(id)),
        What::Review => shown(books, |books| books.account.open_review(id)),
        _ => {
            books.expire(id);
            books.account.show(id)
        }
    };
    books.settle(id);
    Ok(shown)
}

/// Only captured money is disputed, only an open authorization expires, and reviews take either.
fn is_possible(happens: What, charge: &Charge) -> bool {
    let held = charge.is_held();
    let possible = match happens {
        What::Expiry => held,
        What::Review | What::FraudWarning => held || charge.captured,
        _ => charge.captured,
    };
    charge.status == "succeeded" && possible
}

fn close_review(books: &mut Books, it: &Happening) -> Answer {
    let Review { id, closed_reason, .. } = find::<Review>(&books.account, &it.id)?.clone();
    let reason = word(it, &CLOSED, "approved")?;
    require(closed_reason.is_none(), &id, closed_reason.unwrap_or("open"))?;
    books.account.close_review(&Cause::Stripe, &id, reason);
    Ok(books.account.show(&id))
}

fn shown<T: Object>(books: &mut Books, act: impl FnOnce(&mut Books) -> Id<T>) -> Value {
    let id = act(books);
    books.account.show(&id)
}

fn to_dispute(books: &mut Books, it: &Happening) -> Answer {
    let Dispute { id, status, amount, entries, .. } = find::<Dispute>(&books.account, &it.id)?.clone();
    let possible = match it.happens {
        What::Escalate => OPEN_INQUIRY.contains(&status) || status == "prevented",
        What::Win | What::Lose => OPEN.contains(&status),
        What::WinLate | What::Appeal => status == "lost" && !entries.is_empty(),
        What::CloseInquiry => OPEN_INQUIRY.contains(&status),
        What::ClosePrevention => status == "prevented",
        _ => !entries.is_empty(),
    };
    require(possible, &id, status)?;
    let (account, back) = (&mut books.account, it.amount.unwrap_or(amount));
    match it.happens {
        What::Escalate => {
            account.escalate(&id);
            account.funds_withdrawn(&id);
        }
        What::Win => {
            account.win(&id);
            account.reinstate(&id, back);
        }
        What::WinLate => {
            account.win_late(&id);
            account.reinstate(&id, back);
        }
        What::Lose => account.lose(&id),
        What::Appeal => account.open_appeal(&id),
        What::CloseInquiry => account.close_inquiry(&id),
        What::ClosePrevention => account.close_prevented(&id),
        _ => account.reinstate(&id, back),
    }
    Ok(account.show(&id))
}

/// What happens to a dispute while Stripe waits for evidence.
fn to_open_dispute(books: &mut Books, it: &Happening) -> Answer {
    let dispute = find::<Dispute>(&books.account, &it.id)?.clone();
    let status = word(it, &PACKETS, AVAILABLE)?;
    require(dispute.awaits_evidence(), &dispute.id, dispute.status)?;
    let Dispute { id, mut evidence, metadata, .. } = dispute;
    match it.happens {
        What::SmartDisputes => books.account.enable_smart_disputes(&id, status),
        _ => {
            evidence.insert("uncategorized_text".to_owned(), "Written in the Dashboard.".into());
            let submission = Submission::Submit(Submitter::Dashboard);
            let answer = model::Answer { evidence, metadata, intended: None, submission };
            books.account.answer(&Cause::Stripe, &id, answer);
        }
    }
    Ok(books.account.show(&id))
}

fn to_refund(books: &mut Books, it: &Happening) -> Answer {
    let Refund { id, status, .. } = find::<Refund>(&books.account, &it.id)?.clone();
    let failure = word(it, &FAILURES, "unknown")?;
    let possible: &[&str] = match it.happens {
        What::RefundSettles => &["pending"],
        What::RefundFails => &["pending", "succeeded", "requires_action"],
        What::DetailsGiven => &["requires_action"],
        _ => &["succeeded"],
    };
    require(possible.contains(&status), &id, status)?;
    let account = &mut books.account;
    match it.happens {
        What::RefundSettles => account.settle_refund(&id),
        What::RefundFails => account.fail_refund(&id, failure),
        What::RefundReturns => account.return_refund(&id),
        What::DetailsGiven => account.give_details(&id),
        _ => account.add_reference(&id),
    }
    Ok(account.show(&id))
}

fn word(it: &Happening, words: &[&'static str], default: &'static str) -> Result<&'static str, Refusal> {
    let Some(reason) = it.reason.as_deref() else { return Ok(default) };
    let known = words.iter().find(|word| **word == reason).copied();
    known.ok_or_else(|| Refusal::invalid("", "reason", format!("The reason must be one of {}.", words.join(", "))))
}

fn require<T: Resource>(possible: bool, id: &Id<T>, status: &str) -> Result<(), Refusal> {
    if possible { Ok(()) } else { Err(Refusal::forbidden("", format!("{id} is {status}: that cannot happen to it."))) }
}

/// Reads what is to happen.
pub(super) fn read(body: Value) -> Result<Happening, String> {
    serde_json::from_value(body).map_err(|error| error.to_string())
}

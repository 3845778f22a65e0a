//! Refunds: created, updated and canceled, and refused as Stripe refuses them.

use serde_json::Value;

use super::books::{Books, Token};
use super::lists::find;
use super::params::Params;
use super::refusal::{Answer, Refusal};
use crate::dev::model::objects::{Charge, Dispute, Intent, Metadata, Refund};
use crate::dev::model::{Cause, FirstStatus, Id, NewRefund, Undo};

const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];
/// Accepted and without effect.
const IGNORED: [&str; 3] = ["instructions_email", "currency", "customer"];

/// `POST /v1/refunds`
pub(super) fn create(books: &mut Books, by: &Cause, mut params: Params) -> Answer {
    let (charge, intent) = (params.text("charge")?, params.text("payment_intent")?);
    let amount = params.positive("amount")?;
    let reason = params.word("reason", &REASONS)?;
    let metadata = params.metadata()?.apply(Metadata::new());
    let transfer = params.flag("reverse_transfer")?.unwrap_or(false);
    let undo = Undo { transfer, fee: params.flag("refund_application_fee")?.unwrap_or(false) };
    for name in IGNORED {
        params.text(name)?;
    }
    params.finish()?;
    let charge = charge_of(books, charge.as_deref(), intent.as_deref())?;
    if let Some(released) = void(books, by, &charge, amount) {
        return Ok(released);
    }
    let amount = refundable(books, &charge, amount)?;
    check_undo(books.account.get(&charge), undo)?;
    let token = books.tokens.get(charge.as_str()).copied().unwrap_or(Token::Pays);
    let status = books.new_refunds.unwrap_or_else(|| first_status(books.account.get(&charge), token));
    let new = NewRefund { charge: charge.clone(), amount, metadata, reason, status, undo };
    let refund = books.account.create_refund(by, new);
    if books.new_refunds.is_none() {
        books.plan_refund(&refund, token);
    }
    books.settle(&charge);
    Ok(books.account.show(&refund))
}

/// `POST /v1/refunds/:id`
pub(super) fn update(books: &mut Books, by: &Cause, id: &str, mut params: Params) -> Answer {
    let change = params.metadata()?;
    params.finish()?;
    let Refund { id, metadata, .. } = find::<Refund>(&books.account, id)?.clone();
    books.account.update_refund(by, &id, change.apply(metadata));
    Ok(books.account.show(&id))
}

/// `POST /v1/refunds/:id/cancel`
pub(super) fn cancel(books: &mut Books, by: &Cause, id: &str, params: Params) -> Answer {
    params.finish()?;
    let Refund { id, status, .. } = find::<Refund>(&books.account, id)?.clone();
    if status != "requires_action" {
        let message = format!("Refund {id} is {status}: only refunds that require action can be canceled.");
        return Err(Refusal::forbidden("", message));
    }
    books.account.cancel_refund(by, &id);
    Ok(books.account.show(&id))
}

fn charge_of(books: &Books, charge: Option<&str>, intent: Option<&str>) -> Result<Id<Charge>, Refusal> {
    let account = &books.account;
    let named = |id| account.find::<Charge>(id).ok_or_else(|| Refusal::missing("charge", "charge", id));
    match (charge, intent) {
        (Some(id), None) => Ok(named(id)?.id.clone()),
        (charge, Some(id)) => {
            let missing = || Refusal::missing("payment_intent", "payment_intent", id);
            let intent = account.find::<Intent>(id).ok_or_else(missing)?;
            let latest = intent.latest_charge.clone().filter(|_| intent.status == "succeeded");
            let latest = latest.ok_or_else(|| {
                let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
                Refusal::forbidden("payment_intent_unexpected_state", message)
            })?;
            match charge.map(named).transpose()? {
                Some(charge) if charge.id != latest => {
                    let message = "The charge does not belong to the PaymentIntent.";
                    Err(Refusal::invalid("", "charge", message))
                }
                Some(_) | None => Ok(latest),
            }
        }
        (None, None) => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            Err(Refusal::plain(400, "parameter_missing", message))
        }
    }
}

/// Voids an authorization that has no intent to cancel, and returns the refund that Stripe makes of it. None for other
/// charges and partial amounts.
fn void(books: &mut Books, by: &Cause, id: &Id<Charge>, asked: Option<i64>) -> Option<Value> {
    let charge = books.account.get(id);
    let all = charge.purchase.amount;
    if !charge.is_held() || charge.payment_intent.is_some() || asked.is_some_and(|amount| amount != all) {
        return None;
    }
    books.account.cancel_before_2025(by, id);
    books.settle(id);
    let released = books.account.list::<Refund>().rev().find(|refund| refund.charge == *id)?;
    Some(books.account.show(&released.id))
}

/// The amount to refund: what was asked for, else all that is left.
fn refundable(books: &Books, id: &Id<Charge>, asked: Option<i64>) -> Result<i64, Refusal> {
    let charge = books.account.get(id);
    if charge.status == "failed" || !charge.captured {
        let message = format!("Charge {id} cannot be refunded: it was not captured.");
        return Err(Refusal::forbidden("charge_not_refundable", message));
    }
    let disputes = books.account.list::<Dispute>().filter(|dispute| dispute.charge == *id);
    if disputes.filter(|dispute| dispute.status != "won").any(|dispute| !dispute.is_charge_refundable) {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(Refusal::forbidden("charge_disputed", message));
    }
    let left = charge.left();
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(Refusal::forbidden("charge_already_refunded", message));
    }
    match asked {
        Some(amount) if amount > left => {
            let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
            let refusal = Refusal::forbidden("amount_too_large", message);
            Err(Refusal { param: Some("amount".to_owned()), ..refusal })
        }
        Some(amount) => Ok(amount),
        None => Ok(left),
    }
}

/// Refuses to undo what the charge does not have.
fn check_undo(charge: &Charge, undo: Undo) -> Result<(), Refusal> {
    let id = &charge.id;
    if undo.transfer && charge.transfer.is_none() {
        let message = format!("Attempting to reverse_transfer on {id}, but it has no associated transfer.");
        return Err(Refusal { param: Some("reverse_transfer".to_owned()), ..Refusal::forbidden("", message) });
    }
    if undo.fee && charge.application_fee.is_none() {
        let message = format!("Attempting to refund_application_fee on {id}, but it has no application fee.");
        return Err(Refusal { param: Some("refund_application_fee".to_owned()), ..Refusal::forbidden("", message) });
    }
    Ok(())
}

fn first_status(charge: &Charge, token: Token) -> FirstStatus {
    match token {
        _ if charge.status == "pending" => FirstStatus::Pending("charge_pending"),
        Token::RefundWaits => FirstStatus::Pending("processing"),
        Token::Transfer => FirstStatus::RequiresAction,
        Token::Pays | Token::Declined | Token::Disputes(_) | Token::Warned | Token::Klarna => FirstStatus::Succeeded,
        Token::Mastercard | Token::Amex | Token::SepaDebit | Token::UsBankAccount => FirstStatus::Succeeded,
        Token::SmartDispute | Token::VisaCompliance | Token::MastercardCompliance => FirstStatus::Succeeded,
        Token::Inquires | Token::DisputesTwice | Token::RefundFails => FirstStatus::Succeeded,
    }
}

//! Charges: made and captured without an intent, as old integrations do, and their metadata.

use super::books::Books;
use super::lists::find;
use super::params::Params;
use super::payments::{declined, new_purchase, take_share};
use super::refusal::{Answer, Refusal};
use crate::dev::model::Cause;
use crate::dev::model::objects::{Capture, Charge, Metadata};

/// `POST /v1/charges`, with `source=tok_visa` or a token that is declined.
pub(super) fn create(books: &mut Books, by: &Cause, mut params: Params) -> Answer {
    let missing = |name: &str| Refusal::invalid("parameter_missing", name, format!("Missing required param: {name}."));
    let amount = params.positive("amount")?.ok_or_else(|| missing("amount"))?;
    let currency = params.text("currency")?.ok_or_else(|| missing("currency"))?.to_lowercase();
    let source = params.word("source", &["tok_visa", "tok_chargeDeclined"])?.ok_or_else(|| missing("source"))?;
    let capture = if params.flag("capture")?.unwrap_or(true) { Capture::Automatic } else { Capture::Manual };
    let description = params.text("description")?.unwrap_or_default();
    let metadata = params.metadata()?.apply(Metadata::new());
    let share = take_share(books, &mut params, amount)?;
    params.finish()?;
    if source == "tok_chargeDeclined" {
        return Err(declined());
    }
    let mut purchase = new_purchase(books, (amount, currency), metadata, share);
    purchase.description = description;
    let charge = books.account.charge(by, purchase, capture);
    Ok(books.account.show(&charge))
}

/// `POST /v1/charges/:id/capture`: all of it, or a part, in the manner of the request's version.
pub(super) fn capture(books: &mut Books, by: &Cause, id: &str, version: Option<&str>, mut params: Params) -> Answer {
    let asked = params.positive("amount")?;
    params.finish()?;
    let charge = find::<Charge>(&books.account, id)?.clone();
    let (all, id) = (charge.purchase.amount, &charge.id);
    if !charge.is_held() {
        let code = if charge.captured { "charge_already_captured" } else { "charge_expired_for_capture" };
        return Err(Refusal::forbidden(code, format!("Charge {id} cannot be captured.")));
    }
    let amount = asked.unwrap_or(all);
    if amount > all {
        return Err(Refusal::invalid("amount_too_large", "amount", "The amount is larger than what was authorized."));
    }
    books.capture(by, id, amount, version);
    Ok(books.account.show(id))
}

/// `POST /v1/charges/:id`
pub(super) fn update(books: &mut Books, by: &Cause, id: &str, mut params: Params) -> Answer {
    let change = params.metadata()?;
    params.finish()?;
    let Charge { id, purchase, .. } = find::<Charge>(&books.account, id)?.clone();
    books.account.update_charge(by, &id, change.apply(purchase.metadata));
    Ok(books.account.show(&id))
}

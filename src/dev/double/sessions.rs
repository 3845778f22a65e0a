//! Checkout sessions: opened and closed by the merchant, paid by the buyer; and reviews that the merchant approves.

use super::books::Books;
use super::lists::find;
use super::params::Params;
use super::payments::{new_purchase, pay, take_share, token};
use super::refusal::{Answer, Refusal};
use crate::dev::model::Cause;
use crate::dev::model::objects::{Metadata, Review, Session};

/// Accepted and without effect.
const IGNORED: [&str; 5] = ["success_url", "cancel_url", "ui_mode", "client_reference_id", "customer_email"];

/// `POST /v1/checkout/sessions`, with one item in `line_items` and `price_data`. Metadata of the intent is taken from
/// `payment_intent_data`, else from the session.
pub(super) fn create(books: &mut Books, mut params: Params) -> Answer {
    params.word("mode", &["payment"])?;
    for name in IGNORED {
        params.text(name)?;
    }
    let (amount, currency) = take_item(&mut params)?;
    let metadata = params.metadata()?.apply(Metadata::new());
    let mut data = params.below("payment_intent_data")?;
    let share = take_share(books, &mut data, amount)?;
    let metadata = data.metadata()?.apply(metadata);
    data.finish()?;
    params.finish()?;
    let purchase = new_purchase(books, (amount, currency), metadata, share);
    let session = books.account.create_session(purchase);
    Ok(books.account.show(&session))
}

/// `POST /v1/checkout/sessions/:id/expire`
pub(super) fn expire(books: &mut Books, by: &Cause, id: &str, params: Params) -> Answer {
    params.finish()?;
    let id = open(books, id)?.id;
    books.account.expire_session(by, &id);
    Ok(books.account.show(&id))
}

/// The buyer pays on the page with this test payment method. A declined card leaves the page open.
pub(super) fn paid(books: &mut Books, id: &str, method: Option<&str>) -> Answer {
    let token = token(method)?;
    let Session { id, payment_intent, .. } = open(books, id)?;
    let by = books.account.request();
    let intent = payment_intent.unwrap_or_else(|| books.account.start_payment(&by, &id));
    pay(books, &by, &intent, token)?;
    Ok(books.account.show(&id))
}

/// `POST /v1/reviews/:id/approve`
pub(super) fn approve(books: &mut Books, by: &Cause, id: &str, params: Params) -> Answer {
    params.finish()?;
    let Review { id, closed_reason, .. } = find::<Review>(&books.account, id)?.clone();
    if closed_reason.is_some() {
        return Err(Refusal::forbidden("", format!("Review {id} is already closed.")));
    }
    books.account.approve(by, &id);
    Ok(books.account.show(&id))
}

fn open(books: &Books, id: &str) -> Result<Session, Refusal> {
    let session = find::<Session>(&books.account, id)?;
    if session.status == "open" {
        return Ok(session.clone());
    }
    Err(Refusal::forbidden("", format!("Session {id} is {}: only an open one can be paid or expired.", session.status)))
}

/// Amount and currency of the one item.
fn take_item(params: &mut Params) -> Result<(i64, String), Refusal> {
    let mut items = params.below("line_items")?;
    let mut item = items.below("0")?;
    items.finish()?;
    let quantity = item.positive("quantity")?.unwrap_or(1);
    let mut price = item.below("price_data")?;
    item.finish()?;
    let missing = |name: &str| Refusal::invalid("parameter_missing", name, format!("Missing required param: {name}."));
    let unit = price.positive("unit_amount")?.ok_or_else(|| missing("line_items[0][price_data][unit_amount]"))?;
    let currency = price.text("currency")?.ok_or_else(|| missing("line_items[0][price_data][currency]"))?;
    let mut product = price.below("product_data")?;
    product.text("name")?;
    product.finish()?;
    price.finish()?;
    Ok((unit * quantity, currency.to_lowercase()))
}

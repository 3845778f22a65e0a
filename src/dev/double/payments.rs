//! Payment intents: created, confirmed with test payment methods, captured and canceled.

use serde_json::{Value, json};

use super::books::{Books, TOKENS, Token};
use super::lists::find;
use super::params::Params;
use super::refusal::{Answer, Refusal};
use crate::dev::model::objects::{Capture, Intent, Metadata, Purchase, Share};
use crate::dev::model::{BUYERS, Cause, DECLINED, Id, Method, VISA};

/// Accepted and without effect.
const IGNORED: [&str; 7] = [
    "confirmation_method",
    "off_session",
    "return_url",
    "receipt_email",
    "error_on_requires_action",
    "on_behalf_of",
    "transfer_group",
];

/// `POST /v1/payment_intents`
pub(super) fn create(books: &mut Books, by: &Cause, mut params: Params) -> Answer {
    let missing = |name: &str| Refusal::invalid("parameter_missing", name, format!("Missing required param: {name}."));
    let amount = params.positive("amount")?.ok_or_else(|| missing("amount"))?;
    let currency = params.text("currency")?.ok_or_else(|| missing("currency"))?.to_lowercase();
    let description = params.text("description")?.unwrap_or_default();
    let capture = match params.word("capture_method", &["automatic", "automatic_async", "manual"])? {
        Some("manual") => Capture::Manual,
        _ => Capture::Automatic,
    };
    let metadata = params.metadata()?.apply(Metadata::new());
    let confirm = params.flag("confirm")?.unwrap_or(false);
    let token = take_token(&mut params)?;
    let share = take_share(books, &mut params, amount)?;
    let shipping = take_shipping(&mut params)?;
    params.finish()?;
    let purchase = Purchase { description, shipping, ..new_purchase(books, (amount, currency), metadata, share) };
    let intent = books.account.create_intent(by, purchase, capture);
    if confirm { pay(books, by, &intent, token) } else { Ok(books.account.show(&intent)) }
}

/// What a new buyer pays for, by a Visa card unless they choose otherwise.
pub(super) fn new_purchase(
    books: &mut Books,
    (amount, currency): (i64, String),
    metadata: Metadata,
    share: Share,
) -> Purchase {
    let buyer = &BUYERS[books.account.ids.below(BUYERS.len())];
    let customer = books.account.create_customer(buyer);
    let payment_method = books.account.create_payment_method(Method::Card(VISA));
    Purchase {
        amount,
        currency,
        metadata,
        description: String::new(),
        customer,
        payment_method,
        share,
        shipping: Value::Null,
    }
}

/// Where the goods are sent, as charges show it; null if that is not given.
fn take_shipping(params: &mut Params) -> Result<Value, Refusal> {
    if !params.has("shipping") {
        return Ok(Value::Null);
    }
    let mut given = params.below("shipping")?;
    let mut address = given.below("address")?;
    let missing = |params: &Params, name: &str| {
        params.bad("parameter_missing", name, &format!("Missing required param: {name}."))
    };
    let mut shown = texts(&mut given, &["carrier", "name", "phone", "tracking_number"])?;
    if shown["name"].is_null() {
        return Err(missing(&given, "name"));
    }
    if address.is_empty() {
        return Err(missing(&given, "address"));
    }
    shown["address"] = texts(&mut address, &["city", "country", "line1", "line2", "postal_code", "state"])?;
    address.finish()?;
    given.finish()?;
    Ok(shown)
}

/// An object with each of these texts, null where it was not given.
fn texts(params: &mut Params, names: &[&str]) -> Result<Value, Refusal> {
    names.iter().map(|name| Ok(((*name).to_owned(), json!(params.text(name)?)))).collect()
}

/// `POST /v1/payment_intents/:id`
pub(super) fn update(books: &mut Books, id: &str, mut params: Params) -> Answer {
    let change = params.metadata()?;
    params.finish()?;
    let Intent { id, purchase, .. } = find::<Intent>(&books.account, id)?.clone();
    books.account.update_intent(&id, change.apply(purchase.metadata));
    Ok(books.account.show(&id))
}

/// `POST /v1/payment_intents/:id/confirm`
pub(super) fn confirm(books: &mut Books, by: &Cause, id: &str, mut params: Params) -> Answer {
    let token = take_token(&mut params)?;
    params.finish()?;
    let id = in_state(books, id, &["requires_payment_method", "requires_confirmation"], "confirmed")?;
    pay(books, by, &id, token)
}

/// `POST /v1/payment_intents/:id/capture`, in the manner of the request's version.
pub(super) fn capture(books: &mut Books, by: &Cause, id: &str, version: Option<&str>, mut params: Params) -> Answer {
    let asked = params.positive("amount_to_capture")?;
    params.finish()?;
    let id = in_state(books, id, &["requires_capture"], "captured")?;
    let intent = books.account.get(&id);
    let (all, charge) = (intent.purchase.amount, intent.latest_charge.clone());
    let amount = asked.unwrap_or(all);
    let charge = charge.filter(|_| amount <= all).ok_or_else(|| {
        Refusal::invalid("amount_too_large", "amount_to_capture", "The amount is larger than what was authorized.")
    })?;
    books.capture(by, &charge, amount, version);
    Ok(books.account.show(&id))
}

/// `POST /v1/payment_intents/:id/cancel`, in the manner of the request's version.
pub(super) fn cancel(books: &mut Books, by: &Cause, id: &str, version: Option<&str>, mut params: Params) -> Answer {
    params.text("cancellation_reason")?;
    params.finish()?;
    let states = ["requires_payment_method", "requires_confirmation", "requires_capture", "requires_action"];
    let id = in_state(books, id, &states, "canceled")?;
    let intent = books.account.get(&id);
    let held = intent.latest_charge.clone().filter(|_| intent.status == "requires_capture");
    match &held {
        Some(charge) if books.is_before_2025(version) => books.account.cancel_before_2025(by, charge),
        Some(_) | None => books.account.cancel(by, &id),
    }
    held.iter().for_each(|charge| books.settle(charge));
    Ok(books.account.show(&id))
}

/// The intent, if it is in one of these states.
fn in_state(books: &Books, id: &str, states: &[&str], done: &str) -> Result<Id<Intent>, Refusal> {
    let intent = find::<Intent>(&books.account, id)?;
    if states.contains(&intent.status) {
        return Ok(intent.id.clone());
    }
    let message = format!("This PaymentIntent has a status of {} and cannot be {done}.", intent.status);
    Err(Refusal::forbidden("payment_intent_unexpected_state", message))
}

/// The test payment method, with what has no effect here.
fn take_token(params: &mut Params) -> Result<Token, Refusal> {
    for name in IGNORED {
        params.text(name)?;
    }
    params.below("automatic_payment_methods").map(drop)?;
    params.list("payment_method_types").map(drop)?;
    token(params.text("payment_method")?.as_deref())
}

/// What a test payment method does; a Visa card's if none is named.
pub(super) fn token(name: Option<&str>) -> Result<Token, Refusal> {
    let Some(name) = name else { return Ok(Token::Pays) };
    let known = TOKENS.iter().find(|(token, _)| *token == name);
    known.map(|(_, token)| *token).ok_or_else(|| {
        let known = TOKENS.map(|(token, _)| token).join(", ");
        let missing = Refusal::missing("PaymentMethod", "payment_method", name);
        Refusal { status: 400, message: format!("{}; known here: {known}", missing.message), ..missing }
    })
}

/// Takes how the payment is shared over Connect.
pub(super) fn take_share(books: &Books, params: &mut Params, amount: i64) -> Result<Share, Refusal> {
    let application_fee = params.positive("application_fee_amount")?;
    let mut data = params.below("transfer_data")?;
    let (destination, transfer_amount) = (data.text("destination")?, data.positive("amount")?);
    data.finish()?;
    let too_large = |name: &str| params.bad("amount_too_large", name, "It must not be larger than the amount.");
    if application_fee.is_some() && transfer_amount.is_some() {
        let message = "You may only specify one of these parameters: application_fee_amount, transfer_data[amount].";
        return Err(params.bad("parameters_exclusive", "application_fee_amount", message));
    }
    if application_fee.is_some() && destination.is_none() && !books.account.is_connected() {
        let message = "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment \
                       (using the Stripe-Account header) or destination payment (using transfer_data[destination]).";
        return Err(params.bad("", "application_fee_amount", message));
    }
    if transfer_amount.is_some() && destination.is_none() {
        return Err(params.bad(
            "parameter_missing",
            "transfer_data[destination]",
            "Missing required param: destination.",
        ));
    }
    match (application_fee, transfer_amount) {
        (Some(fee), _) if fee > amount => Err(too_large("application_fee_amount")),
        (_, Some(transfer)) if transfer > amount => Err(too_large("transfer_data[amount]")),
        _ => Ok(Share { destination, transfer_amount, application_fee }),
    }
}

pub(super) fn pay(books: &mut Books, by: &Cause, id: &Id<Intent>, token: Token) -> Answer {
    let account = &mut books.account;
    if let Some(method) = token.method() {
        account.choose_method(id, method);
    }
    let charge = match (token, account.get(id).capture) {
        (Token::Declined, _) => return decline(books, by, id),
        (Token::Transfer, _) => {
            account.confirm_transfer(by, id);
            account.settle_transfer(id)
        }
        (Token::SepaDebit | Token::UsBankAccount, _) => {
            let charge = account.confirm_debit(by, id);
            account.settle_debit(&charge);
            charge
        }
        (_, Capture::Automatic) => account.confirm(by, id),
        (_, Capture::Manual) => account.authorize(by, id),
    };
    books.tokens.insert(charge.to_string(), token);
    if books.account.get(&charge).captured {
        books.captured(&charge);
    }
    Ok(books.account.show(id))
}

fn decline(books: &mut Books, by: &Cause, id: &Id<Intent>) -> Answer {
    books.account.decline(by, id, DECLINED);
    Err(declined())
}

/// What a declined card is answered with.
pub(super) fn declined() -> Refusal {
    let refusal = Refusal::forbidden(DECLINED.code, DECLINED.message).of_kind("card_error");
    Refusal { status: 402, ..refusal }
}

//! What the letter claims, by the reason of the dispute. A sentence stands only where what it says is known.

use super::sources::Object;
use super::{Letter, Product, explanations, words};

/// The cardholder denies the payment itself.
pub(super) fn is_about_fraud(reason: &str) -> bool {
    matches!(reason, "fraudulent" | "unrecognized" | "debit_not_authorized")
}

/// The sentences of the claim.
pub(super) fn claim(letter: &Letter<'_>) -> Vec<String> {
    let own: Vec<Option<String>> = match letter.sources.reason() {
        "credit_not_processed" => vec![refunds(letter).or_else(|| policy(letter)), rebuttal(letter)],
        "subscription_canceled" => vec![terms(letter), rebuttal(letter)],
        "duplicate" => vec![refunds(letter).or_else(|| other(letter))],
        _ => vec![delivery(letter), refunds(letter)],
    };
    std::iter::once(order(letter)).chain(own).flatten().collect()
}

/// Who ordered what, and when.
fn order(letter: &Letter<'_>) -> Option<String> {
    let at = letter.sources.purchased_at().and_then(words::date)?;
    let who = letter.text("customer_name").unwrap_or_else(|| "The customer".to_owned());
    let amount = letter.sources.charge.money()?;
    let what = letter.text("product_description").map(|what| format!(" for: {what}")).unwrap_or_default();
    Some(format!("{who} paid {amount} on {at}{what}{}", if what.ends_with(['.', '!', '?']) { "" } else { "." }))
}

/// How it was delivered.
fn delivery(letter: &Letter<'_>) -> Option<String> {
    match letter.product {
        Product::Physical => shipment(letter),
        Product::Digital => letter
            .text("access_activity_log")
            .map(|_| "The log of the customer's access is part of this evidence.".to_owned()),
        Product::Service => letter
            .text("service_date")
            .map(|date| format!("The date of the service was {}.", date.trim_end_matches('.'))),
    }
}

fn shipment(letter: &Letter<'_>) -> Option<String> {
    let (carrier, number) = (letter.text("shipping_carrier")?, letter.text("shipping_tracking_number")?);
    let on = letter.text("shipping_date").map(|date| format!(" on {date}")).unwrap_or_default();
    let to = letter.text("shipping_address").map(|address| format!(", to {address}")).unwrap_or_default();
    let proof = if letter.is_attached("shipping_documentation") { " The proof of shipping is attached." } else { "" };
    Some(format!("The order was sent{on} by {carrier}, tracking number {number}{to}.{proof}"))
}

/// Refunds that were made. The dispute's amount is not theirs.
fn refunds(letter: &Letter<'_>) -> Option<String> {
    explanations::refunds(letter.sources).map(|found| found.value)
}

fn policy(letter: &Letter<'_>) -> Option<String> {
    let is_there = letter.texts.contains_key("refund_policy_disclosure") || letter.is_attached("refund_policy");
    is_there.then(|| "The refund policy that held at the purchase is part of this evidence.".to_owned())
}

fn terms(letter: &Letter<'_>) -> Option<String> {
    let session: &Object = &letter.sources.session;
    if session.word("consent.terms_of_service") == Some("accepted") {
        let on = session.integer("created").and_then(words::date)?;
        return Some(format!("The customer accepted our terms on {on}, before paying."));
    }
    let is_there =
        letter.texts.contains_key("cancellation_policy_disclosure") || letter.is_attached("cancellation_policy");
    is_there.then(|| "The cancellation policy that held at the purchase is part of this evidence.".to_owned())
}

fn rebuttal(letter: &Letter<'_>) -> Option<String> {
    letter.text("cancellation_rebuttal")
}

fn other(letter: &Letter<'_>) -> Option<String> {
    let explained = letter.text("duplicate_charge_explanation");
    let chosen = letter.texts.get("duplicate_charge_id").map(String::as_str);
    explained.or_else(|| explanations::two_orders(letter.sources, chosen).map(|found| found.value))
}

//! Explanations drafted from what is known: refunds made, and two orders that are not one. Chooses no charge.

use super::sources::{Found, Object, Sources};
use super::words;

/// How far apart, in seconds, two charges may be to look like duplicates.
const NEAR: i64 = 7 * 86_400;
/// Most charges that a note names.
const MOST: usize = 5;

/// A sentence for each refund that was made: amount, date, id, and the acquirer's reference number, by which the bank
/// finds it.
pub(super) fn refunds(sources: &Sources) -> Option<Found> {
    let said: Vec<_> = sources.refunds.iter().filter_map(refund).collect();
    (!said.is_empty()).then(|| Found { value: said.join(" "), source: "refunds".to_owned() })
}

fn refund(refund: &Object) -> Option<String> {
    if refund.word("status") != Some("succeeded") {
        return None;
    }
    let amount = refund.money()?;
    let (on, id) = (words::date(refund.integer("created")?)?, words::line(refund.word("id")?, 255));
    let reference = refund.word("destination_details.card.reference").map(|reference| words::line(reference, 100));
    let reference = reference.map(|reference| format!(", acquirer reference number {reference}")).unwrap_or_default();
    Some(format!("{amount} was refunded on {on} (refund {id}{reference})."))
}

/// How the disputed charge and the chosen other one differ. None until a person chose one, and it is known.
pub(super) fn two_orders(sources: &Sources, chosen: Option<&str>) -> Option<Found> {
    let other = sources.others.iter().find(|charge| charge.word("id").is_some() && charge.word("id") == chosen)?;
    let (first, second) = (order(&sources.charge)?, order(other)?);
    let value = format!("These are two separate orders. The disputed charge is {first}. The other is {second}.");
    Some(Found { value, source: "charge, duplicate_charge_id".to_owned() })
}

/// `ch_1 of 12.00 EUR, made on 2 March 2026, for Blue shirt`.
fn order(charge: &Object) -> Option<String> {
    let amount = charge.money()?;
    let (id, on) = (words::line(charge.word("id")?, 255), words::date(charge.integer("created")?)?);
    let of = charge.word("description").map(|text| format!(", for {}", words::line(text, 300))).unwrap_or_default();
    Some(format!("{id} of {amount}, made on {on}{of}"))
}

/// Charges of the same amount within a week, for a person to choose from.
pub(super) fn other_charges(sources: &Sources) -> Option<String> {
    let mut near: Vec<_> = sources.others.iter().filter(|charge| is_alike(charge, sources)).filter_map(order).collect();
    near.truncate(MOST);
    (!near.is_empty()).then(|| format!("duplicate_charge_id: choose it; charges alike: {}", near.join("; ")))
}

fn is_alike(charge: &Object, sources: &Sources) -> bool {
    let disputed = &sources.charge;
    let at = |charge: &Object| charge.integer("created");
    let apart = at(charge).zip(at(disputed)).map(|(a, b)| a.abs_diff(b));
    charge.word("status") == Some("succeeded")
        && charge.word("id") != sources.charge_id().as_deref()
        && charge.integer("amount") == disputed.integer("amount")
        && charge.word("currency") == disputed.word("currency")
        && apart.is_some_and(|apart| apart <= NEAR.unsigned_abs())
}

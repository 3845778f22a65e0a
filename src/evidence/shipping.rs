//! Shipping evidence of physical products: the address as given at the purchase, and carrier and tracking number as a
//! pair from one source.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Found, Object};
use super::{Draft, Filled, Known, Product, words};

pub(super) const FIELDS: [&str; 4] =
    ["shipping_address", "shipping_carrier", "shipping_date", "shipping_tracking_number"];

/// Adds what of it is wanted. A shipment that exists beside a digital order proves nothing, and the buyer would say so.
pub(super) fn fill(known: Known<'_>, wanted: &BTreeSet<&str>, already: &BTreeMap<String, String>, draft: &mut Draft) {
    if known.product != Product::Physical {
        return;
    }
    if wanted.contains("shipping_address") {
        add(draft, "shipping_address", known.metadata("shipping_address").or_else(|| address(known)));
    }
    if wanted.contains("shipping_date") {
        add(draft, "shipping_date", known.metadata("shipping_date"));
    }
    match pair(known) {
        Some((carrier, number)) => add_pair(draft, wanted, already, carrier, number),
        None if wanted.contains("shipping_tracking_number") && has_half(known) => draft.notes.push(
            "shipping_carrier, shipping_tracking_number: no source has both, and one without the other proves nothing"
                .to_owned(),
        ),
        None => {}
    }
}

fn add(draft: &mut Draft, field: &str, found: Option<Found>) {
    draft.fields.extend(found.map(|found| Filled::new(field, found.value, found.source)));
}

/// Both, unless one of them is there already and is another.
fn add_pair(
    draft: &mut Draft,
    wanted: &BTreeSet<&str>,
    already: &BTreeMap<String, String>,
    carrier: Found,
    number: Found,
) {
    let pair = [("shipping_carrier", carrier), ("shipping_tracking_number", number)];
    if let Some((field, _)) = pair.iter().find(|(field, found)| already.get(*field).is_some_and(|v| *v != found.value))
    {
        draft.notes.push(format!("{field} differs from {}: the other of the pair is not filled in", pair[0].1.source));
        return;
    }
    for (field, found) in pair.into_iter().filter(|(field, _)| wanted.contains(field)) {
        add(draft, field, Some(found));
    }
}

fn address(known: Known<'_>) -> Option<Found> {
    let sources = known.sources;
    let of = |object: &Object, path: &str| {
        let name = object.word(&format!("{path}.name")).map(str::to_owned);
        let value = words::address(name.as_deref(), object.at(&format!("{path}.address")))?;
        Some(Found { value, source: object.source(&format!("{path}.address")) })
    };
    of(&sources.first_charge, "shipping")
        .or_else(|| of(&sources.charge, "shipping"))
        .or_else(|| of(&sources.intent, "shipping"))
        .or_else(|| of(&sources.session, "collected_information.shipping_details"))
}

/// Carrier and tracking number, both from one object. As last seen: they are added when the parcel leaves.
fn pair(known: Known<'_>) -> Option<(Found, Found)> {
    let sources = known.sources;
    let shipped =
        |object: &Object| Some((object.found("shipping.carrier")?, object.found("shipping.tracking_number")?));
    let keys = |field| known.policy.keys(field);
    let written = |object: &Object| {
        Some((object.metadata(keys("shipping_carrier"))?, object.metadata(keys("shipping_tracking_number"))?))
    };
    shipped(&sources.charge)
        .or_else(|| shipped(&sources.intent))
        .or_else(|| written(&sources.charge))
        .or_else(|| written(&sources.intent))
        .or_else(|| written(&sources.session))
}

/// One of the two is known.
fn has_half(known: Known<'_>) -> bool {
    let objects = [&known.sources.charge, &known.sources.intent];
    let shipped = |object: &&Object| {
        object.word("shipping.carrier").is_some() || object.word("shipping.tracking_number").is_some()
    };
    let written = ["shipping_carrier", "shipping_tracking_number"].map(|field| known.metadata(field));
    objects.iter().any(shipped) || written.iter().any(Option::is_some)
}

//! Values for the evidence fields that a reason calls for, each from the first source that has one. Not here: the letter,
//! and fields of Visa Compelling Evidence 3.0.

use std::collections::{BTreeMap, BTreeSet};

use super::policy::{Standing, held_at};
use super::sources::{Found, Object, Sources};
use super::{CalledFor, Draft, Filled, Known, Policy, PolicyFile, Product, explanations, shipping, words};

/// Who bought what: said for every reason.
const ALWAYS: [&str; 5] =
    ["customer_name", "customer_email_address", "customer_purchase_ip", "billing_address", "product_description"];

/// Finds values for what the reason calls for and is not in `already`: our fields and files, and what Stripe filled in.
pub fn draft(
    sources: &Sources,
    policy: &Policy,
    product: Product,
    called_for: &[CalledFor],
    already: &BTreeMap<String, String>,
) -> Draft {
    let known = Known { sources, policy, product };
    let wanted = called_for.iter().map(|called| called.field.as_str()).chain(ALWAYS);
    let wanted: BTreeSet<_> = wanted.filter(|field| !already.contains_key(*field)).collect();
    let mut draft = Draft::default();
    for field in &wanted {
        if let Some(found) = text(known, field, already) {
            draft.fields.push(Filled::new(field, found.value, found.source));
        }
        draft.files.extend(policy_file(known, field));
    }
    shipping::fill(known, &wanted, already, &mut draft);
    if wanted.contains("duplicate_charge_id") {
        draft.notes.extend(explanations::other_charges(sources));
    }
    draft.fields.retain(|filled| fits(filled, &mut draft.notes));
    draft
}

/// The text for one field. Not here: shipping.
fn text(known: Known<'_>, field: &str, already: &BTreeMap<String, String>) -> Option<Found> {
    if shipping::FIELDS.contains(&field) {
        return None;
    }
    let Sources { first_charge: charge, session, .. } = known.sources;
    known.metadata(field).or_else(|| match field {
        "customer_email_address" => charge
            .found("billing_details.email")
            .or_else(|| charge.found("receipt_email"))
            .or_else(|| session.found("customer_details.email")),
        "customer_name" => charge
            .found("billing_details.name")
            .or_else(|| session.found("customer_details.name"))
            .or_else(|| session.found("collected_information.individual_name"))
            .or_else(|| charge.found("shipping.name")),
        "customer_purchase_ip" => known.sources.reviews.iter().find_map(|review| review.found("ip_address")),
        "billing_address" => billing_address(known.sources),
        "product_description" => product_description(known.sources),
        "service_date" => purchase_date(known),
        "refund_policy_disclosure" => disclosure(known, "refund_policy"),
        "cancellation_policy_disclosure" => disclosure(known, "cancellation_policy"),
        "refund_refusal_explanation" => explanations::refunds(known.sources),
        "duplicate_charge_explanation" => {
            explanations::two_orders(known.sources, already.get("duplicate_charge_id").map(String::as_str))
        }
        _ => None,
    })
}

/// The billing address, where the bank confirmed a part of it and denied none.
fn billing_address(sources: &Sources) -> Option<Found> {
    let check = |name: &str| sources.charge.word(&format!("payment_method_details.card.checks.{name}"));
    let checks = [check("address_line1_check"), check("address_postal_code_check")];
    if !checks.contains(&Some("pass")) || checks.contains(&Some("fail")) {
        return None;
    }
    let charge = &sources.first_charge;
    let value = words::address(charge.word("billing_details.name"), charge.at("billing_details.address"))?;
    Some(Found { value, source: charge.source("billing_details.address") })
}

pub(super) fn product_description(sources: &Sources) -> Option<Found> {
    items(&sources.session, "line_items")
        .or_else(|| items(&sources.intent, "amount_details.line_items"))
        .or_else(|| sources.first_charge.found("description"))
}

/// The line items at this path, if they came with the object: `2 × Blue shirt; Socks`.
fn items(object: &Object, path: &str) -> Option<Found> {
    let list = object.at(path);
    let items = list.get("data").unwrap_or(list).as_array()?.iter().filter_map(|item| {
        let name = ["description", "product_name"].iter().find_map(|field| item.get(field)?.as_str())?;
        let many = item.get("quantity").and_then(serde_json::Value::as_u64).filter(|count| *count > 1);
        Some(many.map_or_else(|| name.to_owned(), |count| format!("{count} × {name}")))
    });
    let value = items.collect::<Vec<_>>().join("; ");
    (!value.is_empty()).then(|| Found { value, source: object.source(path) })
}

/// What is digital is delivered when it is paid.
fn purchase_date(known: Known<'_>) -> Option<Found> {
    let value = (known.product == Product::Digital).then(|| words::date(known.sources.purchased_at()?))??;
    Some(Found { value, source: "charge.created".to_owned() })
}

/// The policy of this kind that held at the purchase.
fn held<'a>(known: Known<'a>, kind: &str) -> Option<&'a Standing> {
    let policies = match kind {
        "refund_policy" => &known.policy.refund_policy,
        "cancellation_policy" => &known.policy.cancellation_policy,
        _ => return None,
    };
    held_at(policies, known.sources.purchased_at()?, known.product)
}

fn disclosure(known: Known<'_>, kind: &str) -> Option<Found> {
    let standing = held(known, kind)?;
    let text = standing.disclosure.clone()?;
    let source = policy_source(kind, standing);
    if known.sources.session.word("consent.terms_of_service") != Some("accepted") {
        return Some(Found { value: text, source });
    }
    let at = known.sources.session.integer("created").and_then(words::date);
    let on = at.map(|at| format!(" on {at}")).unwrap_or_default();
    let value = format!("{text}\n\nThe customer accepted the terms of service at checkout{on}, before paying.");
    Some(Found { value, source: format!("{source}, session.consent.terms_of_service") })
}

fn policy_file(known: Known<'_>, field: &str) -> Option<PolicyFile> {
    let standing = held(known, field)?;
    let path = standing.file.clone()?;
    Some(PolicyFile { field: field.to_owned(), path, source: policy_source(field, standing) })
}

fn policy_source(kind: &str, standing: &Standing) -> String {
    format!("the {} of {}", kind.replace('_', " "), words::day(standing.from))
}

/// Most characters of a text field.
fn longest(field: &str) -> usize {
    const LONG: [&str; 7] = [
        "access_activity_log",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "duplicate_charge_explanation",
        "product_description",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
    ];
    if LONG.contains(&field) { 20_000 } else { 5_000 }
}

fn fits(filled: &Filled, notes: &mut Vec<String>) -> bool {
    let (given, most) = (filled.value.chars().count(), longest(&filled.field));
    if given > most {
        notes.push(format!("{}: {} has {given} characters, and at most {most} fit", filled.field, filled.source));
    }
    given <= most
}

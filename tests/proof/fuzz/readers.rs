//! Any event is read, ignored or refused by a field's name; what is read is in the body.

use std::collections::BTreeSet;

use clawback::domain::Facts;
use clawback::handlers::{HANDLERS, Reading, read};

use super::changes::{bodies, seeds};
use super::json::Json;
use super::{fuzz, runs, try_kept};

/// The path of a field has a few names of its own, and one word of Stripe's at most.
const LONGEST_FIELD: usize = 400;

#[test]
fn what_any_event_is_read_as_is_in_its_body() {
    try_kept("bodies", check);
    fuzz("readers", runs(10_000), &bodies(seeds()), |body| check(body));
}

/// So that the target reaches every reader.
#[test]
fn every_object_that_is_read_is_among_the_seeds() {
    let shown: BTreeSet<String> = seeds().iter().filter_map(|body| object_of(body)).collect();
    // Ours, and the old name of a warning.
    let others = ["clawback.link", "clawback.dismissal", "issuer_fraud_record"];
    for object in HANDLERS.iter().map(|handler| handler.object) {
        assert!(shown.contains(object) || others.contains(&object), "no seed shows a {object}: {shown:?}");
    }
}

fn object_of(body: &str) -> Option<String> {
    Some(Json::parse(body)?.get("data")?.get("object")?.get("object")?.text()?.to_owned())
}

fn check(body: &str) -> Result<(), String> {
    match read("evt_fuzz", body, "order_id") {
        Ok(Reading::Facts(facts, _, notes)) => {
            let json = Json::parse(body).ok_or("read, and not JSON")?;
            notes.iter().try_for_each(|note| is_short(&note.field))?;
            are_of(&facts, &json)?;
            come_back(&facts)?;
            with_more(&facts, body)
        }
        Ok(Reading::Ignored(reason)) if reason.is_empty() => Err("ignored without a reason".to_owned()),
        Ok(Reading::Ignored(_)) => Ok(()),
        Err(unreadable) => is_short(&unreadable.field),
    }
}

fn is_short(field: &str) -> Result<(), String> {
    if (1..=LONGEST_FIELD).contains(&field.len()) {
        Ok(())
    } else {
        Err(format!("a field's path of {} bytes", field.len()))
    }
}

/// Every id and every amount is one of the body's.
fn are_of(facts: &Facts, json: &Json) -> Result<(), String> {
    let (mut texts, mut numbers) = (BTreeSet::new(), BTreeSet::from([0]));
    json.visit(&mut |value| {
        texts.extend(value.text());
        numbers.extend(value.integer());
    });
    if let Some(id) = facts.ids().into_iter().find(|id| !texts.contains(id)) {
        return Err(format!("the id {id:?} is not in the body"));
    }
    let charges = facts.charges.values().flat_map(|charge| &charge.best).map(|best| &best.value);
    let charges = charges.flat_map(|c| [c.amount, c.amount_captured, c.amount_refunded]);
    let intents =
        facts.intents.values().flat_map(|intent| [intent.best.value.amount, intent.best.value.amount_received]);
    let refunds = facts.refunds.values().map(|refund| refund.best.value.amount);
    let disputes = facts.disputes.values().map(|dispute| dispute.child.best.value.amount);
    let entries = facts.disputes.values().flat_map(|dispute| dispute.balance.values()).map(|entry| entry.amount);
    let amounts: Vec<i64> = charges.chain(intents).chain(refunds).chain(disputes).collect();
    if let Some(amount) = amounts.iter().find(|amount| **amount < 0) {
        return Err(format!("the amount {amount} is negative"));
    }
    match amounts.into_iter().chain(entries).find(|amount| !numbers.contains(amount)) {
        Some(amount) => Err(format!("the amount {amount} is not in the body")),
        None => Ok(()),
    }
}

/// Facts are stored as `jsonb`, which holds no NUL, and read from there again.
fn come_back(facts: &Facts) -> Result<(), String> {
    let text = serde_json::to_string(facts).map_err(|error| error.to_string())?;
    if text.contains("\\u0000") {
        return Err(format!("a NUL in {text}"));
    }
    let again: Facts = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
    if again == *facts { Ok(()) } else { Err(format!("stored as {text}, they are others")) }
}

/// A field that nothing reads changes nothing.
fn with_more(facts: &Facts, body: &str) -> Result<(), String> {
    let more = body.replacen('{', r#"{"a_field_of_tomorrow":[{"id":"x","amount":7}],"#, 1);
    match read("evt_fuzz", &more, "order_id") {
        Ok(Reading::Facts(same, ..)) if same == *facts => Ok(()),
        other => Err(format!("with a new field it is {other:?}")),
    }
}

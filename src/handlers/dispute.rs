//! Disputes of every API version: evidence as text or hash, one balance transaction or several.

use std::collections::BTreeMap;

use super::origin::Origin;
use super::{balance, card, links};
use crate::domain::{BalanceEntry, Child, Dispute, DisputeFacts, Facts, Submissions};
use crate::stripe::object::{FieldError, Object};

/// Longest `enhanced_eligibility` that is kept, in bytes.
const MAX_ELIGIBILITY: usize = 5_000;

/// Reads a dispute (docs.stripe.com/api/disputes).
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let id = object.id("id")?;
    let count = submissions(origin, object);
    let dispute = snapshot(origin, object, count)?;
    let counted = count.map(|count| (dispute.phase(), Submissions { least: count, most: count }));
    let best = origin.sighting(dispute);
    let (links, mut facts) = links::read(origin, object, &best.stamp);
    let child = Child { best, charge: links.charge, intent: links.intent };
    let dispute = DisputeFacts { child, balance: entries(origin, object), submissions: counted.into_iter().collect() };
    facts.disputes.insert(id, dispute);
    Ok(facts)
}

/// How often evidence was submitted; none where the payload lacks the count.
fn submissions(origin: &Origin, object: &Object) -> Option<i64> {
    let details = origin.lenient(object.object("evidence_details"))?;
    origin.lenient(details.optional_amount("submission_count"))
}

fn snapshot(origin: &Origin, object: &Object, submissions: Option<i64>) -> Result<Dispute, FieldError> {
    // Until 2014-12-08 there was no such hash, and the deadline was a field of the dispute.
    let details = origin.lenient(object.object("evidence_details"));
    let details = details.as_ref().unwrap_or(object);
    let due_by = origin.lenient(details.optional_time("due_by"));
    let due_by = due_by.or_else(|| origin.lenient(object.optional_time("evidence_due_by")));
    let method = origin.lenient(object.object("payment_method_details"));
    let card = method.as_ref().and_then(|method| origin.lenient(method.object("card")));
    let of_card = |field| card.as_ref().and_then(|card| origin.lenient(card.optional_text(field)));
    Ok(Dispute {
        scope: origin.scope(),
        amount: object.amount("amount")?,
        currency: object.currency("currency")?,
        reason: origin.lenient(object.optional_text("reason")),
        network_reason_code: of_card("network_reason_code")
            .or(origin.lenient(object.optional_text("network_reason_code"))),
        payment_method: method.as_ref().and_then(|method| origin.lenient(method.optional_text("type"))),
        card_brand: method.as_ref().and_then(|method| card::brand(origin, method)),
        status: object.text("status")?,
        case_type: of_card("case_type"),
        due_by,
        has_evidence: origin.lenient(details.flag("has_evidence")).unwrap_or(false),
        past_due: origin.lenient(details.flag("past_due")).unwrap_or(false),
        submission_count: submissions.unwrap_or(0),
        intended_submission_method: origin.lenient(object.optional_text("intended_submission_method")),
        submission_method: origin.lenient(details.optional_text("submission_method")),
        enhanced_eligibility: origin.lenient(details.optional_json("enhanced_eligibility", MAX_ELIGIBILITY)),
        is_charge_refundable: origin.lenient(object.flag("is_charge_refundable")),
        created: origin.created(object),
    })
}

/// Balance transactions by id. Until 2014-08-20 there was one, possibly just an id. An entry that cannot be read is
/// skipped and noted: it must not cost us the dispute's status and deadline.
fn entries(origin: &Origin, object: &Object) -> BTreeMap<String, BalanceEntry> {
    let single = origin.lenient(object.link("balance_transaction")).and_then(|link| link.expanded);
    let entries = origin.list(object.objects("balance_transactions"));
    entries.iter().chain(&single).filter_map(|entry| origin.lenient(balance::entry(origin, entry).map(Some))).collect()
}

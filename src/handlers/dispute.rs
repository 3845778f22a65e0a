//! Disputes of every age: evidence as text or hash, one balance transaction or several.

use std::collections::BTreeMap;

use super::links;
use super::origin::Origin;
use crate::domain::{BalanceEntry, Child, Dispute, DisputeFacts, Facts, Submissions};
use crate::stripe::object::{Object, Unreadable};

/// Reads a dispute (docs.stripe.com/api/disputes).
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, Unreadable> {
    let id = object.id("id")?;
    let dispute = snapshot(origin, object)?;
    let rank = dispute.rank();
    let counted = submissions(object)?.map(|count| (dispute.phase(), Submissions { least: count, most: count }));
    let best = origin.sighting(dispute, rank, 0);
    let (links, mut facts) = links::read(origin, object, &best.stamp)?;
    let child = Child { best, charge: links.charge, intent: links.intent };
    let dispute = DisputeFacts { child, balance: balance(object)?, submissions: counted.into_iter().collect() };
    facts.disputes.insert(id, dispute);
    Ok(facts)
}

/// How often evidence was submitted: of a payload that does not say it nothing is known.
fn submissions(object: &Object) -> Result<Option<i64>, Unreadable> {
    object.object("evidence_details")?.map_or(Ok(None), |details| details.optional_amount("submission_count"))
}

fn snapshot(origin: &Origin, object: &Object) -> Result<Dispute, Unreadable> {
    // Until 2014-12-08 there was no such hash, and the deadline was a field of the dispute.
    let details = object.object("evidence_details")?;
    let details = details.as_ref().unwrap_or(object);
    let due_by = if details.has("due_by") {
        details.optional_time("due_by")?
    } else {
        object.optional_time("evidence_due_by")?
    };
    let method = object.object("payment_method_details")?;
    let card = method.as_ref().map(|method| method.object("card")).transpose()?.flatten();
    let of_card = |field| card.as_ref().map_or(Ok(None), |card| card.optional_text(field));
    Ok(Dispute {
        scope: origin.scope(),
        amount: object.amount("amount")?,
        currency: object.currency("currency")?,
        reason: object.optional_text("reason")?,
        network_reason_code: of_card("network_reason_code")?.or(object.optional_text("network_reason_code")?),
        payment_method: method.as_ref().map_or(Ok(None), |method| method.optional_text("type"))?,
        status: object.text("status")?,
        case_type: of_card("case_type")?,
        due_by,
        has_evidence: details.flag("has_evidence")?.unwrap_or(false),
        past_due: details.flag("past_due")?.unwrap_or(false),
        submission_count: submissions(object)?.unwrap_or(0),
        intended_submission_method: object.optional_text("intended_submission_method")?,
        submission_method: details.optional_text("submission_method")?,
        enhanced_eligibility: details.optional_json("enhanced_eligibility"),
        is_charge_refundable: object.flag("is_charge_refundable")?,
        created: object.time("created")?,
    })
}

/// Balance transactions by id. Until 2014-08-20 there was one, and it may be an id only.
fn balance(object: &Object) -> Result<BTreeMap<String, BalanceEntry>, Unreadable> {
    let single = object.link("balance_transaction")?.and_then(|link| link.expanded);
    let entries = object.objects("balance_transactions")?;
    entries.iter().chain(&single).map(|entry| Ok((entry.id("id")?, balance_entry(entry)?))).collect()
}

fn balance_entry(entry: &Object) -> Result<BalanceEntry, Unreadable> {
    Ok(BalanceEntry {
        created: entry.time("created")?,
        amount: entry.optional_integer("amount")?.ok_or_else(|| entry.wrong("amount", "is missing"))?,
        fee: entry.optional_integer("fee")?.unwrap_or(0),
        currency: entry.currency("currency")?,
        exchange_rate: entry.optional_rate("exchange_rate"),
    })
}

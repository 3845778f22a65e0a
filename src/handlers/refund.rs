//! Refunds: those that come in events of their own, and those nested in charges.

use super::links;
use super::origin::{Origin, beside};
use crate::domain::{Child, Facts, Refund};
use crate::stripe::object::{FieldError, Object, is_name};

/// Reads a refund (docs.stripe.com/api/refunds). It may name its charge, its intent, both or neither.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    read_with_status(origin, object, None)
}

/// Reads a refund inside a charge: one without a status has succeeded. The oldest versions nest refunds
/// without an id; their sum is the charge's `amount_refunded`, so nothing is lost by skipping them. It belongs to the
/// charge that nests it, and to that charge's intent, whatever it names itself.
pub(super) fn read_nested(
    origin: &Origin,
    object: &Object,
    charge_id: &str,
    intent_id: Option<&str>,
) -> Result<Facts, FieldError> {
    if !object.has("id") {
        return Ok(Facts::default());
    }
    let mut facts = read_with_status(origin, object, Some("succeeded"))?;
    facts.charges.retain(|id, _| id == charge_id);
    for refund in facts.refunds.values_mut() {
        refund.charge = Some(beside(&refund.best, charge_id.to_owned()));
        if let (Some(named), Some(intent_id)) = (&mut refund.intent, intent_id) {
            intent_id.clone_into(&mut named.value);
        }
    }
    Ok(facts)
}

fn read_with_status(origin: &Origin, object: &Object, default: Option<&str>) -> Result<Facts, FieldError> {
    let id = object.id("id")?;
    let destination = origin.lenient(object.object("destination_details"));
    let destination_type = destination.as_ref().and_then(|d| origin.lenient(d.optional_text("type")));
    let named = destination_type.as_deref().filter(|kind| is_name(kind));
    let details = destination.zip(named).and_then(|(d, kind)| origin.lenient(d.object(kind)));
    let detail = |field| details.as_ref().and_then(|details| origin.lenient(details.optional_text(field)));
    let refund = Refund {
        scope: origin.scope(),
        amount: object.amount("amount")?,
        currency: object.currency("currency")?,
        status: object
            .optional_text("status")?
            .or_else(|| default.map(str::to_owned))
            .unwrap_or_else(|| "unknown".to_owned()),
        reason: origin.lenient(object.optional_text("reason")),
        failure_reason: origin.lenient(object.optional_text("failure_reason")),
        pending_reason: origin.lenient(object.optional_text("pending_reason")),
        reference: detail("reference"),
        reference_status: detail("reference_status"),
        metadata: origin.metadata(object),
        destination_type,
        created: origin.created(object),
    };
    let best = origin.sighting(refund);
    let (links, mut facts) = links::read(origin, object, &best.stamp);
    facts.refunds.insert(id, Child { best, charge: links.charge, intent: links.intent });
    Ok(facts)
}

//! Charges, with the refunds and the dispute that older API versions nest in them.

use super::origin::{Origin, beside};
use super::{balance, card, connect, payer, refund};
use crate::domain::{BalanceEntry, Charge, ChargeFacts, Facts, Shown};
use crate::stripe::object::{FieldError, Link, Object};

/// Reads a charge. Before 2014 it has no `status`, older versions lack `amount_captured`
/// (docs.stripe.com/api/charges). Since 2025-03-31.basil, only the event's type shows that an authorization expired
/// (docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow).
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let id = object.id("id")?;
    let charge = snapshot(origin, object)?;
    payer::read(origin, object, &id, Some("billing_details"));
    let refunded = charge.amount_refunded;
    let is_captured = charge.amount_captured > 0;
    let all_of_less = charge.refunded && refunded < charge.amount;
    let shown =
        (charge.amount_captured, Shown { since: origin.at(), least: refunded, least_at: origin.at(), all_of_less });
    let best = origin.sighting(charge);
    let intent = origin.lenient(object.link("payment_intent"));
    let charge = ChargeFacts {
        intent: intent.as_ref().map(|link| beside(&best, link.id.clone())),
        order_ref: origin.order_ref(object).map(|reference| beside(&best, reference)),
        shown: is_captured.then_some(shown).into_iter().collect(),
        rendering: origin.rendering().map(|rendering| beside(&best, rendering)),
        settled: settled(origin, object),
        // Only the event's type shows it: nothing in the charge changes.
        expired: matches!(origin.kind(), "charge.expired" | "v1.charge.expired") && origin.is_about(&id),
        best: Some(best),
    };
    let mut facts = nested(origin, object, &id, intent);
    // Last, so that the object itself wins over its own copy inside another.
    facts.join(Facts { charges: [(id, charge)].into(), ..Facts::default() });
    Ok(facts)
}

fn nested(origin: &Origin, object: &Object, id: &str, intent: Option<Link>) -> Facts {
    let mut facts = Facts::default();
    let intent_id = intent.as_ref().map(|link| link.id.as_str());
    for refund in origin.list(object.objects("refunds")) {
        facts.join(origin.or_nothing(refund::read_nested(origin, &refund, id, intent_id)));
    }
    if let Some(expanded) = intent.and_then(|link| link.expanded) {
        facts.join(origin.nested("payment_intent", &expanded));
    }
    // Until 2017-02-14 the whole dispute was nested here; a mere id adds nothing.
    if let Some(expanded) = origin.lenient(object.link("dispute")).and_then(|link| link.expanded) {
        facts.join(origin.nested("dispute", &expanded));
    }
    facts
}

fn snapshot(origin: &Origin, object: &Object) -> Result<Charge, FieldError> {
    let amount = object.amount("amount")?;
    let paid = origin.lenient(object.flag("paid"));
    let status = object.optional_text("status")?;
    // In 2012 there was neither field, and a paid charge was captured.
    let captured = origin.lenient(object.flag("captured")).unwrap_or(status.is_none() && paid == Some(true));
    let status = status.unwrap_or_else(|| status_before_2014(paid, captured).to_owned());
    // A bank debit shows its amount as captured before it settles, and still does after it fails.
    let amount_captured = match status.as_str() {
        "pending" | "failed" => 0,
        _ => object.optional_amount("amount_captured")?.unwrap_or(if captured { amount } else { 0 }),
    };
    let details = origin.lenient(object.object("payment_method_details"));
    Ok(Charge {
        scope: origin.scope(),
        amount,
        amount_captured,
        amount_refunded: object.optional_amount("amount_refunded")?.unwrap_or(0),
        refunded: origin.lenient(object.flag("refunded")).unwrap_or(false),
        // Versions without the flag name the dispute.
        disputed: origin
            .lenient(object.flag("disputed"))
            .unwrap_or_else(|| origin.lenient(object.link("dispute")).is_some()),
        currency: object.currency("currency")?,
        status,
        created: origin.created(object),
        payment_method: details.as_ref().and_then(|details| origin.lenient(details.optional_text("type"))),
        card_brand: details.as_ref().and_then(|details| card::brand(origin, details)),
        failure_code: origin.lenient(object.optional_text("failure_code")),
        has_transfer: connect::has_transfer(object),
        has_fee: connect::has_fee(object),
        refunds: origin.list(object.objects("refunds")).iter().filter_map(|refund| refund.id("id").ok()).collect(),
    })
}

/// The charge's balance transaction; none unless it was expanded.
fn settled(origin: &Origin, object: &Object) -> Option<BalanceEntry> {
    let entry = origin.lenient(object.link("balance_transaction"))?.expanded?;
    origin.lenient(balance::entry(origin, &entry).map(Some)).map(|(_, entry)| entry)
}

fn status_before_2014(paid: Option<bool>, captured: bool) -> &'static str {
    match paid {
        Some(true) => "succeeded",
        Some(false) => "failed",
        None if captured => "succeeded",
        None => "pending",
    }
}

//! Payment intents, with the charges that versions before 2022-11-15 nest in them.

use super::origin::{Origin, beside};
use super::{connect, payer};
use crate::domain::{ChargeFacts, Facts, Intent, IntentFacts};
use crate::stripe::object::{FieldError, Object};

/// Reads a payment intent (docs.stripe.com/api/payment_intents).
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let id = object.id("id")?;
    let intent = snapshot(origin, object)?;
    payer::read(origin, object, &id, None);
    let received = Some((intent.amount_received, origin.at())).filter(|(amount, _)| *amount > 0);
    let best = origin.sighting(intent);
    let mut facts = Facts::default();
    let latest = origin.lenient(object.link("latest_charge"));
    let nested = latest.as_ref().and_then(|link| link.expanded.as_ref());
    let listed = origin.list(object.objects("charges"));
    let mut named: Vec<String> = latest.iter().map(|link| link.id.clone()).collect();
    for charge in nested.into_iter().chain(&listed) {
        facts.join(origin.nested("charge", charge));
        // Even where the charge cannot be read, its id is a link.
        named.extend(charge.id("id").ok());
    }
    for charge in named {
        let link = ChargeFacts { intent: Some(beside(&best, id.clone())), ..ChargeFacts::default() };
        facts.join(Facts { charges: [(charge, link)].into(), ..Facts::default() });
    }
    let order_ref = origin.order_ref(object).map(|reference| beside(&best, reference));
    facts.join(Facts {
        intents: [(id, IntentFacts { best, order_ref, received: received.into_iter().collect() })].into(),
        ..Facts::default()
    });
    Ok(facts)
}

fn snapshot(origin: &Origin, object: &Object) -> Result<Intent, FieldError> {
    let status = object.text("status")?;
    let failure = origin.lenient(object.object("last_payment_error"));
    let waits_for_method = matches!(status.as_str(), "requires_payment_method" | "requires_source");
    Ok(Intent {
        scope: origin.scope(),
        amount: object.amount("amount")?,
        amount_received: object.optional_amount("amount_received")?.unwrap_or(0),
        currency: object.currency("currency")?,
        last_attempt_failed: waits_for_method && failure.is_some(),
        status,
        cancellation_reason: origin.lenient(object.optional_text("cancellation_reason")),
        has_transfer: connect::has_transfer(object),
        has_fee: connect::has_fee(object),
    })
}

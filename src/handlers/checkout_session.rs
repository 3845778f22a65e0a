//! Checkout sessions: read for their order reference, never as proof of payment.

use super::origin::{Origin, beside, reference};
use super::{links, payer};
use crate::domain::{Child, Facts, Session, SessionFacts};
use crate::stripe::object::{FieldError, Object};

/// Reads a checkout session (docs.stripe.com/api/checkout/sessions). Behind a payment link the buyer
/// chooses `client_reference_id`, so there it is not used.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let id = object.id("id")?;
    let session = Session { scope: origin.scope(), currency: origin.lenient(object.optional_currency("currency")) };
    payer::read(origin, object, &id, Some("customer_details"));
    let best = origin.sighting(session);
    let (links, mut facts) = links::read(origin, object, &best.stamp);
    let client_ref = origin.lenient(reference(object, "client_reference_id"));
    let payment_link = origin.lenient(object.link("payment_link"));
    let session = SessionFacts {
        order_ref: origin.order_ref(object).map(|reference| beside(&best, reference)),
        client_ref: client_ref.filter(|_| payment_link.is_none()).map(|reference| beside(&best, reference)),
        child: Child { best, charge: links.charge, intent: links.intent },
    };
    facts.sessions.insert(id, session);
    Ok(facts)
}

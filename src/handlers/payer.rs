//! Payers, as named by charges, intents and sessions. For people with the right to see them; they decide nothing.

use super::origin::Origin;
use crate::stripe::object::Object;

/// Notes the payer an object names: the customer, and the e-mail address and name in the field that describes the
/// payer, if it has one.
pub(super) fn read(origin: &Origin, object: &Object, id: &str, details: Option<&str>) {
    let customer = origin.lenient(object.link("customer"));
    let details = details.and_then(|field| origin.lenient(object.object(field)));
    let detail = |field| details.as_ref().and_then(|details| origin.lenient(details.optional_text(field)));
    let of_receipt = || origin.lenient(object.optional_text("receipt_email"));
    let (email, name) = (detail("email").or_else(of_receipt), detail("name"));
    origin.note_payer(id, customer.map(|link| link.id), email, name);
}

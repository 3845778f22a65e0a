//! Who paid, as charges, intents and sessions say. It is read for the people who may see it, and decides nothing.

use super::origin::Origin;
use crate::stripe::object::Object;

/// Notes whom an object names: the customer, and of the field that describes the payer, by its name, e-mail address
/// and name.
pub(super) fn read(origin: &Origin, object: &Object, id: &str, details: &str) {
    let customer = origin.lenient(object.link("customer"));
    let details = origin.lenient(object.object(details));
    let detail = |field| details.as_ref().and_then(|details| origin.lenient(details.optional_text(field)));
    let of_receipt = || origin.lenient(object.optional_text("receipt_email"));
    let (email, name) = (detail("email").or_else(of_receipt), detail("name"));
    origin.meet(id, customer.map(|link| link.id), email, name);
}

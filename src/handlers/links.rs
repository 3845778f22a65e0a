//! The charge and the payment intent that a refund, dispute or session names.

use super::origin::Origin;
use crate::domain::{ChargeFacts, Facts, Latest, Stamp};
use crate::stripe::object::Object;

/// The objects that an object names, each with when it was seen.
pub(super) struct Links {
    pub charge: Option<Latest<String>>,
    pub intent: Option<Latest<String>>,
}

/// Reads `charge` and `payment_intent` of an object, and the objects expanded in their place. An object
/// that names both shows that the charge belongs to the intent.
pub(super) fn read(origin: &Origin, object: &Object, stamp: &Stamp) -> (Links, Facts) {
    let latest = |id: &String| Latest { stamp: stamp.clone(), value: id.clone() };
    let mut facts = Facts::default();
    let charge = origin.lenient(object.link("charge"));
    let intent = origin.lenient(object.link("payment_intent"));
    let links = Links {
        charge: charge.as_ref().map(|link| latest(&link.id)),
        intent: intent.as_ref().map(|link| latest(&link.id)),
    };
    if let (Some(charge), Some(_)) = (&links.charge, &links.intent) {
        let link = ChargeFacts { intent: links.intent.clone(), ..ChargeFacts::default() };
        facts.charges.insert(charge.value.clone(), link);
    }
    if let Some(expanded) = charge.and_then(|link| link.expanded) {
        facts.join(origin.nested("charge", &expanded));
    }
    if let Some(expanded) = intent.and_then(|link| link.expanded) {
        facts.join(origin.nested("payment_intent", &expanded));
    }
    (links, facts)
}

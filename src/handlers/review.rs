//! Radar reviews: an open one holds the order.

use super::links;
use super::origin::Origin;
use crate::domain::{Child, Facts, Review};
use crate::stripe::object::{FieldError, Object};

/// Reads a review (docs.stripe.com/api/radar/reviews). Older versions give the reason for opening, and later for
/// closing, only in `reason`.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let id = object.id("id")?;
    let open = object.flag("open")?.ok_or_else(|| object.wrong("open", "is missing"))?;
    let reason = origin.lenient(object.optional_text("reason"));
    let review = Review {
        scope: origin.scope(),
        open,
        opened_reason: origin.lenient(object.optional_text("opened_reason")).or(reason.clone().filter(|_| open)),
        closed_reason: origin.lenient(object.optional_text("closed_reason")).or(reason).filter(|_| !open),
        created: origin.created(object),
    };
    let best = origin.sighting(review);
    let (links, mut facts) = links::read(origin, object, &best.stamp);
    facts.reviews.insert(id, Child { best, charge: links.charge, intent: links.intent });
    Ok(facts)
}

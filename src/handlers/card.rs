//! The card network of a payment.

use super::origin::Origin;
use crate::stripe::object::Object;

/// The network that processed the payment, else the card's brand; none unless it was made with a card, and not at a
/// terminal. A card of two brands counts for the network that was used.
pub(super) fn brand(origin: &Origin, payment_method_details: &Object) -> Option<String> {
    let card = origin.lenient(payment_method_details.object("card"))?;
    let word = |field| origin.lenient(card.optional_text(field));
    word("network").or_else(|| word("brand"))
}

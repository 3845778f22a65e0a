//! Who else has a share of a charge or a payment intent: a connected account by a transfer, the platform by a fee.

use crate::stripe::object::Object;

/// Part of the money goes to a connected account (docs.stripe.com/connect/destination-charges); `destination` is the
/// name that older versions give it.
pub(super) fn has_transfer(object: &Object) -> bool {
    ["transfer_data", "transfer", "destination"].iter().any(|field| object.has(field))
}

/// The platform takes an application fee (docs.stripe.com/connect/direct-charges#collect-fees).
pub(super) fn has_fee(object: &Object) -> bool {
    ["application_fee_amount", "application_fee"].iter().any(|field| object.has(field))
}

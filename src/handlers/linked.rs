//! Our own event `clawback.linked`: somebody said which order a payment is for.
//!
//! Written by `clawback_v1.link_payment`, and an input like Stripe's: the ledger stays the whole truth.

use super::origin::{Origin, reference};
use crate::domain::{Facts, Latest};
use crate::stripe::object::{FieldError, Object};

/// Reads a link. `microsecond` tells two links of one second apart: the latest wins.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let payment_id = object.id("id")?;
    let order_id = reference(object, "order_id")?.ok_or_else(|| object.wrong("order_id", "is missing"))?;
    let link = Latest { stamp: origin.stamp(0, object.amount("microsecond")?), value: order_id };
    Ok(Facts { order_links: [(payment_id, link)].into(), ..Facts::default() })
}

//! Our own event `clawback.linked`: somebody linked a payment to an order.
//!
//! Written by `clawback_v1.link_payment`, and stored in the ledger like an event of Stripe's: the ledger stays
//! complete.

use super::origin::{Origin, reference};
use crate::domain::{Facts, Latest};
use crate::stripe::object::{FieldError, Object};

/// Reads a link. `microsecond` orders links of the same second: the latest wins.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let payment_id = object.id("id")?;
    let order_id = reference(object, "order_id")?.ok_or_else(|| object.wrong("order_id", "is missing"))?;
    let link = Latest { stamp: origin.stamp(0, object.amount("microsecond")?), value: order_id };
    Ok(Facts { order_links: [(payment_id, link)].into(), ..Facts::default() })
}

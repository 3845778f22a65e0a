//! Our own event `clawback.dismissed`: somebody dismissed an early fraud warning.
//!
//! Written by `clawback_v1.dismiss_warning`, and stored in the ledger like an event of Stripe's.

use super::origin::Origin;
use crate::domain::Facts;
use crate::stripe::object::{FieldError, Object};

/// Reads a dismissal.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let dismissal = origin.stamp(0, 0);
    Ok(Facts { dismissals: [(object.id("id")?, dismissal)].into(), ..Facts::default() })
}

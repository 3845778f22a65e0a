//! Our own event `clawback.dismissed`: somebody looked at an early fraud warning, and it is settled.
//!
//! Written by `clawback_v1.dismiss_warning`, and an input like Stripe's.

use super::origin::Origin;
use crate::domain::Facts;
use crate::stripe::object::{FieldError, Object};

/// Reads a dismissal.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let dismissal = origin.stamp(0, 0);
    Ok(Facts { dismissals: [(object.id("id")?, dismissal)].into(), ..Facts::default() })
}

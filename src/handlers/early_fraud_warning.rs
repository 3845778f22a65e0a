//! Early fraud warnings: an issuer's report that may become a dispute.

use super::links;
use super::origin::Origin;
use crate::domain::{Child, Facts, Warning};
use crate::stripe::object::{FieldError, Object};

/// Reads an early fraud warning (docs.stripe.com/api/radar/early_fraud_warnings). Under its old name,
/// `issuer_fraud_record`, it has no `actionable`.
pub(super) fn read(origin: &Origin, object: &Object) -> Result<Facts, FieldError> {
    let id = object.id("id")?;
    let warning = Warning {
        scope: origin.scope(),
        fraud_type: origin.lenient(object.optional_text("fraud_type")),
        actionable: origin.lenient(object.flag("actionable")),
        created: origin.created(object),
    };
    let best = origin.sighting(warning);
    let (links, mut facts) = links::read(origin, object, &best.stamp);
    facts.warnings.insert(id, Child { best, charge: links.charge, intent: links.intent });
    Ok(facts)
}

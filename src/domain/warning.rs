//! Whether an early fraud warning is still actionable.

use super::facts::{Child, Facts};
use super::snapshot::{Latest, Warning};

impl Facts {
    /// Actionable by its latest snapshot, not dismissed, and its charge has neither a dispute nor a full refund: those
    /// settle the warning before the event that reports it. False for an unknown warning.
    #[must_use]
    pub fn is_actionable(&self, warning_id: &str) -> bool {
        let actionable = |warning: &Child<Warning>| warning.best.value.actionable == Some(true);
        let Some(warning) = self.warnings.get(warning_id).filter(|warning| actionable(warning)) else { return false };
        let charge = self.charge_named(warning.charge.as_ref());
        let disputed = self.disputes.values().any(|dispute| {
            let other = self.charge_named(dispute.child.charge.as_ref());
            charge.is_none() || other.is_none() || charge == other
        });
        !disputed && !self.is_fully_refunded(charge) && !self.dismissals.contains_key(warning_id)
    }

    /// The charge that a child names, else the one that stands for the payment.
    fn charge_named<'a>(&'a self, link: Option<&'a Latest<String>>) -> Option<&'a str> {
        link.map(|link| link.value.as_str()).or_else(|| self.main_charge().map(|(id, _)| id))
    }

    /// Whether the charge's captured amount was fully refunded; for a charge not seen, the payment's.
    fn is_fully_refunded(&self, charge_id: Option<&str>) -> bool {
        match charge_id.and_then(|id| Some((id, self.seen(id)?.0))) {
            Some((id, charge)) => charge.amount_captured > 0 && self.amount_refunded_of(id) >= charge.amount_captured,
            None => self.amount_paid().is_some_and(|paid| paid > 0 && self.amount_refunded() >= paid),
        }
    }
}

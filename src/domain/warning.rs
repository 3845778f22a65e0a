//! Whether an early fraud warning still asks for something.

use super::facts::{Child, Facts};
use super::snapshot::{Latest, Warning};

impl Facts {
    /// Stripe's latest word says so, nobody dismissed it, and its charge has neither a dispute nor a full refund: those
    /// end it, and the event that says so comes later. False for a warning that is not here.
    #[must_use]
    pub fn is_actionable(&self, warning_id: &str) -> bool {
        let asks = |warning: &Child<Warning>| warning.best.value.actionable == Some(true);
        let Some(warning) = self.warnings.get(warning_id).filter(|warning| asks(warning)) else { return false };
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

    /// All that was captured of the charge went back; of a charge that was not seen, all of the payment.
    fn is_fully_refunded(&self, charge_id: Option<&str>) -> bool {
        match charge_id.and_then(|id| Some((id, self.seen(id)?.0))) {
            Some((id, charge)) => charge.amount_captured > 0 && self.amount_refunded_of(id) >= charge.amount_captured,
            None => self.amount_paid().is_some_and(|paid| paid > 0 && self.amount_refunded() >= paid),
        }
    }
}

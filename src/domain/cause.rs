//! When the cause of a follow-up happened, in unix seconds. A cause from before the service's start is history.

use super::facts::Facts;

impl Facts {
    /// When the latest snapshot of a charge was taken.
    pub(super) fn shown_at(&self, charge_id: &str) -> Option<i64> {
        self.charges.get(charge_id)?.best.as_ref().map(|best| best.stamp.at)
    }

    /// When the latest refund or loss happened.
    pub(super) fn went_back_at(&self) -> Option<i64> {
        let releases = self.releases();
        let refunds = self.refunds.iter().map(|(id, refund)| (id, &refund.best.value));
        let refunds = refunds.filter(|(id, refund)| refund.is_live() && !releases.contains(id.as_str()));
        let disputes = self.disputes.values().filter(|dispute| dispute.seen().ended_badly());
        let charges = self.unexplained().into_iter().filter_map(|unexplained| self.shown_at(unexplained.charge_id));
        refunds.map(|(_, refund)| refund.created).chain(disputes.map(|d| d.child.best.stamp.at)).chain(charges).max()
    }

    /// When any reason to hold last changed.
    pub(super) fn last_reason_at(&self) -> Option<i64> {
        let disputes = self.disputes.values().map(|dispute| &dispute.child.best.stamp);
        let warnings = self.warnings.values().map(|warning| &warning.best.stamp).chain(self.dismissals.values());
        let reviews = self.reviews.values().map(|review| &review.best.stamp);
        disputes.chain(warnings).chain(reviews).map(|stamp| stamp.at).max()
    }
}

//! What was paid, refunded and lost of one payment, from its facts alone.
//!
//! Sums are made in 128 bits and end at the largest 64-bit amount: a sum can never wrap.

use super::facts::{Charge, ChargeFacts, Facts, Refund};

/// What of one charge went back, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refunded {
    /// Back for certain or on its way: live refunds and what only the charge tells of.
    pub total: i64,
    /// The part that no known refund explains: an endpoint that gets `charge.refunded` only.
    pub unexplained: i64,
    /// The total that the charge shows, without what was never captured.
    pub shown: i64,
}

impl Refund {
    /// Counts as money back: neither failed nor canceled. A word not known yet counts.
    pub(super) fn is_live(&self) -> bool {
        !matches!(self.status.as_str(), "failed" | "canceled")
    }

    /// The release of money that was never captured. Stripe makes it by itself and calls it a refund.
    fn is_release(&self) -> bool {
        self.reason.as_deref() == Some("expired_uncaptured_charge")
    }
}

impl Charge {
    /// An authorization that was let go: nothing captured, all of it shown as refunded.
    pub(super) fn is_void(&self) -> bool {
        self.amount_captured == 0 && (self.refunded || (self.amount > 0 && self.amount_refunded >= self.amount))
    }

    /// What the charge shows as refunded, without the released rest of a partial capture.
    fn shown(&self) -> i64 {
        let released = self.amount.saturating_sub(self.amount_captured).max(0);
        self.amount_refunded.saturating_sub(released).max(0)
    }
}

impl Facts {
    /// The charges with a snapshot.
    pub(super) fn seen_charges(&self) -> impl Iterator<Item = (&str, &Charge)> {
        self.charges.iter().filter_map(|(id, facts)| Some((id.as_str(), &facts.best.as_ref()?.value)))
    }

    /// The charge that stands for the payment: the captured, then the newest, then the largest id.
    pub(super) fn main_charge(&self) -> Option<(&str, &Charge)> {
        self.seen_charges().max_by_key(|(id, charge)| (charge.amount_captured > 0, charge.created, *id))
    }

    /// The currency of the payment: the charge's, else the intent's, else that of its earliest refund,
    /// dispute or session.
    pub(super) fn currency(&self) -> Option<&str> {
        let charge = self.main_charge().map(|(_, c)| c.currency.as_str());
        let intent = || self.intents.values().next().map(|i| i.best.value.currency.as_str());
        let refund = || {
            self.refunds
                .iter()
                .min_by_key(|(id, r)| (r.best.value.created, *id))
                .map(|(_, r)| r.best.value.currency.as_str())
        };
        let dispute = || {
            self.disputes.iter().min_by_key(|(id, d)| (d.seen().created, *id)).map(|(_, d)| d.seen().currency.as_str())
        };
        let session = || self.sessions.values().find_map(|s| s.child.best.value.currency.as_deref());
        charge.or_else(intent).or_else(refund).or_else(dispute).or_else(session)
    }

    /// What was captured; none until a charge or an intent was seen.
    pub(super) fn amount_paid(&self) -> Option<i64> {
        let captured = self.main_charge().map(|_| sum(self.seen_charges().map(|(_, c)| c.amount_captured)));
        let received = self.intents.values().map(|i| i.best.value.amount_received).max();
        captured.max(received)
    }

    /// What went back over all charges, and by refunds whose charge was not seen.
    pub(super) fn amount_refunded(&self) -> i64 {
        let by_charge = self.seen_charges().map(|(id, _)| self.refunded(id).total);
        let elsewhere = (self.refunds.iter())
            .filter(|(id, _)| self.charge_of_refund(id).is_none_or(|charge| self.seen(charge).is_none()))
            .map(|(_, refund)| &refund.best.value)
            .filter(|refund| refund.is_live() && !refund.is_release() && self.counts(&refund.currency));
        sum(by_charge.chain(elsewhere.map(|refund| refund.amount)))
    }

    /// What of one charge went back. Nothing for a charge with nothing captured: that is a void.
    pub(super) fn refunded(&self, charge_id: &str) -> Refunded {
        let nothing = Refunded { total: 0, unexplained: 0, shown: 0 };
        let Some((charge, seen_at)) = self.seen(charge_id).filter(|(charge, _)| charge.amount_captured > 0) else {
            return nothing;
        };
        let known =
            || self.refunds_of(charge_id).filter(|refund| self.counts(&refund.currency) && !refund.is_release());
        let live = sum(known().filter(|refund| refund.is_live()).map(|refund| refund.amount));
        let explained = sum(known().filter(|refund| refund.created <= seen_at).map(|refund| refund.amount));
        let shown = charge.shown();
        let unexplained = shown.saturating_sub(explained).max(0);
        Refunded { total: live.saturating_add(unexplained).min(charge.amount_captured), unexplained, shown }
    }

    /// Whether a refund took money back from the merchant: not a void, not a release.
    pub(super) fn returns_money(&self, refund_id: &str, refund: &Refund) -> bool {
        let captured = self
            .charge_of_refund(refund_id)
            .and_then(|charge| self.seen(charge))
            .is_none_or(|(charge, _)| charge.amount_captured > 0);
        captured && !refund.is_release()
    }

    /// The charge a refund is of: the one it names, else the payment's main charge.
    pub(super) fn charge_of_refund(&self, refund_id: &str) -> Option<&str> {
        let named = self.refunds.get(refund_id)?.charge.as_ref().map(|link| link.value.as_str());
        named.or_else(|| self.main_charge().map(|(id, _)| id))
    }

    /// Whether money in this currency can be added to the payment's.
    pub(super) fn counts(&self, currency: &str) -> bool {
        self.currency() == Some(currency)
    }

    fn refunds_of(&self, charge_id: &str) -> impl Iterator<Item = &Refund> {
        (self.refunds.iter())
            .filter(move |(id, _)| self.charge_of_refund(id) == Some(charge_id))
            .map(|(_, refund)| &refund.best.value)
    }

    /// A charge's best snapshot, and when it was taken.
    pub(super) fn seen(&self, charge_id: &str) -> Option<(&Charge, i64)> {
        let ChargeFacts { best, .. } = self.charges.get(charge_id)?;
        best.as_ref().map(|latest| (&latest.value, latest.stamp.at))
    }
}

/// The sum of amounts that are not negative, at most the largest 64-bit amount.
pub(super) fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    i64::try_from(amounts.map(i128::from).sum::<i128>()).unwrap_or(i64::MAX)
}

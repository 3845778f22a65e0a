//! What was paid, refunded and lost of one payment, from its facts alone.
//!
//! Sums are made in 128 bits and end at the largest 64-bit amount: a sum can never wrap.

use std::cmp::Reverse;

use super::facts::{Charge, ChargeFacts, Facts, Latest, Refund};

/// So many seconds a refund's own `created` may lie after the event of the charge that counts it: recorded deliveries
/// show it up to seconds off.
const SLACK: i64 = 10;

/// What one charge shows as refunded and no known refund explains, in minor units: an endpoint that gets
/// `charge.refunded` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unexplained<'a> {
    pub charge_id: &'a str,
    pub charge: &'a Charge,
    pub amount: i64,
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

    /// What went back, or is on its way: of the captured charges at most what was captured, and by refunds whose
    /// charge was not seen.
    pub(super) fn amount_refunded(&self) -> i64 {
        let unexplained = self.unexplained();
        let by_charge = self.captured_charges().map(|(id, best)| {
            let live = self.refunds_naming(id).filter(|(_, refund)| refund.is_live());
            let live = sum(live.map(|(_, refund)| refund.amount));
            let unexplained = unexplained.iter().filter(|u| u.charge_id == id).map(|u| u.amount);
            sum(unexplained.chain([live])).min(best.value.amount_captured)
        });
        let unnamed = self.unnamed_refunds().filter(|refund| refund.is_live()).map(|refund| refund.amount);
        let captured = sum(self.captured_charges().map(|(_, best)| best.value.amount_captured));
        let of_seen = sum(by_charge.chain(unnamed)).min(captured);
        sum(self.refunds_elsewhere().filter(|refund| refund.is_live()).map(|refund| refund.amount).chain([of_seen]))
    }

    /// What the charges show as refunded beyond the known refunds, whatever became of those: of each charge the
    /// refunds that name it, nested in it or made before it was seen. A refund that names the intent only explains
    /// whichever total there is: put to one of several charges it could count there, and again in the total of another.
    pub(super) fn unexplained(&self) -> Vec<Unexplained<'_>> {
        let seen_at = self.captured_charges().map(|(_, best)| best.stamp.at).max().unwrap_or(0);
        let unnamed = self.unnamed_refunds().filter(|refund| refund.created <= seen_at.saturating_add(SLACK));
        let mut unnamed = sum(unnamed.map(|refund| refund.amount));
        let all = self.captured_charges().map(|(charge_id, best)| {
            let made_before = |refund: &Refund| refund.created <= best.stamp.at.saturating_add(SLACK);
            let known = self.refunds_naming(charge_id);
            let known = known.filter(|(id, refund)| made_before(refund) || best.value.refunds.contains(*id));
            let shown = best.value.shown();
            let beyond = shown.saturating_sub(sum(known.map(|(_, refund)| refund.amount))).max(0);
            let amount = beyond.saturating_sub(unnamed).max(0);
            unnamed -= beyond - amount;
            Unexplained { charge_id, charge: &best.value, amount, shown }
        });
        all.filter(|unexplained| unexplained.amount > 0).collect()
    }

    /// Whether a refund took money back from the merchant: not a void, not a release.
    pub(super) fn returns_money(&self, refund_id: &str, refund: &Refund) -> bool {
        let captured = self
            .charge_of_refund(refund_id)
            .and_then(|charge| self.seen(charge))
            .is_none_or(|(charge, _)| charge.amount_captured > 0);
        captured && !refund.is_release()
    }

    /// The charge a refund is of: the one it names, else the payment's main charge, if that can be.
    pub(super) fn charge_of_refund(&self, refund_id: &str) -> Option<&str> {
        let named = self.refunds.get(refund_id)?.charge.as_ref().map(|link| link.value.as_str());
        named.or_else(|| self.charge_of_unnamed())
    }

    /// The charge of refunds that name the intent only. None while the intent says that money was received and no
    /// charge that was seen shows it: then the refund is of another, not of one that was declined.
    fn charge_of_unnamed(&self) -> Option<&str> {
        let (id, charge) = self.main_charge()?;
        let received = self.intents.values().any(|intent| intent.best.value.amount_received > 0);
        (charge.amount_captured > 0 || !received).then_some(id)
    }

    /// Whether money in this currency can be added to the payment's.
    pub(super) fn counts(&self, currency: &str) -> bool {
        self.currency() == Some(currency)
    }

    /// Charges with something captured: the main charge first. One with nothing captured counts for nothing, for
    /// what it shows as refunded is a void.
    fn captured_charges(&self) -> impl Iterator<Item = (&str, &Latest<Charge>)> {
        let best = self.charges.iter().filter_map(|(id, facts)| Some((id.as_str(), facts.best.as_ref()?)));
        let mut captured: Vec<_> = best.filter(|(_, best)| best.value.amount_captured > 0).collect();
        captured.sort_by_key(|(id, best)| Reverse((best.value.created, *id)));
        captured.into_iter()
    }

    /// Refunds that name this charge and can be part of what it shows.
    fn refunds_naming(&self, charge_id: &str) -> impl Iterator<Item = (&String, &Refund)> {
        self.refunds_of(move |charge| charge == Some(charge_id))
    }

    /// Refunds that name the intent only, of the charges that were seen.
    fn unnamed_refunds(&self) -> impl Iterator<Item = &Refund> {
        let seen = self.charge_of_unnamed().is_some();
        self.refunds_of(move |charge| charge.is_none() && seen).map(|(_, refund)| refund)
    }

    /// Refunds whose charge was not seen.
    fn refunds_elsewhere(&self) -> impl Iterator<Item = &Refund> {
        let seen = self.charge_of_unnamed().is_some();
        let elsewhere = self.refunds_of(move |charge| charge.map_or(!seen, |charge| self.seen(charge).is_none()));
        elsewhere.map(|(_, refund)| refund)
    }

    /// Refunds, by the charge they name, that count in the payment's money.
    fn refunds_of<'a>(
        &'a self,
        is: impl Fn(Option<&'a str>) -> bool,
    ) -> impl Iterator<Item = (&'a String, &'a Refund)> {
        let named = self.refunds.iter().filter(move |(_, r)| is(r.charge.as_ref().map(|link| link.value.as_str())));
        named
            .map(|(id, r)| (id, &r.best.value))
            .filter(|(_, refund)| self.counts(&refund.currency) && !refund.is_release())
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

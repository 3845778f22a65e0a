//! The amounts lost in disputes.
//!
//! Balance entries may be in a settlement currency, at rates that changed between them. An amount converted back is
//! exact only to one minor unit of that currency, so it is compared with the amounts that it should equal.

use std::collections::BTreeMap;

use super::facts::{DisputeFacts, Facts};
use super::money::sum;
use super::phase::Outcome;
use super::snapshot::BalanceEntry;

/// One unit of an exchange rate: see [`BalanceEntry::exchange_rate`].
const UNIT: i128 = 1_000_000_000_000;

/// The amount lost in one dispute, in its currency.
#[derive(Clone, Copy, Debug, Default)]
struct Loss {
    amount: i128,
    /// Its maximum error: 0 unless an entry was converted.
    slack: i128,
}

impl Facts {
    /// The total lost in disputes, in the payment's currency.
    pub(super) fn amount_lost(&self) -> i64 {
        let losses = self.losses();
        let counted = self.disputes.iter().filter(|(_, dispute)| self.counts(&dispute.seen().currency));
        sum(counted.map(|(id, _)| losses[id.as_str()]))
    }

    /// The amount lost in each dispute, by its id, in its own currency.
    pub(super) fn losses(&self) -> BTreeMap<&str, i64> {
        if self.disputes.is_empty() {
            return BTreeMap::new();
        }
        let refunded = i128::from(self.amount_refunded());
        let left = self.amount_paid().map(|paid| i128::from(paid) - refunded);
        // The charges seen were not paid, which sets no limit for a charge that was not seen.
        let known = |dispute: &DisputeFacts| left.filter(|_| self.amount_paid() != Some(0) || self.is_of_seen(dispute));
        let loss = |dispute: &DisputeFacts| match self.counts(&dispute.seen().currency) {
            true => dispute.loss(refunded, known(dispute)),
            false => dispute.loss(0, None),
        };
        let mut losses: BTreeMap<&str, Loss> = self.disputes.iter().map(|(id, d)| (id.as_str(), loss(d))).collect();
        for (id, dispute) in &self.disputes {
            if let Some(left) = left.filter(|_| self.counts(&dispute.seen().currency)) {
                self.settle(&mut losses, id, left);
            }
        }
        losses.into_iter().map(|(id, loss)| (id, i64::try_from(loss.amount).unwrap_or(i64::MAX))).collect()
    }

    fn is_of_seen(&self, dispute: &DisputeFacts) -> bool {
        dispute.child.charge.as_ref().is_none_or(|link| self.seen(&link.value).is_some())
    }

    /// A converted loss equals all that the other disputes leave, if it is within its error of that.
    fn settle(&self, losses: &mut BTreeMap<&str, Loss>, id: &str, left: i128) {
        let others =
            losses.iter().filter(|(other, _)| **other != id && self.counts(&self.disputes[**other].seen().currency));
        let rest = left - others.map(|(_, loss)| loss.amount).sum::<i128>();
        let most = i128::from(self.disputes[id].seen().amount);
        if let Some(loss) = losses.get_mut(id).filter(|loss| loss.slack > 0) {
            loss.amount = near(loss.amount, rest, loss.slack).clamp(0, most);
        }
    }
}

impl DisputeFacts {
    /// The amount withdrawn and not reinstated, at most the dispute's amount. For a lost dispute without a known
    /// withdrawal: its amount, at most what is `left` of the payment after what was `refunded`.
    fn loss(&self, refunded: i128, left: Option<i128>) -> Loss {
        let amount = i128::from(self.seen().amount);
        let withdrawn = self.balance.values().any(|entry| entry.amount < 0);
        match self.seen().outcome() {
            Some(Outcome::Lost) if !withdrawn => {
                Loss { amount: left.map_or(amount, |left| amount.min(left.max(0))), slack: 0 }
            }
            Some(Outcome::Lost | Outcome::Prevented) => {
                let (away, slack) = self.stayed_away(refunded).unwrap_or_else(|| (self.share(), 0));
                Loss { amount: away.clamp(0, amount), slack }
            }
            Some(Outcome::Won | Outcome::WarningClosed) | None => Loss::default(),
        }
    }

    /// The amount withdrawn and not reinstated, and its maximum error. None where an entry in another currency has no
    /// rate.
    fn stayed_away(&self, refunded: i128) -> Option<(i128, i128)> {
        let (amount, currency) = (i128::from(self.seen().amount), self.seen().currency.as_str());
        let entries = self.balance.values().map(|entry| entry.in_currency(currency));
        let entries: Vec<(i128, i128)> = entries.collect::<Option<_>>()?;
        let out: i128 = -entries.iter().map(|(moved, _)| moved.min(&0)).sum::<i128>();
        let back: i128 = entries.iter().map(|(moved, _)| moved.max(&0)).sum();
        let slack = entries.iter().map(|(_, slack)| *slack).max().unwrap_or(0);
        Some((near(out, amount, slack) - returned(back, refunded, amount, slack), slack))
    }

    /// The dispute's amount, in proportion to the share of the withdrawal that was not reinstated.
    fn share(&self) -> i128 {
        let settlement = self.settlement();
        let (withdrawn, reinstated) = (i128::from(settlement.withdrawn), i128::from(settlement.reinstated));
        if withdrawn == 0 { 0 } else { divided(i128::from(self.seen().amount) * (withdrawn - reinstated), withdrawn) }
    }
}

impl BalanceEntry {
    /// The entry's amount in this currency, and its maximum error: 0 unless converted. None where the rate is unknown.
    pub(super) fn in_currency(&self, currency: &str) -> Option<(i128, i128)> {
        let amount = i128::from(self.amount);
        if self.currency == currency {
            return Some((amount, 0));
        }
        let rate = i128::from(self.exchange_rate?);
        Some((divided(amount * UNIT, rate), (UNIT / rate).max(1)))
    }
}

/// The reinstated amount: exactly what had been refunded, or all of the dispute, if it is within its error of that.
fn returned(back: i128, refunded: i128, amount: i128, slack: i128) -> i128 {
    match back {
        0 => 0,
        _ if refunded > 0 && near(back, refunded, slack) == refunded => refunded,
        _ => near(back, amount, slack),
    }
}

/// `exact`, if `amount` is within the slack of it.
fn near(amount: i128, exact: i128, slack: i128) -> i128 {
    if (amount - exact).abs() <= slack { exact } else { amount }
}

/// `amount` ÷ `by`, which is positive, rounded to the nearest, halves away from 0.
fn divided(amount: i128, by: i128) -> i128 {
    (2 * amount.abs() + by) / (2 * by) * amount.signum()
}

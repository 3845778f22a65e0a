//! What was paid and refunded of one payment, from its facts alone. What disputes cost is in `loss.rs`.
//!
//! Sums are computed in 128 bits and saturate at the largest 64-bit amount.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::facts::{ChargeFacts, Child, Facts};
use super::snapshot::{Charge, Latest, Refund};

/// How many seconds a refund's own `created` may lie after the event of the charge that includes it: recorded
/// deliveries show it a few seconds off.
pub(super) const SLACK: i64 = 10;

/// The part of a charge's refunded total that no known refund explains, in minor units. Occurs where an endpoint
/// receives only `charge.refunded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unexplained<'a> {
    pub charge_id: &'a str,
    pub charge: &'a Charge,
    pub amount: i64,
    /// The charge's refunded total, without what was never captured.
    pub shown: i64,
}

/// The captured money that a refund returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// The captured amount of this charge, which was seen.
    Charge(&'a str),
    /// The captured amounts of the charges seen: the refund names only the intent.
    Captured,
    /// That of a charge not seen, or not seen since its capture.
    Unseen,
    /// None: nothing was captured.
    Nothing,
}

impl Refund {
    /// Counts as refunded: neither failed nor canceled. An unknown status counts.
    pub(super) fn is_live(&self) -> bool {
        !matches!(self.status.as_str(), "failed" | "canceled")
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

    /// The amount captured; none until a charge or an intent was seen.
    pub(super) fn amount_paid(&self) -> Option<i64> {
        let captured = self.main_charge().map(|_| sum(self.seen_charges().map(|(_, c)| c.amount_captured)));
        let received = self.intents.values().map(|i| i.best.value.amount_received).max();
        captured.max(received)
    }

    /// The amount refunded, pending refunds included: for each captured charge at most what was captured, plus refunds
    /// whose charge was not seen.
    pub(super) fn amount_refunded(&self) -> i64 {
        let (counted, unexplained) = (self.counted_refunds(), self.unexplained());
        let live = |source| {
            let live = counted.iter().filter(move |(_, of, refund)| *of == source && refund.is_live());
            live.map(|(_, _, refund)| refund.amount)
        };
        let by_charge = self.captured_charges().map(|(id, best)| {
            let unexplained = unexplained.iter().filter(|u| u.charge_id == id).map(|u| u.amount);
            sum(unexplained.chain(live(Source::Charge(id)))).min(best.value.amount_captured)
        });
        let captured = sum(self.captured_charges().map(|(_, best)| best.value.amount_captured));
        let of_seen = sum(by_charge.chain(live(Source::Captured))).min(captured);
        sum(live(Source::Unseen).chain([of_seen]))
    }

    /// The amount refunded of one charge. A refund that names only the intent may be of any charge, so it counts only
    /// where there is just one.
    pub(super) fn amount_refunded_of(&self, charge_id: &str) -> i64 {
        let is_only = self.captured_charges().count() == 1;
        let is_of = |source| source == Source::Charge(charge_id) || is_only && source == Source::Captured;
        let live = self.counted_refunds().into_iter().filter(|(_, of, refund)| is_of(*of) && refund.is_live());
        let unexplained = self.unexplained().into_iter().filter(|unexplained| unexplained.charge_id == charge_id);
        sum(live.map(|(_, _, refund)| refund.amount).chain(unexplained.map(|unexplained| unexplained.amount)))
    }

    /// What the charges show as refunded beyond the known refunds, in whatever state those are: for each charge, the
    /// refunds that name it and are nested in it or were created before it was seen. A refund that names only the
    /// intent explains any total: assigned to one of several charges, it could count there and again in another's
    /// total.
    pub(super) fn unexplained(&self) -> Vec<Unexplained<'_>> {
        let counted = self.counted_refunds();
        let of = |source: Source<'_>, seen_at: i64, nested: &BTreeSet<String>| {
            let made_before = |refund: &Refund| refund.created <= seen_at.saturating_add(SLACK);
            let known = counted
                .iter()
                .filter(|(id, of, refund)| *of == source && (made_before(refund) || nested.contains(*id)));
            sum(known.map(|(_, _, refund)| refund.amount))
        };
        let seen_at = self.captured_charges().map(|(_, best)| best.stamp.at).max().unwrap_or(0);
        let mut unnamed = of(Source::Captured, seen_at, &BTreeSet::new());
        let all = self.captured_charges().map(|(charge_id, best)| {
            let charge = &best.value;
            let shown = charge.amount_refunded.saturating_sub(self.released(charge_id, charge)).max(0);
            let known = of(Source::Charge(charge_id), best.stamp.at, &charge.refunds);
            let beyond = shown.saturating_sub(known).max(0);
            let amount = beyond.saturating_sub(unnamed).max(0);
            unnamed -= beyond - amount;
            Unexplained { charge_id, charge, amount, shown }
        });
        all.filter(|unexplained| unexplained.amount > 0).collect()
    }

    /// The refunds that can count towards the payment, with the money they return: all but releases and refunds in
    /// another currency.
    fn counted_refunds(&self) -> Vec<(&str, Source<'_>, &Refund)> {
        let releases = self.releases();
        let counts = |id: &str, refund: &Refund| self.counts(&refund.currency) && !releases.contains(id);
        let refunds = self.refunds.iter().filter(|(id, refund)| counts(id, &refund.best.value));
        refunds.map(|(id, refund)| (id.as_str(), self.source(refund), &refund.best.value)).collect()
    }

    /// The captured money that a refund returns.
    pub(super) fn source(&self, refund: &Child<Refund>) -> Source<'_> {
        let named = refund.charge.as_ref().map(|link| link.value.as_str());
        let charge = match named {
            Some(named) => self.seen_charges().find(|(id, _)| *id == named),
            None => self.charge_of_unnamed(),
        };
        match charge {
            Some((id, charge)) if charge.amount_captured > 0 => {
                if named.is_some() {
                    Source::Charge(id)
                } else {
                    Source::Captured
                }
            }
            // An older snapshot, from before it was captured.
            Some((id, charge))
                if charge.status == "succeeded" && !self.charges[id].is_void() && self.misses_a_capture() =>
            {
                Source::Unseen
            }
            None if !self.nothing_received() => Source::Unseen,
            Some(_) | None => Source::Nothing,
        }
    }

    /// The intent received more than the charges seen show as captured.
    fn misses_a_capture(&self) -> bool {
        let captured = sum(self.seen_charges().map(|(_, charge)| charge.amount_captured));
        self.intents.values().any(|intent| intent.best.value.amount_received > captured)
    }

    /// By the intent, nothing of an authorization was captured: it was released, or is still held.
    fn nothing_received(&self) -> bool {
        let held = |status: &str| matches!(status, "canceled" | "requires_capture");
        let intents = self.intents.values().map(|intent| &intent.best.value);
        intents.into_iter().any(|intent| held(&intent.status) && intent.amount_received == 0)
    }

    /// The charge a refund is of: the one it names, else the payment's main charge, if that can be.
    pub(super) fn charge_of_refund(&self, refund_id: &str) -> Option<&str> {
        let named = self.refunds.get(refund_id)?.charge.as_ref().map(|link| link.value.as_str());
        named.or_else(|| self.charge_of_unnamed().map(|(id, _)| id))
    }

    /// The charge of refunds that name the intent only. None while the intent received money that no charge
    /// seen shows: then the refund is of an unseen charge, not of a declined one.
    fn charge_of_unnamed(&self) -> Option<(&str, &Charge)> {
        let (id, charge) = self.main_charge()?;
        let received = self.intents.values().any(|intent| intent.best.value.amount_received > 0);
        (charge.amount_captured > 0 || !received).then_some((id, charge))
    }

    /// Whether money in this currency can be added to the payment's.
    pub(super) fn counts(&self, currency: &str) -> bool {
        self.currency() == Some(currency)
    }

    /// Charges with something captured: the main charge first. An uncaptured charge does not count: what it
    /// shows as refunded is a void.
    pub(super) fn captured_charges(&self) -> impl Iterator<Item = (&str, &Latest<Charge>)> {
        let best = self.charges.iter().filter_map(|(id, facts)| Some((id.as_str(), facts.best.as_ref()?)));
        let mut captured: Vec<_> = best.filter(|(_, best)| best.value.amount_captured > 0).collect();
        captured.sort_by_key(|(id, best)| Reverse((best.value.created, *id)));
        captured.into_iter()
    }

    /// A charge's best snapshot, and when it was taken.
    pub(super) fn seen(&self, charge_id: &str) -> Option<(&Charge, i64)> {
        let ChargeFacts { best, .. } = self.charges.get(charge_id)?;
        best.as_ref().map(|latest| (&latest.value, latest.stamp.at))
    }
}

/// The sum of non-negative amounts, saturating at the largest 64-bit amount.
pub(super) fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    i64::try_from(amounts.map(i128::from).sum::<i128>()).unwrap_or(i64::MAX)
}

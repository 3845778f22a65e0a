//! Refunds that return no captured money: of a released authorization, or of the uncaptured rest of one.
//!
//! Stripe has shown what a capture releases in two ways; see
//! docs.stripe.com/changelog/basil/2025-03-31/remove-refund-from-partial-capture-and-payment-cancellation-flow. Which
//! one applies is read from the charge itself. Refunds of captured money are in `money.rs`.

use std::collections::BTreeSet;

use super::facts::{ChargeFacts, Child, Facts};
use super::money::{SLACK, Source};
use super::snapshot::{Charge, Refund, Rendering};

/// The rest of an authorization that a capture released.
#[derive(Clone, Copy, Debug)]
struct Rest<'a> {
    /// The charge; none while only its intent was seen.
    charge_id: Option<&'a str>,
    /// In minor units of `currency`.
    amount: i64,
    currency: &'a str,
    /// When it was captured, at the latest, in unix seconds.
    captured_by: i64,
}

impl Charge {
    /// The authorized amount not captured, of a charge captured in part.
    fn rest(&self) -> Option<i64> {
        let rest = self.amount.saturating_sub(self.amount_captured);
        (self.amount_captured > 0 && rest > 0).then_some(rest)
    }
}

impl ChargeFacts {
    /// A released authorization: nothing captured, and all of it shown as refunded or reported as expired.
    pub(super) fn is_void(&self) -> bool {
        let Some(charge) = self.best.as_ref().map(|best| &best.value) else { return false };
        let shown = charge.refunded || (charge.amount > 0 && charge.amount_refunded >= charge.amount);
        charge.amount_captured == 0 && (self.expired || shown)
    }

    /// The rendering by its balance transaction: the whole authorized amount moved, or only the captured one.
    fn settled_as(&self, charge: &Charge) -> Option<Rendering> {
        let (gross, slack) = self.settled.as_ref()?.in_currency(&charge.currency)?;
        let off = |amount: i64| (gross - i128::from(amount)).abs();
        let (all, captured) = (off(charge.amount), off(charge.amount_captured));
        (all.min(captured) <= slack).then_some(if all < captured { Rendering::Old } else { Rendering::New })
    }
}

impl Facts {
    /// Ids of the refunds that return no captured money.
    pub(super) fn releases(&self) -> BTreeSet<&str> {
        if self.refunds.is_empty() {
            return BTreeSet::new();
        }
        let is_void = |refund: &Child<Refund>| {
            refund.best.value.is_expired_authorization() || self.source(refund) == Source::Nothing
        };
        let voids = self.refunds.iter().filter(|(_, refund)| is_void(refund));
        let mut releases: BTreeSet<&str> = voids.map(|(id, _)| id.as_str()).collect();
        for rest in self.rests() {
            let candidates = self.could_be(rest).filter(|(id, _)| !releases.contains(id));
            let earliest = candidates.min_by_key(|(id, refund)| (refund.created, *id)).map(|(id, _)| id);
            releases.extend(earliest);
        }
        releases
    }

    /// The part of a charge's `amount_refunded` that is a released rest, in minor units.
    pub(super) fn released(&self, charge_id: &str, charge: &Charge) -> i64 {
        match self.rest_of(charge_id, charge) {
            Some(rest) if self.rendering(charge_id, charge, rest) == Rendering::Old => rest.amount,
            Some(_) | None => 0,
        }
    }

    /// The rests that a refund may be the release of.
    fn rests(&self) -> impl Iterator<Item = Rest<'_>> {
        let of_charges =
            self.captured_charges().filter_map(|(id, best)| self.rest_of(id, &best.value).zip(Some((id, &best.value))));
        let old = of_charges.filter(|(rest, (id, charge))| self.rendering(id, charge, *rest) == Rendering::Old);
        let unseen = self.captured_charges().next().is_none();
        old.map(|(rest, _)| rest).chain(self.rests_of_intent().filter(move |rest| unseen && rest.amount > 0))
    }

    fn rest_of<'a>(&'a self, charge_id: &'a str, charge: &'a Charge) -> Option<Rest<'a>> {
        let shown = self.charges.get(charge_id)?.shown.get(&charge.amount_captured)?;
        let intents = self.intents.values().flat_map(|intent| intent.received.range(charge.amount_captured..));
        let captured_by = intents.map(|(_, at)| *at).chain([shown.since]).min()?;
        Some(Rest { charge_id: Some(charge_id), amount: charge.rest()?, currency: &charge.currency, captured_by })
    }

    /// The rest of an intent's amount after each increase of the amount received.
    fn rests_of_intent(&self) -> impl Iterator<Item = Rest<'_>> {
        self.intents.values().flat_map(|facts| {
            let intent = &facts.best.value;
            facts.received.iter().map(|(received, at)| Rest {
                charge_id: None,
                amount: intent.amount.saturating_sub(*received),
                currency: &intent.currency,
                captured_by: *at,
            })
        })
    }

    /// How the rest of a charge is shown, by the first evidence that decides it.
    fn rendering(&self, charge_id: &str, charge: &Charge, rest: Rest) -> Rendering {
        let by_version = || self.charges[charge_id].rendering.as_ref().map_or(Rendering::Old, |latest| latest.value);
        self.rendering_shown(charge_id, charge, rest).unwrap_or_else(by_version)
    }

    /// How the rest of a charge is shown, by what was seen of it; none where only an API version tells.
    fn rendering_shown(&self, charge_id: &str, charge: &Charge, rest: Rest) -> Option<Rendering> {
        let facts = &self.charges[charge_id];
        if let Some(rendering) = facts.settled_as(charge) {
            return Some(rendering);
        }
        let shown = facts.shown.get(&charge.amount_captured)?;
        if shown.all_of_less || shown.least < rest.amount {
            return Some(Rendering::New);
        }
        if shown.least == rest.amount {
            let is_refund = self.is_refund(rest, shown.least_at);
            return Some(if is_refund { Rendering::New } else { Rendering::Old });
        }
        // Stripe's own flag for it.
        let is_expired = |refund: &Refund| refund.amount == rest.amount && refund.is_expired_authorization();
        self.refunds_of(rest).any(|(_, refund)| is_expired(refund)).then_some(Rendering::Old)
    }

    /// The charges captured in part of which only an API version tells how their rest is shown.
    pub(super) fn rests_by_version(&self) -> impl Iterator<Item = (&str, &Charge)> {
        let captured = self.captured_charges().map(|(id, best)| (id, &best.value));
        captured.filter(|(id, charge)| {
            let rest = self.rest_of(id, charge);
            rest.is_some_and(|rest| self.rendering_shown(id, charge, rest).is_none())
        })
    }

    /// What looks like the rest is a refund: one of exactly this amount was created by then, and none could be the
    /// release.
    fn is_refund(&self, rest: Rest, shown_at: i64) -> bool {
        let made_by_then = |refund: &Refund| refund.created <= shown_at.saturating_add(SLACK);
        let of_amount = |refund: &&Refund| refund.amount == rest.amount && made_by_then(refund);
        let known = || self.refunds_of(rest).map(|(_, refund)| refund).filter(of_amount);
        known().next().is_some()
            && self.could_be(rest).next().is_none()
            && !known().any(Refund::is_expired_authorization)
    }

    /// Refunds that look like the one that Stripe creates for a rest at its capture. One created before the capture was
    /// first seen was created with it: nothing can be refunded earlier.
    fn could_be<'a>(&'a self, rest: Rest<'a>) -> impl Iterator<Item = (&'a str, &'a Refund)> {
        self.refunds_of(rest).filter(move |(_, refund)| {
            refund.amount == rest.amount
                && refund.reason.is_none()
                && refund.metadata.is_none()
                && refund.status == "succeeded"
                && refund.created <= rest.captured_by.saturating_add(SLACK)
        })
    }

    /// Refunds in a rest's currency that may be of its charge.
    fn refunds_of<'a>(&'a self, rest: Rest<'a>) -> impl Iterator<Item = (&'a str, &'a Refund)> {
        let is_of = move |refund: &Child<Refund>| match (self.source(refund), rest.charge_id) {
            (Source::Charge(id), Some(charge)) => id == charge,
            (Source::Captured, Some(_)) | (Source::Unseen, None) => true,
            _ => false,
        };
        let refunds = self.refunds.iter().filter(move |(_, refund)| is_of(refund));
        let refunds = refunds.map(|(id, refund)| (id.as_str(), &refund.best.value));
        refunds.filter(move |(_, refund)| refund.currency == rest.currency)
    }
}

impl Refund {
    /// The refund that Stripe creates for an expired authorization.
    fn is_expired_authorization(&self) -> bool {
        self.reason.as_deref() == Some("expired_uncaptured_charge")
    }
}

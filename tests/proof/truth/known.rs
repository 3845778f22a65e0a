//! What an endpoint knows of one payment: of each object the last it was shown, and the money in it.

use std::collections::{BTreeMap, BTreeSet};

use super::Sums;
use crate::life::Life;
use crate::life::objects::{Charge, Dispute, Intent, Refund, Review, Sight, Warning, What};

/// The last that was shown of each object of one payment.
#[derive(Default)]
pub(super) struct Known {
    intent_id: Option<String>,
    charge_ids: BTreeSet<String>,
    intent: Option<Intent>,
    pub charges: BTreeMap<String, Charge>,
    pub refunds: BTreeMap<String, Refund>,
    pub disputes: BTreeMap<String, Dispute>,
    pub warnings: BTreeMap<String, Warning>,
    pub reviews: BTreeMap<String, Review>,
    intent_order: Option<String>,
    charge_orders: BTreeMap<String, String>,
    /// Balance transactions tell their rates.
    rates: bool,
    /// Refunds whose charge was told.
    named: BTreeSet<String>,
    session_currency: Option<&'static str>,
    session_order: Option<String>,
    client_order: Option<String>,
    /// What somebody said, the latest last: of which intent or charge, and for which order.
    links: Vec<(String, String)>,
}

/// Refunds that name neither a charge nor an intent, as last shown.
pub(super) fn strays(life: &Life) -> Vec<Refund> {
    let strays = life.visible().flat_map(|moment| &moment.shows).filter(|sight| sight.payment.is_none());
    let last = strays.filter_map(|sight| match &sight.what {
        What::Refund(refund) => Some((refund.id.clone(), refund.clone())),
        What::Intent(_)
        | What::Charge(_)
        | What::Dispute(_)
        | What::Session(_)
        | What::Warning(_)
        | What::Review(_)
        | What::Link(_) => None,
    });
    last.collect::<BTreeMap<_, _>>().into_values().collect()
}

impl Known {
    pub(super) fn of(life: &Life, payment: usize) -> Self {
        // Every event of a life, seen or not, agrees which intent it is; only seen ones tell.
        let id = life.moments.iter().flat_map(|moment| &moment.shows).find_map(|sight| match &sight.what {
            What::Intent(intent) if sight.payment == Some(payment) => Some(intent.id.clone()),
            _ => None,
        });
        let mut known = Self { rates: life.plan.shape.rates, ..Self::default() };
        for sight in life.visible().flat_map(|moment| &moment.shows).filter(|sight| sight.payment == Some(payment)) {
            if sight.names_intent {
                known.intent_id.clone_from(&id);
            }
            known.see(sight);
        }
        known
    }

    fn see(&mut self, sight: &Sight) {
        self.charge_ids.extend(sight.charge.clone());
        match &sight.what {
            What::Intent(intent) => {
                self.intent = Some(intent.clone());
                keep(&mut self.intent_order, intent.order.as_ref());
            }
            What::Charge(charge) => {
                self.charges.insert(charge.id.clone(), charge.clone());
                if let Some(order) = &charge.order {
                    self.charge_orders.insert(charge.id.clone(), order.clone());
                }
            }
            What::Refund(refund) => {
                self.refunds.insert(refund.id.clone(), refund.clone());
                if sight.charge.is_some() {
                    self.named.insert(refund.id.clone());
                }
            }
            What::Dispute(dispute) => drop(self.disputes.insert(dispute.id.clone(), dispute.clone())),
            What::Session(session) => {
                self.session_currency = Some(session.currency);
                keep(&mut self.session_order, session.order.as_ref());
                // The buyer of a payment link chooses it: no reference of the merchant's.
                keep(&mut self.client_order, session.client.as_ref().filter(|_| !session.payment_link));
            }
            What::Link(link) => self.links.push((link.id.clone(), link.order.clone())),
            What::Warning(warning) => drop(self.warnings.insert(warning.id.clone(), warning.clone())),
            What::Review(review) => drop(self.reviews.insert(review.id.clone(), review.clone())),
        }
    }

    /// The intent's id, else the charge's; none when nothing was seen.
    pub(super) fn payment_id(&self) -> Option<String> {
        self.intent_id.clone().or_else(|| self.charge_ids.first().cloned())
    }

    pub(super) fn order_id(&self) -> Option<String> {
        let best = self.charges.values().filter(|charge| self.charge_orders.contains_key(&charge.id));
        let best = best.max_by_key(|charge| (charge.captured > 0, charge.created, charge.id.clone()));
        let on_charge = best.map(|charge| self.charge_orders[&charge.id].clone());
        let mine = |id: &String| self.payment_id().as_ref() == Some(id) || self.charge_ids.contains(id);
        let said = self.links.iter().rev().find(|(id, _)| mine(id)).map(|(_, order)| order.clone());
        let choices = [&said, &self.intent_order, &on_charge, &self.session_order, &self.client_order];
        choices.into_iter().flatten().next().cloned()
    }

    pub(super) fn currency(&self) -> Option<&'static str> {
        let own = self.charges.values().map(|c| c.currency).chain(self.intent.iter().map(|i| i.currency));
        let of_children = self.refunds.values().map(|r| r.currency).chain(self.disputes.values().map(|d| d.currency));
        own.chain(of_children).chain(self.session_currency).next()
    }

    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums {
            state: String::new(),
            paid: self.paid(),
            refunded: self.refunded(),
            disputed: self.in_currency().filter(|d| d.is_open() && !d.is_inquiry()).map(|d| d.amount).sum(),
            lost: self.in_currency().map(|dispute| self.lost(dispute)).sum(),
            hold: self.hold(),
            open_disputes: self.disputes.values().filter(|d| d.is_open()).count(),
            evidence_due_by: self
                .disputes
                .values()
                .filter(|d| super::awaits_evidence(d))
                .filter_map(|d| d.due_by)
                .min(),
        };
        sums.state = self.state(&sums).to_owned();
        sums
    }

    fn in_currency(&self) -> impl Iterator<Item = &Dispute> {
        self.disputes.values().filter(|dispute| Some(dispute.currency) == self.currency())
    }

    fn paid(&self) -> Option<i64> {
        let captured: i64 = self.charges.values().map(|charge| charge.captured).sum();
        let received = self.intent.as_ref().map(|intent| intent.received);
        (!self.charges.is_empty() || received.is_some()).then(|| captured.max(received.unwrap_or(0)))
    }

    /// What is with the buyer or on its way: the refunds known to live, and of each charge those that its
    /// total held when it was last seen, and of which nothing else was ever seen.
    fn refunded(&self) -> i64 {
        let known: i64 = self.live().map(|refund| refund.amount).sum();
        known + self.charges.values().map(|charge| self.unexplained(charge)).sum::<i64>()
    }

    /// The refunds that took money from the merchant, as far as can be known.
    fn live(&self) -> impl Iterator<Item = &Refund> {
        let in_currency = |refund: &&Refund| Some(refund.currency) == self.currency();
        self.refunds.values().filter(|refund| refund.is_live() && !self.is_release(refund)).filter(in_currency)
    }

    /// It gave back nothing that was taken: it says so, or its charge or intent was seen to let go of as much.
    pub(super) fn is_release(&self, refund: &Refund) -> bool {
        let seen = self.intent.is_some() || refund.charge.as_ref().is_some_and(|id| self.charges.contains_key(id));
        refund.releases && (seen || refund.reason.is_some())
    }

    pub(super) fn unexplained(&self, charge: &Charge) -> i64 {
        charge.counted.iter().filter(|(id, _)| !self.refunds.contains_key(id)).map(|(_, amount)| amount).sum()
    }

    /// What a dispute cost for good, in its own currency: what was taken and did not come back.
    fn lost(&self, dispute: &Dispute) -> i64 {
        let unseen = dispute.entries.is_empty();
        let foreign = dispute.entries.iter().any(|entry| entry.rate.is_some());
        match dispute.status {
            // Of what went back already nothing more can be taken.
            "lost" if unseen => {
                // A charge that was declined says nothing of the one that was not seen.
                let paid = self.paid().filter(|paid| *paid > 0 || self.charges.contains_key(&dispute.charge));
                paid.map_or(dispute.amount, |paid| dispute.amount.min((paid - self.refunded()).max(0)))
            }
            "lost" | "prevented" if unseen => 0,
            "lost" | "prevented" if foreign && !self.rates => share(dispute),
            "lost" | "prevented" => dispute.away(),
            _ => 0,
        }
    }

    /// The bank still waits, as far as is known: neither was the charge disputed nor all of it given back.
    pub(super) fn is_actionable(&self, warning: &Warning) -> bool {
        let disputed = self.disputes.values().any(|dispute| dispute.charge == warning.charge);
        warning.actionable && !disputed && !self.gave_all_back(&warning.charge)
    }

    fn gave_all_back(&self, id: &str) -> bool {
        let Some(charge) = self.charges.get(id) else {
            return self.paid().is_some_and(|paid| paid > 0 && self.refunded() >= paid);
        };
        // A refund that names the intent alone may be of any charge.
        let is_only = self.charges.values().filter(|charge| charge.captured > 0).count() == 1;
        let of = |refund: &&Refund| match self.named.contains(&refund.id) {
            true => refund.charge.as_deref() == Some(id),
            false => is_only,
        };
        let back: i64 = self.live().filter(of).map(|refund| refund.amount).sum();
        charge.captured > 0 && back + self.unexplained(charge) >= charge.captured
    }

    fn hold(&self) -> bool {
        self.disputes.values().any(Dispute::is_open)
            || self.warnings.values().any(|warning| self.is_actionable(warning))
            || self.reviews.values().any(|review| review.open)
    }

    fn state(&self, sums: &Sums) -> &'static str {
        let open = |inquiry| self.disputes.values().any(|d| d.is_open() && d.is_inquiry() == inquiry);
        if open(false) {
            "disputed"
        } else if open(true) {
            "inquiry"
        } else {
            super::orders::money_state(sums, sums.returned()).unwrap_or_else(|| self.attempt_state())
        }
    }

    /// How far the attempts to pay have come, while nothing is paid.
    fn attempt_state(&self) -> &'static str {
        let intent = self.intent.as_ref().map(|intent| intent.status);
        let last = self.charges.values().max_by_key(|charge| (charge.created, &charge.id));
        let held = self.charges.values().any(Charge::is_authorization) && intent != Some("canceled");
        if held || intent == Some("requires_capture") {
            "authorized"
        } else if intent == Some("canceled") || self.charges.values().any(|charge| charge.voided) {
            "canceled"
        } else if let Some(intent) = &self.intent {
            if intent.last_attempt_failed { "failed" } else { "pending" }
        } else if self.charges.values().any(|charge| charge.status == "pending") {
            "pending"
        } else {
            last.map_or("unknown", |charge| charge.status)
        }
    }
}

fn keep(mine: &mut Option<String>, seen: Option<&String>) {
    if let Some(order) = seen {
        *mine = Some(order.clone());
    }
}

/// The settlement's share that stayed away, to the nearest: all that can be said without a rate.
fn share(dispute: &Dispute) -> i64 {
    let (taken, back) = (i128::from(dispute.withdrawn()), i128::from(dispute.reinstated()));
    let doubled = 2 * i128::from(dispute.amount) * (taken - back) + taken;
    i64::try_from(doubled.div_euclid(2 * taken)).unwrap_or(i64::MAX).clamp(0, dispute.amount)
}

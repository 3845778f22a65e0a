//! Refunds: made, waiting, failing weeks later.

use super::super::objects::Refund;
use super::super::plan::{Nested, RefundMove, RefundStart};
use super::{Subject, World, nth, share};

/// So many seconds a refund's own time may lie after that of an event whose total holds it.
const SLACK: i64 = 10;

impl World {
    pub(super) fn refund(&mut self, p: usize, percent: u8, starts: RefundStart, foreign: bool) {
        let Some((n, left)) = self.refundable(p) else { return };
        let status = match starts {
            _ if self.shape.nested_refunds == Nested::WithoutStatus => "succeeded",
            RefundStart::Succeeded => "succeeded",
            RefundStart::Pending => "pending",
            RefundStart::RequiresAction => "requires_action",
        };
        // A charge seen just before: does its total hold this refund already?
        self.clock += if self.shape.sees_refunds { 1 } else { SLACK + 1 };
        let Some(amount) = self.telling(p, n, self.drawn(p, n, left, percent)) else { return };
        let made = self.add_refund(p, n, amount, status);
        if foreign && self.shape.foreign_children {
            self.make_foreign(p, n, made);
        }
        if self.shape.refund_events {
            self.emit(p, "refund.created", Subject::Refund(made));
        }
        if status == "succeeded" || !self.shape.refunded_at_success {
            self.emit(p, "charge.refunded", Subject::Charge(n));
        }
        self.calm_warnings(p);
    }

    /// A charge with something left that Stripe lets go back: none in dispute, none lost.
    fn refundable(&self, p: usize) -> Option<(usize, i64)> {
        let pay = &self.pays[p];
        if !pay.is_complete() || pay.refunds.len() >= 8 {
            return None;
        }
        let blocked = |id: &str| {
            let taken = ["needs_response", "under_review", "lost", "prevented"];
            pay.disputes.iter().any(|dispute| dispute.charge == id && taken.contains(&dispute.status))
        };
        let left = pay.charges.iter().map(|c| c.captured - c.counted.iter().map(|(_, amount)| amount).sum::<i64>());
        pay.charges.iter().zip(left).enumerate().find_map(|(n, (charge, left))| {
            (charge.captured > 0 && left > 0 && !blocked(&charge.id)).then_some((n, left))
        })
    }

    /// So many percent of what is left; now and then just what a capture released, to be told from that.
    fn drawn(&self, p: usize, n: usize, left: i64, percent: u8) -> i64 {
        let charge = &self.pays[p].charges[n];
        let rest = charge.amount - charge.captured;
        let fits = (1..=left).contains(&rest) && self.made.is_multiple_of(4);
        if fits { rest } else { share(left, percent.min(100)) }
    }

    /// An amount near this one that nobody can take for what a capture released: a total that is just the rest, where
    /// the charge was not seen before it, or a refund of the rest made with the capture.
    fn telling(&self, p: usize, n: usize, amount: i64) -> Option<i64> {
        let charge = &self.pays[p].charges[n];
        let rest = charge.amount - charge.captured;
        // Any of them can fail later, and be counted no more.
        let totals = charge.counted.iter().fold(vec![0], |mut totals, (_, amount)| {
            totals.extend(totals.clone().iter().map(|total| total + amount));
            totals
        });
        let is_telling = |amount: &i64| rest == 0 || totals.iter().all(|total| total + amount != rest);
        let unseen = !self.shape.sees_captures || charge.released > 0 && !self.shape.sees_refunds;
        // Whole hundreds stay whole: see `disputes.rs`.
        let step = if amount % 100 == 0 { 100 } else { 1 };
        let near = (0..4).map(|n| amount - n * step).filter(|amount| *amount > 0);
        near.into_iter().find(|amount| !unseen || is_telling(amount))
    }

    fn add_refund(&mut self, p: usize, n: usize, amount: i64, status: &'static str) -> usize {
        let (id, created) = (self.id("re"), self.clock);
        let reason = self.made.is_multiple_of(3).then_some("requested_by_customer");
        // Long after the capture, so that none takes it for its release.
        let bare = self.shape.bare_refunds && created > self.pays[p].charges[n].captured_at + 60;
        let pay = &mut self.pays[p];
        pay.charges[n].counted.push((id.clone(), amount));
        let (charge, currency) = (Some(pay.charges[n].id.clone()), pay.currency);
        pay.refunds.push(Refund { id, charge, amount, currency, status, created, releases: false, reason, bare });
        pay.refunds.len() - 1
    }

    /// What Stripe makes of an authorization, or the rest of one, that is let go.
    pub(super) fn release(&mut self, p: usize, n: usize, amount: i64, reason: Option<&'static str>) {
        let (id, created, status) = (self.id("re"), self.clock, "succeeded");
        let pay = &mut self.pays[p];
        let (charge, currency) = (Some(pay.charges[n].id.clone()), pay.currency);
        pay.refunds.push(Refund { id, charge, amount, currency, status, created, releases: true, reason, bare: true });
        if self.shape.refund_events {
            let made = self.pays[p].refunds.len() - 1;
            self.emit(p, "refund.created", Subject::Refund(made));
        }
    }

    /// Goes back in another currency, beside the charge's total.
    fn make_foreign(&mut self, p: usize, n: usize, made: usize) {
        let pay = &mut self.pays[p];
        pay.charges[n].counted.pop();
        let refund = &mut pay.refunds[made];
        (refund.currency, refund.amount) = ("jpy", refund.amount * 150);
    }

    pub(super) fn refund_moves(&mut self, p: usize, which: u8, to: RefundMove) {
        let (from, status): (&[&str], _) = match to {
            RefundMove::Pending => (&["requires_action"], "pending"),
            RefundMove::Succeeded => (&["pending", "requires_action"], "succeeded"),
            RefundMove::Failed => (&["pending", "requires_action", "succeeded"], "failed"),
            RefundMove::Canceled => (&["pending", "requires_action"], "canceled"),
            RefundMove::Returned => (&["succeeded"], "requires_action"),
        };
        let movable = |r: &Refund| from.contains(&r.status) && !r.releases && r.charge.is_some();
        let Some(n) = nth(&self.pays[p].refunds, which, movable) else { return };
        if self.shape.nested_refunds != Nested::WithoutStatus {
            self.move_refund(p, n, status);
        }
    }

    pub(super) fn move_refund(&mut self, p: usize, n: usize, status: &'static str) {
        let lowers = self.shape.lowers;
        if status == "requires_action" || lowers && !["pending", "succeeded"].contains(&status) {
            // A step back, of the refund or of the charge's total.
            self.next_second();
        }
        let pay = &mut self.pays[p];
        let refund = &mut pay.refunds[n];
        refund.status = status;
        let charge = pay.charges.iter().position(|charge| refund.charge.as_deref() == Some(&charge.id));
        if let Some(charge) = charge.filter(|_| lowers && !refund.is_live()) {
            pay.charges[charge].counted.retain(|(id, _)| *id != refund.id);
        }
        if self.shape.refund_events && status == "failed" {
            self.emit(p, "refund.failed", Subject::Refund(n));
        }
        self.refund_updated(p, n);
        if let Some(charge) = charge.filter(|_| status == "succeeded" && self.shape.refunded_at_success) {
            self.emit(p, "charge.refunded", Subject::Charge(charge));
        }
    }

    /// Twins: two events of one happening.
    fn refund_updated(&mut self, p: usize, n: usize) {
        if self.shape.refund_events {
            self.emit(p, "refund.updated", Subject::Refund(n));
        }
        self.emit(p, "charge.refund.updated", Subject::Refund(n));
    }

    pub(super) fn refund_touched(&mut self, p: usize, which: u8) {
        if let Some(n) = nth(&self.pays[p].refunds, which, |refund| refund.charge.is_some()) {
            self.refund_updated(p, n);
        }
    }

    pub(super) fn stray_refund(&mut self, p: usize, amount: u16) {
        let (id, created, currency) = (self.id("re"), self.clock, self.shape.currency);
        let (amount, status) = (i64::from(amount.max(1)), "succeeded");
        let pay = &mut self.pays[p];
        pay.refunds.push(Refund {
            id,
            charge: None,
            amount,
            currency,
            status,
            created,
            releases: false,
            reason: None,
            bare: false,
        });
        let made = pay.refunds.len() - 1;
        self.emit(p, "refund.created", Subject::Refund(made));
    }
}

//! The verbs of refunds.
//!
//! `charge.amount_refunded` counts a refund from the moment it is made and falls when the refund
//! fails; Stripe has no event of the charge for that fall.

use super::life::{Cause, ChargeNo, Life, RefundNo};
use super::objects::Refund;

/// A change of a refund comes as twins: the second is the older name of the first.
const UPDATED: &[&str] = &["refund.updated", "charge.refund.updated"];
const FAILED: &[&str] = &["refund.updated", "charge.refund.updated", "refund.failed"];

impl Life {
    /// The merchant refunds so much, and it succeeds at once.
    pub(super) fn refund(&mut self, charge: ChargeNo, amount: i64) -> RefundNo {
        let refund = self.add_refund(charge, amount, "succeeded");
        self.tell_refund(charge, refund);
        refund
    }

    /// The merchant refunds so much, and Stripe cannot do it yet.
    pub(super) fn refund_pending(&mut self, charge: ChargeNo, amount: i64, pending_reason: &'static str) -> RefundNo {
        let refund = self.add_refund(charge, amount, "pending");
        self.refunds[refund.0].pending_reason = Some(pending_reason);
        self.tell_refund(charge, refund);
        refund
    }

    /// The merchant refunds so much by bank transfer: Stripe asks the buyer by mail where to send it.
    pub(super) fn refund_by_transfer(&mut self, charge: ChargeNo, amount: i64) -> RefundNo {
        let refund = self.add_refund(charge, amount, "requires_action");
        self.refunds[refund.0].details_asked = Some(self.now);
        self.tell_refund(charge, refund);
        refund
    }

    /// The buyer says where to send it.
    pub(super) fn give_details(&mut self, refund: RefundNo) {
        self.change_refund(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.status = "pending";
            refund.pending_reason = Some("processing");
        });
    }

    /// The bank sends it back: the buyer is asked again.
    pub(super) fn return_refund(&mut self, refund: RefundNo) {
        let now = self.now;
        self.change_refund(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.status = "requires_action";
            refund.details_asked = Some(now);
        });
    }

    /// A pending refund goes through.
    pub(super) fn settle_refund(&mut self, refund: RefundNo) {
        let entry = self.ids.mint("txn_3");
        self.change_refund(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.status = "succeeded";
            refund.pending_reason = None;
            refund.balance_transaction = Some(entry);
        });
    }

    /// The bank names the number by which the buyer can trace the refund.
    pub(super) fn reference_arrives(&mut self, refund: RefundNo) {
        let reference = self.ids.below(256);
        self.change_refund(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.reference = Some(format!("74627{reference:018}"));
        });
    }

    /// The money comes back from the bank, or never left.
    pub(super) fn fail_refund(&mut self, refund: RefundNo, reason: &'static str) {
        self.end_refund(refund, &Cause::Stripe, FAILED, ("failed", reason));
    }

    /// The merchant cancels a refund that is not through yet. Stripe has no event of its own for
    /// that.
    pub(super) fn cancel_refund(&mut self, refund: RefundNo) {
        let request = self.request();
        self.end_refund(refund, &request, UPDATED, ("canceled", "merchant_request"));
    }

    /// The record of a refund, without telling of it.
    pub(super) fn add_refund(&mut self, charge: ChargeNo, amount: i64, status: &'static str) -> RefundNo {
        self.refunds.push(Refund {
            id: self.ids.mint(self.scene.method.refund_prefix()),
            charge_id: self.charges[charge.0].id.clone(),
            created: self.now,
            amount,
            status,
            reason: Some("requested_by_customer"),
            by_stripe: false,
            pending_reason: None,
            failure_reason: None,
            balance_transaction: (status == "succeeded").then(|| self.ids.mint("txn_3")),
            failure_balance_transaction: None,
            reference: None,
            details_asked: None,
        });
        RefundNo(self.refunds.len() - 1)
    }

    fn tell_refund(&mut self, charge: ChargeNo, refund: RefundNo) {
        let request = self.request();
        let amount = self.refunds[refund.0].amount;
        self.emit(&request, "refund.created", &self.show_refund(refund));
        self.change_charge(charge, &request, "charge.refunded", |charge| {
            charge.amount_refunded += amount;
        });
    }

    fn end_refund(
        &mut self,
        refund: RefundNo,
        cause: &Cause,
        kinds: &[&'static str],
        (status, failure_reason): (&'static str, &'static str),
    ) {
        let entry = self.ids.mint("txn_3");
        self.change_refund(refund, cause, kinds, |refund| {
            refund.status = status;
            refund.pending_reason = None;
            refund.failure_reason = Some(failure_reason);
            refund.failure_balance_transaction = Some(entry);
        });
        let Refund { charge_id, amount, .. } = &self.refunds[refund.0];
        for charge in self.charges.iter_mut().filter(|charge| charge.id == *charge_id) {
            charge.amount_refunded -= amount;
        }
    }
}

//! The verbs of refunds.
//!
//! `charge.amount_refunded` counts a refund from the moment it is made and falls when the refund
//! fails; Stripe has no event of the charge for that fall.

use super::id::Id;
use super::objects::{Charge, Metadata, Refund};
use super::{Account, Cause};

/// A change of a refund comes as twins: the second is the older name of the first.
const UPDATED: &[&str] = &["refund.updated", "charge.refund.updated"];
const FAILED: &[&str] = &["refund.updated", "charge.refund.updated", "refund.failed"];

/// A refund that the merchant asks for.
#[derive(Debug)]
pub struct NewRefund {
    /// What is refunded.
    pub charge: Id<Charge>,
    /// In minor currency units.
    pub amount: i64,
    /// The merchant's own fields.
    pub metadata: Metadata,
    /// Why the merchant refunds, in Stripe's words.
    pub reason: Option<&'static str>,
    /// How far Stripe gets with it at once.
    pub status: FirstStatus,
    /// What of the charge's sharing is undone.
    pub undo: Undo,
}

/// What a refund undoes of a charge that was shared over Connect, in proportion to its amount.
#[derive(Debug, Clone, Copy, Default)]
pub struct Undo {
    /// `reverse_transfer`
    pub transfer: bool,
    /// `refund_application_fee`
    pub fee: bool,
}

/// How far Stripe gets with a new refund at once.
#[derive(Debug, Clone, Copy)]
pub enum FirstStatus {
    /// It succeeds.
    Succeeded,
    /// It waits, for this reason.
    Pending(&'static str),
    /// The buyer is asked by mail where to send the money.
    RequiresAction,
}

impl Account {
    /// The merchant refunds a part or all of a charge.
    pub fn create_refund(&mut self, by: &Cause, new: NewRefund) -> Id<Refund> {
        let NewRefund { charge, amount, metadata, reason, status, undo } = new;
        let mut refund = self.new_refund(&charge, amount, metadata);
        refund.reason = reason;
        match status {
            FirstStatus::Succeeded => {
                refund.balance_transaction = Some(self.ids.mint("txn_3"));
                refund.entered_at = Some(self.now);
            }
            FirstStatus::Pending(reason) => (refund.status, refund.pending_reason) = ("pending", Some(reason)),
            FirstStatus::RequiresAction => (refund.status, refund.details_asked) = ("requires_action", Some(self.now)),
        }
        let refund = self.insert(refund);
        if undo.transfer {
            self.reverse_transfer(by, &refund);
        }
        if undo.fee {
            self.refund_fee(by, &refund);
        }
        self.emit(&refund, by, "refund.created");
        self.change(&charge, by, &["charge.refunded"], |charge| charge.amount_refunded += amount);
        refund
    }

    /// The merchant replaces a refund's metadata.
    pub fn update_refund(&mut self, by: &Cause, refund: &Id<Refund>, metadata: Metadata) {
        self.change(refund, by, UPDATED, |refund| refund.metadata = metadata);
    }

    /// The buyer gives the bank details that were asked for.
    pub fn give_details(&mut self, refund: &Id<Refund>) {
        self.change(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.status = "pending";
            refund.pending_reason = Some("processing");
        });
    }

    /// The bank sends a refund by transfer back: the buyer is asked again.
    pub fn return_refund(&mut self, refund: &Id<Refund>) {
        let now = self.now;
        self.change(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.status = "requires_action";
            refund.details_asked = Some(now);
        });
    }

    /// A pending refund succeeds.
    pub fn settle_refund(&mut self, refund: &Id<Refund>) {
        let (entry, now) = (self.ids.mint("txn_3"), self.now);
        self.change(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.status = "succeeded";
            refund.pending_reason = None;
            refund.entered_at = Some(now);
            refund.balance_transaction = Some(entry);
        });
    }

    /// The bank names the number by which the buyer can trace the refund.
    pub fn add_reference(&mut self, refund: &Id<Refund>) {
        let reference = self.ids.below(256);
        self.change(refund, &Cause::Stripe, UPDATED, |refund| {
            refund.reference = Some(format!("74627{reference:018}"));
        });
    }

    /// The money comes back from the bank, or never left.
    pub fn fail_refund(&mut self, refund: &Id<Refund>, reason: &'static str) {
        self.end_refund(refund, &Cause::Stripe, FAILED, ("failed", reason));
    }

    /// The merchant cancels a refund that has not succeeded yet. Stripe has no event of its own for that.
    pub fn cancel_refund(&mut self, by: &Cause, refund: &Id<Refund>) {
        self.end_refund(refund, by, UPDATED, ("canceled", "merchant_request"));
    }

    /// A refund that succeeded at once and moved no money, not part of the account yet.
    pub(super) fn new_refund(&mut self, charge: &Id<Charge>, amount: i64, metadata: Metadata) -> Refund {
        let id = self.mint(self.method_of(&self.get(charge).purchase).refund_prefix());
        Refund {
            id,
            charge: charge.clone(),
            created: self.now,
            amount,
            metadata,
            is_release: false,
            status: "succeeded",
            reason: None,
            pending_reason: None,
            failure_reason: None,
            balance_transaction: None,
            failure_balance_transaction: None,
            reference: None,
            details_asked: None,
            transfer_reversal: None,
            entered_at: None,
            failed_at: None,
        }
    }

    fn end_refund(
        &mut self,
        refund: &Id<Refund>,
        by: &Cause,
        kinds: &[&'static str],
        (status, failure_reason): (&'static str, &'static str),
    ) {
        let (entry, now) = (self.ids.mint("txn_3"), self.now);
        self.change(refund, by, kinds, |refund| {
            refund.failed_at = Some(now);
            refund.status = status;
            refund.pending_reason = None;
            refund.failure_reason = Some(failure_reason);
            refund.failure_balance_transaction = Some(entry);
        });
        let Refund { charge, amount, .. } = self.get(refund).clone();
        self.get_mut(&charge).amount_refunded -= amount;
    }
}

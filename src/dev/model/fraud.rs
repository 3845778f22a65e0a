//! The verbs of early fraud warnings and Radar reviews: what others think of a payment. No money moves.

use super::id::Id;
use super::objects::{Charge, Review, Warning};
use super::{Account, Cause};

impl Account {
    /// The issuer reports a payment as fraud; it is not disputed yet.
    pub fn warn(&mut self, charge: &Id<Charge>) -> Id<Warning> {
        let id = self.mint("issfr_1");
        let warning = self.insert(Warning { id, charge: charge.clone(), created: self.now, actionable: true });
        self.emit(&warning, &Cause::Stripe, "radar.early_fraud_warning.created");
        warning
    }

    /// A warning calls for nothing any more: the payment was refunded in full, or disputed.
    pub fn settle_warning(&mut self, warning: &Id<Warning>) {
        let kinds = ["radar.early_fraud_warning.updated"];
        self.change(warning, &Cause::Stripe, &kinds, |warning| warning.actionable = false);
    }

    /// A Radar rule holds a payment for review.
    pub fn open_review(&mut self, charge: &Id<Charge>) -> Id<Review> {
        let id = self.mint("prv_1");
        let review = self.insert(Review { id, charge: charge.clone(), created: self.now, closed_reason: None });
        self.emit(&review, &Cause::Stripe, "review.opened");
        review
    }

    /// The merchant approves a payment that was held for review.
    pub fn approve(&mut self, by: &Cause, review: &Id<Review>) {
        self.close_review(by, review, "approved");
    }

    /// Stripe closes a review, since the payment was disputed.
    pub fn close_disputed_review(&mut self, review: &Id<Review>) {
        self.close_review(&Cause::Stripe, review, "disputed");
    }

    /// A review is closed, for one of Stripe's reasons.
    pub fn close_review(&mut self, by: &Cause, review: &Id<Review>, reason: &'static str) {
        self.change(review, by, &["review.closed"], |review| review.closed_reason = Some(reason));
    }
}

//! Ranks of statuses by lifecycle stage: of two snapshots of one second, the later stage wins.
//!
//! Ranks order snapshots only; no amount or state is read from them. An unknown status ranks first,
//! so it never hides a known one.

use super::snapshot::{Charge, Dispute, Intent, Refund, Review, Session, Warning};

/// An object with a lifecycle.
pub trait Ranked {
    /// Its lifecycle stage: of two snapshots of one second, the later stage wins.
    fn rank(&self) -> u8;

    /// Breaks ties between snapshots of one stage: the larger wins. In minor units.
    fn tie_breaker(&self) -> i64 {
        0
    }
}

impl Ranked for Charge {
    /// `pending` < `failed` < succeeded and uncaptured < captured.
    fn rank(&self) -> u8 {
        match self.status.as_str() {
            "pending" => 1,
            "failed" => 2,
            "succeeded" if self.amount_captured > 0 => 4,
            "succeeded" => 3,
            _ => 0,
        }
    }

    fn tie_breaker(&self) -> i64 {
        self.amount_refunded
    }
}

impl Ranked for Intent {
    /// `requires_*` except capture < the same after a failed attempt < `processing` <
    /// `requires_capture` < `canceled` < `succeeded`. A card can be declined in the second in which its
    /// intent is created.
    fn rank(&self) -> u8 {
        match self.status.as_str() {
            "succeeded" => 6,
            "canceled" => 5,
            "requires_capture" => 4,
            "processing" => 3,
            _ if self.last_attempt_failed => 2,
            status if status.starts_with("requires_") => 1,
            _ => 0,
        }
    }
}

impl Ranked for Refund {
    /// `requires_action` < `pending` < `succeeded` < `failed` = `canceled`: a succeeded refund can
    /// fail weeks later (docs.stripe.com/refunds).
    fn rank(&self) -> u8 {
        match self.status.as_str() {
            "requires_action" => 1,
            "pending" => 2,
            "succeeded" => 3,
            "failed" | "canceled" => 4,
            _ => 0,
        }
    }
}

impl Ranked for Dispute {
    /// Inquiry, chargeback, appeal, closed, and last the late win: `lost` can become `won`
    /// (docs.stripe.com/disputes/how-disputes-work).
    fn rank(&self) -> u8 {
        match self.status.as_str() {
            "warning_needs_response" => 1,
            "warning_under_review" => 2,
            "needs_response" => 3,
            "under_review" => 4,
            "appeal_needs_response" => 5,
            "appeal_under_review" => 6,
            "warning_closed" | "prevented" | "lost" => 7,
            "won" | "charge_refunded" => 8,
            _ => 0,
        }
    }
}

impl Ranked for Session {
    /// The status of a session is not read.
    fn rank(&self) -> u8 {
        0
    }
}

impl Ranked for Warning {
    /// Actionable, then no longer.
    fn rank(&self) -> u8 {
        match self.actionable {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        }
    }
}

impl Ranked for Review {
    /// Open, then closed.
    fn rank(&self) -> u8 {
        u8::from(!self.open)
    }
}

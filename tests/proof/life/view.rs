//! What an endpoint is subscribed to, and which lives can be known from it.
//!
//! An endpoint that sees little can know little; [`knowable`] bends a life's shape until all that
//! `truth` tells follows from the events the endpoint sees. Left out, because nobody could know it:
//!
//! - endpoints that miss captures (`charge.captured`) but see refunds: a refund of a charge last seen
//!   uncaptured looks like a void;
//! - endpoints that see some `charge.dispute.*` but not the answers to an inquiry (`updated`), and then
//!   the escalation: whether the chargeback's own evidence was sent is not in its snapshot;
//! - endpoints that see refunds only once they fail, where Stripe also lowers `charge.amount_refunded`:
//!   whether the total still holds the failed refund cannot be told;
//! - children that name a charge only, where no event says which intent that charge is of: the payment
//!   looks like two;
//! - which of two captured charges a refund is of that names the intent only, unless both the refunds and the
//!   charges that show them are seen;
//! - an intent that is made and declined within a second, by endpoints that see both in the intent alone:
//!   the two snapshots are equally far along its life;
//! - disputes or refunds in several currencies where neither charge nor intent is seen: which is the payment's?

use super::plan::{Captures, Links, Nested, Shape};

/// The event types an endpoint is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Everything,
    /// What is commonly advised: no creation of intents, no step in between.
    Advised,
    ChargeRefunded,
    Refunds,
    Disputes,
    /// Only their first and last event.
    DisputeEnds,
    RefundsAndDisputes,
    AllButRefunds,
    AllButCharges,
    AllButIntents,
    Intents,
    Sessions,
    /// `charge.refunded`, and refunds only when they change: what there was before 2024-10-28.
    ChangedRefunds,
    Warnings,
    /// Of charges only those that were declined.
    DeclinedCharges,
}

/// What is commonly advised, beside refunds, disputes, warnings and sessions.
const ADVISED: &[&str] = &[
    "charge.refunded",
    "charge.succeeded",
    "charge.captured",
    "charge.updated",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.processing",
];

/// An event of the receiver's own: what somebody said of a payment's order.
pub const OWN: &str = "clawback.linked";

impl Endpoint {
    /// Whether it is sent events of a type.
    pub fn sees(self, kind: &str) -> bool {
        if kind == OWN {
            return true;
        }
        let dispute = kind.starts_with("charge.dispute.");
        let refund = kind.starts_with("refund.") || kind == "charge.refund.updated";
        let charge = kind.starts_with("charge.") && !dispute && !refund;
        let intent = kind.starts_with("payment_intent.");
        let session = kind.starts_with("checkout.session.");
        let warning = kind.starts_with("radar.") || kind.starts_with("review.");
        match self {
            Self::Everything => true,
            Self::Advised => dispute || refund || session || warning || ADVISED.contains(&kind),
            Self::ChargeRefunded => kind == "charge.refunded",
            Self::Refunds => refund,
            Self::Disputes => dispute,
            Self::DisputeEnds => kind == "charge.dispute.created" || kind == "charge.dispute.closed",
            Self::RefundsAndDisputes => refund || dispute,
            Self::AllButRefunds => !refund,
            Self::AllButCharges => !charge,
            Self::AllButIntents => !intent,
            Self::Intents => intent || session,
            Self::Sessions => session,
            Self::ChangedRefunds => charge || intent || kind == "charge.refund.updated",
            Self::Warnings => warning,
            Self::DeclinedCharges => !charge || kind == "charge.failed",
        }
    }

    fn sees_charges(self) -> bool {
        self.sees("charge.succeeded")
    }

    fn sees_refunds_made(self) -> bool {
        self.sees("refund.created")
    }
}

/// The nearest shape whose lives can be known from this endpoint.
pub fn knowable(shape: &Shape, endpoint: Endpoint) -> Shape {
    let mut shape = shape.clone();
    if shape.direct {
        shape.nested_charges = false;
        shape.refund_links = Links::Charge;
        shape.dispute_links = Links::Charge;
    } else if !endpoint.sees_charges() && !endpoint.sees("payment_intent.succeeded") {
        shape.refund_links = if shape.refund_links == Links::Charge { Links::Both } else { shape.refund_links };
        shape.dispute_links = Links::Both;
    }
    if !endpoint.sees_charges() && (shape.direct || !endpoint.sees("payment_intent.succeeded")) {
        shape.foreign_children = false;
    }
    let sees_each_refund =
        shape.nested_refunds != Nested::Absent || shape.refund_events && endpoint.sees_refunds_made();
    let sees_no_refund = !endpoint.sees("charge.refund.updated") && shape.nested_refunds == Nested::Absent;
    shape.sees_refunds = sees_each_refund;
    if !sees_each_refund && !sees_no_refund {
        shape.lowers = false;
    }
    shape.charges_again = shape.refund_links != Links::Intent
        || sees_each_refund && endpoint.sees("charge.refunded") && endpoint.sees_charges();
    shape.declined_at_once = endpoint.sees("charge.failed") || !endpoint.sees("payment_intent.created");
    shape.sees_cancels = !shape.direct && endpoint.sees("payment_intent.canceled");
    if !shape.sees_cancels && !endpoint.sees("charge.expired") {
        shape.void_shows_on_charge = true;
    }
    shape.sees_captures =
        endpoint.sees("charge.captured") || shape.nested_charges && endpoint.sees("payment_intent.succeeded");
    if !shape.sees_captures && !shape.expands_balance {
        // Then the version of the event is all there is to go by.
        shape.captures = if shape.api_version >= "2025-03-31" { Captures::New } else { Captures::Old };
    }
    shape
}

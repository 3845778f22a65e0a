//! Stripe's objects as plain data: what of them changes in a life. Words such as `status` are
//! Stripe's own. No rules: `life` changes them, `render` shows them.
//!
//! Amounts are minor currency units, times unix seconds.

use super::cast::Cast;
use super::people::{Buyer, Method};

/// What holds for the whole telling.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) cast: Cast,
    pub(super) buyer: &'static Buyer,
    pub(super) method: Method,
    pub(super) customer_id: String,
    pub(super) payment_method_id: String,
}

/// A checkout session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) status: &'static str,
    pub(super) payment_status: &'static str,
}

/// A payment intent.
#[derive(Debug)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) created: i64,
    pub(super) status: &'static str,
    pub(super) capture_method: &'static str,
    pub(super) amount_received: i64,
    pub(super) amount_capturable: i64,
    pub(super) latest_charge: Option<String>,
    pub(super) last_payment_error: Option<Decline>,
    pub(super) cancellation: Option<Cancellation>,
}

/// Why and when an intent was canceled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cancellation {
    pub(super) at: i64,
    pub(super) reason: &'static str,
}

/// Why a payment attempt failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decline {
    pub(super) code: &'static str,
    /// The issuer's reason; only cards have one.
    pub(super) decline_code: Option<&'static str>,
    pub(super) message: &'static str,
}

/// A charge: one attempt to take the money.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) status: &'static str,
    pub(super) captured: bool,
    pub(super) amount_captured: i64,
    /// As Stripe shows it: live refunds and what was authorized but released.
    pub(super) amount_refunded: i64,
    pub(super) disputed: bool,
    pub(super) decline: Option<Decline>,
    pub(super) balance_transaction: Option<String>,
}

/// A refund.
#[derive(Debug)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) charge_id: String,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) status: &'static str,
    pub(super) reason: Option<&'static str>,
    /// Stripe made it by itself, so it carries nothing of the merchant's.
    pub(super) by_stripe: bool,
    pub(super) pending_reason: Option<&'static str>,
    pub(super) failure_reason: Option<&'static str>,
    pub(super) balance_transaction: Option<String>,
    pub(super) failure_balance_transaction: Option<String>,
    /// The acquirer reference number, with which the buyer's bank finds the refund.
    pub(super) reference: Option<String>,
    /// When the buyer was asked for bank details.
    pub(super) details_asked: Option<i64>,
}

/// A dispute, of whatever kind.
#[derive(Debug)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) charge_id: String,
    pub(super) created: i64,
    pub(super) amount: i64,
    pub(super) reason: &'static str,
    pub(super) status: &'static str,
    pub(super) case_type: &'static str,
    /// 0: no response is allowed; none: Stripe names no deadline.
    pub(super) due_by: Option<i64>,
    pub(super) evidence: Option<Evidence>,
    pub(super) submission_count: u32,
    pub(super) is_charge_refundable: bool,
    pub(super) entries: Vec<Entry>,
}

/// What the merchant answered.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) receipt: String,
}

/// Money that a dispute moved: an entry of `balance_transactions`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) created: i64,
    /// Negative when withdrawn.
    pub(super) amount: i64,
    pub(super) fee: i64,
}

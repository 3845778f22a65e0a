//! Stripe's objects as plain data: what of them changes. Words such as `status` are Stripe's own. No rules: the
//! verbs change the objects, `render` shows them.
//!
//! Amounts are minor currency units, times unix seconds.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::id::Id;
use super::people::{Buyer, Method};

/// The merchant's own fields.
pub type Metadata = BTreeMap<String, String>;

/// A customer.
#[derive(Debug, Clone)]
pub struct Customer {
    pub(in crate::dev) buyer: &'static Buyer,
}

/// A payment method.
#[derive(Debug, Clone)]
pub struct PaymentMethod {
    pub(in crate::dev) method: Method,
}

/// What is paid for, by whom and with what: a session, its intent and its charges share it.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// In minor currency units.
    pub amount: i64,
    /// Currency code in lower case.
    pub currency: String,
    /// The merchant's own fields.
    pub metadata: Metadata,
    /// The merchant's text.
    pub description: String,
    /// Who pays.
    pub customer: Id<Customer>,
    /// What they pay with.
    pub payment_method: Id<PaymentMethod>,
    /// Who else gets of it.
    pub share: Share,
    /// Where it is sent, and with which carrier, as Stripe shows it; null if nothing is shipped.
    pub shipping: Value,
}

/// How a payment is shared over Connect. Amounts are in minor currency units.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// The connected account to which the money is transferred: a destination charge.
    pub destination: Option<String>,
    /// How much is transferred; all of it if none.
    pub transfer_amount: Option<i64>,
    /// What the platform keeps.
    pub application_fee: Option<i64>,
}

/// A checkout session.
#[derive(Debug, Clone)]
pub struct Session {
    pub(in crate::dev) id: Id<Session>,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) purchase: Purchase,
    /// None until the buyer pays.
    pub(in crate::dev) payment_intent: Option<Id<Intent>>,
    pub(in crate::dev) status: &'static str,
    pub(in crate::dev) payment_status: &'static str,
}

/// A payment intent.
#[derive(Debug, Clone)]
pub struct Intent {
    pub(in crate::dev) id: Id<Intent>,
    pub(in crate::dev) secret: String,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) purchase: Purchase,
    pub(in crate::dev) status: &'static str,
    pub(in crate::dev) capture: Capture,
    pub(in crate::dev) amount_received: i64,
    pub(in crate::dev) amount_capturable: i64,
    pub(in crate::dev) latest_charge: Option<Id<Charge>>,
    pub(in crate::dev) last_payment_error: Option<Decline>,
    pub(in crate::dev) cancellation: Option<Cancellation>,
}

/// When the money of a confirmed intent is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// At once.
    Automatic,
    /// By a later request of the merchant's.
    Manual,
}

/// Why and when an intent was canceled.
#[derive(Debug, Clone, Copy)]
pub struct Cancellation {
    pub(in crate::dev) at: i64,
    pub(in crate::dev) reason: &'static str,
}

/// Why a payment attempt failed.
#[derive(Debug, Clone, Copy)]
pub struct Decline {
    pub(in crate::dev) code: &'static str,
    /// The issuer's reason; only cards have one.
    pub(in crate::dev) decline_code: Option<&'static str>,
    pub(in crate::dev) message: &'static str,
}

/// A charge: one attempt to take the money.
#[derive(Debug, Clone)]
pub struct Charge {
    pub(in crate::dev) id: Id<Charge>,
    /// None for a charge that was made without one.
    pub(in crate::dev) payment_intent: Option<Id<Intent>>,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) purchase: Purchase,
    pub(in crate::dev) status: &'static str,
    pub(in crate::dev) captured: bool,
    /// Whether the authorization was canceled or has expired. Not shown.
    pub(in crate::dev) is_void: bool,
    /// When the money was captured. Shown by its entry in the balance only.
    pub(in crate::dev) captured_at: Option<i64>,
    pub(in crate::dev) amount_captured: i64,
    /// As Stripe shows it: live refunds and what was authorized but released.
    pub(in crate::dev) amount_refunded: i64,
    /// What of `amount_refunded` was authorized, but never captured.
    pub(in crate::dev) amount_released: i64,
    pub(in crate::dev) disputed: bool,
    pub(in crate::dev) decline: Option<Decline>,
    pub(in crate::dev) balance_transaction: Option<String>,
    pub(in crate::dev) transfer: Option<Id<Transfer>>,
    pub(in crate::dev) application_fee: Option<Id<ApplicationFee>>,
}

/// What a destination charge passed on to a connected account.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub(in crate::dev) id: Id<Transfer>,
    pub(in crate::dev) charge: Id<Charge>,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) destination: String,
    pub(in crate::dev) amount: i64,
    pub(in crate::dev) amount_reversed: i64,
}

/// What the platform kept of a charge.
#[derive(Debug, Clone)]
pub struct ApplicationFee {
    pub(in crate::dev) id: Id<ApplicationFee>,
    pub(in crate::dev) charge: Id<Charge>,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) amount: i64,
    pub(in crate::dev) amount_refunded: i64,
}

/// A refund.
#[derive(Debug, Clone)]
pub struct Refund {
    pub(in crate::dev) id: Id<Refund>,
    pub(in crate::dev) charge: Id<Charge>,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) amount: i64,
    pub(in crate::dev) metadata: Metadata,
    /// Stripe made it of money that was authorized, but never captured. Not shown.
    pub(in crate::dev) is_release: bool,
    pub(in crate::dev) status: &'static str,
    pub(in crate::dev) reason: Option<&'static str>,
    pub(in crate::dev) pending_reason: Option<&'static str>,
    pub(in crate::dev) failure_reason: Option<&'static str>,
    pub(in crate::dev) balance_transaction: Option<String>,
    pub(in crate::dev) failure_balance_transaction: Option<String>,
    /// The acquirer reference number, with which the buyer's bank finds the refund.
    pub(in crate::dev) reference: Option<String>,
    /// When the buyer was asked for bank details.
    pub(in crate::dev) details_asked: Option<i64>,
    pub(in crate::dev) transfer_reversal: Option<String>,
    /// When the entries of the balance were made: of the refund, and of its failure.
    pub(in crate::dev) entered_at: Option<i64>,
    pub(in crate::dev) failed_at: Option<i64>,
}

/// A dispute, of whatever kind.
#[derive(Debug, Clone)]
pub struct Dispute {
    pub(in crate::dev) id: Id<Dispute>,
    pub(in crate::dev) charge: Id<Charge>,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) amount: i64,
    pub(in crate::dev) reason: &'static str,
    pub(in crate::dev) status: &'static str,
    pub(in crate::dev) case_type: &'static str,
    /// 0: no response is allowed; none: Stripe names no deadline.
    pub(in crate::dev) due_by: Option<i64>,
    /// What Stripe filled in and what the merchant staged or submitted, by Stripe's names of the fields.
    pub(in crate::dev) evidence: Map<String, Value>,
    /// What Stripe filled in. It alone does not count as evidence.
    pub(in crate::dev) prefilled: Map<String, Value>,
    pub(in crate::dev) metadata: Metadata,
    /// In the order in which they were made, over all phases.
    pub(in crate::dev) submissions: Vec<Submitted>,
    /// Whether the last submission came after its deadline.
    pub(in crate::dev) past_due: bool,
    /// None where Smart Disputes are not enabled for the dispute.
    pub(in crate::dev) smart: Option<Smart>,
    /// Whether the merchant accepted it, or closed it as an inquiry.
    pub(in crate::dev) is_closed_by_merchant: bool,
    /// The charge's `amount_refunded` when the dispute began.
    pub(in crate::dev) refunded_before: i64,
    pub(in crate::dev) is_charge_refundable: bool,
    pub(in crate::dev) entries: Vec<Entry>,
}

/// Evidence that went to the bank.
#[derive(Debug, Clone)]
pub struct Submitted {
    pub(in crate::dev) at: i64,
    /// `inquiry`, `chargeback`, `compliance` or `appeal`.
    pub(in crate::dev) phase: &'static str,
    pub(in crate::dev) by: Submitter,
    /// The request that submitted it.
    pub(in crate::dev) request: Option<String>,
    pub(in crate::dev) evidence: Map<String, Value>,
}

/// Who submits evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Submitter {
    /// A request of the API.
    Api,
    /// A person in Stripe's Dashboard.
    Dashboard,
    /// Stripe, at the deadline.
    SmartDisputes,
}

/// Smart Disputes as they are enabled for one dispute.
#[derive(Debug, Clone, Copy)]
pub struct Smart {
    /// Who is to submit, in Stripe's words.
    pub(in crate::dev) intended: &'static str,
    /// `available`, `requires_evidence` or `unavailable`, before the merchant's evidence is looked at.
    pub(in crate::dev) status: &'static str,
}

/// Money that a dispute moved: an entry of `balance_transactions`.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(in crate::dev) id: String,
    pub(in crate::dev) created: i64,
    /// Negative when withdrawn.
    pub(in crate::dev) amount: i64,
    pub(in crate::dev) fee: i64,
}

/// An early fraud warning.
#[derive(Debug, Clone)]
pub struct Warning {
    pub(in crate::dev) id: Id<Warning>,
    pub(in crate::dev) charge: Id<Charge>,
    pub(in crate::dev) created: i64,
    pub(in crate::dev) actionable: bool,
}

/// A Radar review.
#[derive(Debug, Clone)]
pub struct Review {
    pub(in crate::dev) id: Id<Review>,
    pub(in crate::dev) charge: Id<Charge>,
    pub(in crate::dev) created: i64,
    /// None while it is open.
    pub(in crate::dev) closed_reason: Option<&'static str>,
}

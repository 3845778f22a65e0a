//! Snapshots: Stripe's objects as one event shows them, and when.
//!
//! Plain data. What is kept of all snapshots of an object is in `facts.rs`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When and at which lifecycle stage an object was seen: a total order over all snapshots of one object.
///
/// Stripe's `created` has a resolution of one second, so within a second the snapshot at the later
/// stage wins, then the one with more refunded, then the larger event id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// `event.created`, in unix seconds.
    pub at: i64,
    /// The object's lifecycle stage; see `rank.rs`.
    pub rank: u8,
    /// `amount_refunded` of a charge, in minor units; 0 for everything else.
    pub amount: i64,
    /// The id of the event that showed it.
    pub event_id: String,
}

/// A value, and when it was seen last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest<T> {
    /// When it was seen.
    pub stamp: Stamp,
    /// The value seen.
    pub value: T,
}

/// The account and mode an object belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The connected account; none for the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
}

/// A charge as one snapshot shows it. Amounts in minor units of `currency`, times in unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Account and mode.
    pub scope: Scope,
    /// The amount requested.
    pub amount: i64,
    /// The amount captured; 0 for an authorization.
    pub amount_captured: i64,
    /// The amount Stripe shows as refunded, which includes voids and the released rest of a partial capture.
    pub amount_refunded: i64,
    /// Stripe's flag: fully refunded.
    pub refunded: bool,
    /// Stripe's flag: there is or was a dispute.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// Lower-case ISO code.
    pub currency: String,
    /// `pending`, `succeeded`, `failed`, or a value not known yet.
    pub status: String,
    /// When the attempt was made, in unix seconds.
    pub created: i64,
    /// Stripe's payment method type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// The card network, as Stripe names it; none for other payment methods, cards read by a terminal included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_brand: Option<String>,
    /// Stripe's failure code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// Part of it goes to a connected account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_transfer: bool,
    /// The platform takes an application fee.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_fee: bool,
    /// The refunds that this snapshot nests.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refunds: BTreeSet<String>,
}

/// How Stripe shows the rest of an authorization that a capture released. The version of the request that captured
/// decides, not that of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendering {
    /// Counted as refunded: before 2025-03-31.basil.
    Old,
    /// Not shown: since then.
    New,
}

/// What all snapshots of a charge that show the same captured amount add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The earliest event that showed it, in unix seconds: it was captured by then.
    pub since: i64,
    /// The smallest refunded amount that any of them shows, in minor units.
    pub least: i64,
    /// The earliest event that showed that amount, in unix seconds.
    pub least_at: i64,
    /// One had `refunded` set for less than the charge's amount.
    pub all_of_less: bool,
}

/// A payment intent as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Account and mode.
    pub scope: Scope,
    /// The amount requested, in minor units.
    pub amount: i64,
    /// The amount captured over all charges, in minor units.
    pub amount_received: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// Stripe's status.
    pub status: String,
    /// Whether the last attempt failed.
    pub last_attempt_failed: bool,
    /// Stripe's cancellation reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<String>,
    /// Part of it goes to a connected account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_transfer: bool,
    /// The platform takes an application fee.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_fee: bool,
}

/// A refund as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Account and mode.
    pub scope: Scope,
    /// In minor units.
    pub amount: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// Stripe's status. A nested refund of the oldest versions has none, and has succeeded.
    pub status: String,
    /// Why it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// What it waits for, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_reason: Option<String>,
    /// Its destination type: `card` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_type: Option<String>,
    /// The reference by which the buyer's bank finds it, such as an ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Whether the reference is available yet, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_status: Option<String>,
    /// The merchant's metadata; none when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// When it was created, in unix seconds.
    pub created: i64,
}

/// A dispute as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Account and mode.
    pub scope: Scope,
    /// In minor units; may be below or above the charge's.
    pub amount: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// The cardholder's reason, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The card network's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_reason_code: Option<String>,
    /// The payment method type: `card`, `klarna` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// The card network, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_brand: Option<String>,
    /// Stripe's status.
    pub status: String,
    /// `chargeback`, `inquiry`, `compliance`, `block`, `resolution`, or a value not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_type: Option<String>,
    /// The evidence deadline in unix seconds; 0: no response is allowed; none: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_by: Option<i64>,
    /// Evidence is staged, not necessarily submitted.
    pub has_evidence: bool,
    /// The last submission was late.
    pub past_due: bool,
    /// How often evidence was submitted.
    pub submission_count: i64,
    /// How evidence will be submitted at the deadline, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_submission_method: Option<String>,
    /// How evidence was submitted, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission_method: Option<String>,
    /// The network programmes that the evidence qualifies for: Stripe's JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced_eligibility: Option<Value>,
    /// Whether the charge can still be refunded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_charge_refundable: Option<bool>,
    /// When it was opened, in unix seconds.
    pub created: i64,
}

/// One balance transaction of a dispute or a charge: the money that actually moved. In minor units of the settlement
/// currency, which may differ from the object's; a withdrawal is negative.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BalanceEntry {
    /// Unix seconds; 0: unknown.
    pub created: i64,
    /// Negative when withdrawn, positive when reinstated.
    pub amount: i64,
    /// The fee, positive when charged.
    pub fee: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// The value of one unit of the object's currency in `currency`, in units of 10^-12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_rate: Option<u64>,
}

/// The smallest and the largest `submission_count` seen of a dispute in one phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submissions {
    /// The first count seen: Stripe does not say whether it restarts in a new phase.
    pub least: i64,
    /// The largest count seen: above `least`, evidence was submitted in this phase.
    pub most: i64,
}

/// A checkout session as one snapshot shows it: only what identifies the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Account and mode.
    pub scope: Scope,
    /// Lower-case ISO code; none in setup mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// An early fraud warning as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Account and mode.
    pub scope: Scope,
    /// The type of fraud the issuer reports, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraud_type: Option<String>,
    /// Neither disputed nor fully refunded yet: a refund can still prevent a dispute. None where Stripe
    /// omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actionable: Option<bool>,
    /// When it was created, in unix seconds.
    pub created: i64,
}

/// A Radar review as one snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Account and mode.
    pub scope: Scope,
    /// Not decided yet.
    pub open: bool,
    /// Why it was opened, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_reason: Option<String>,
    /// Why it was closed, as Stripe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_reason: Option<String>,
    /// When it was opened, in unix seconds.
    pub created: i64,
}

/// Who paid, by one snapshot of a charge, an intent or a session. Personal data: kept apart from the facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payer {
    /// The charge, intent or session.
    pub object_id: String,
    /// `event.created`, in unix seconds.
    pub seen_at: i64,
    /// The event that showed it.
    pub event_id: String,
    /// Stripe's customer id.
    pub customer_id: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Name.
    pub name: Option<String>,
}

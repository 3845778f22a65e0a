//! The phase and outcome of a dispute.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// The kind of case. An inquiry that escalates enters a new phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// An inquiry: no money has moved.
    Inquiry,
    /// Money is or will be withdrawn.
    Chargeback,
    /// A decision is being appealed.
    Appeal,
    /// A network's compliance case: responding has a fee of its own.
    Compliance,
    /// Settled by a prevention product before it became a chargeback.
    Prevention,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Decided for the merchant.
    Won,
    /// Decided for the cardholder, accepted, or too late.
    Lost,
    /// An inquiry that closed without becoming a chargeback.
    WarningClosed,
    /// Settled before it became a chargeback.
    Prevented,
}

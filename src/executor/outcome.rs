//! The outcome of a call, and what to do next. Pure: the clock and the database are elsewhere.

use std::time::Duration;

use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::Pace;
use crate::backoff;
use crate::store::api_calls::LeasedCall;
use crate::store::inbox::NewEvent;
use crate::store::responses::{Ended, Response};
use crate::stripe_api::{Answer, Error};

/// The outcome of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is nothing to do any more.
    Over,
    /// The refund was created, or found.
    Refunded(Made),
    /// What was read, as events for the ledger.
    Read(Vec<NewEvent>),
    /// There is nothing to read, for this reason.
    Vain(Error),
    /// It was not made, for this reason.
    Failed { error: Error, step: Step },
    /// A person cancelled it while its outcome was unknown, and Stripe knows no such refund.
    Cancelled,
    /// What was asked about a response to a dispute has an answer.
    Responded {
        response: Response,
        end: Responded,
        /// The dispute as Stripe showed it.
        shown: Option<Shown>,
        /// How Stripe would have responded by itself, where it was told not to.
        made_manual: Option<String>,
    },
    /// What was asked about a response has none, for this reason.
    NotResponded { response: Response, errand: Errand, error: Error, step: Step },
    /// A call that this release does not know: a newer one does.
    Unknown { kind: String },
}

/// What is asked of Stripe about a response. Its text is the `kind` of a row of `api_calls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Errand {
    /// Stage the draft.
    Stage,
    /// Submit the evidence.
    Submit,
    /// Accept the dispute.
    Accept,
    /// Say who responds at the deadline: we, or Stripe by itself.
    Intend,
}

/// How a call about a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Responded {
    /// Stripe holds these fields, not submitted. `all`: the whole draft.
    Staged { fields: Vec<String>, all: bool },
    /// The response ended.
    Ended(Ended),
    /// Stripe knows who responds at the deadline.
    Intended,
    /// It was not sent and cannot be, for this reason.
    Over { reason: String },
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Looking up a refund that nobody has tried to create yet.
    LookUp,
    /// Looking up a refund that may exist.
    LookUpInDoubt,
    /// Creating a refund.
    Create,
    /// Reading an object.
    Read,
    /// Something that can be done twice without harm: staging, uploading.
    Repeatable,
}

/// An object as Stripe showed it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// The object, as received.
    pub json: Box<RawValue>,
    pub date: Option<OffsetDateTime>,
    pub took: Duration,
    pub request_id: Option<String>,
}

impl From<Answer> for Shown {
    fn from(answer: Answer) -> Self {
        let (date, took, request_id) = (answer.date, answer.took, answer.request_id.clone());
        Self { json: answer.into_json(), date, took, request_id }
    }
}

/// A refund as Stripe showed it.
#[derive(Debug)]
pub(super) struct Made {
    pub shown: Shown,
    pub refund: Refund,
    pub origin: Origin,
}

/// How a refund came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Created,
    Found,
}

/// The fields of a refund that a request records.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) struct Refund {
    pub id: String,
    pub amount: i64,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub failure_reason: Option<String>,
    #[serde(default)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Outcome {
    pub(super) fn not_ours(call: &LeasedCall) -> Self {
        Self::Unknown { kind: call.kind.clone() }
    }
}

/// What an error means for the call, its request and its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing happened; try again after this wait.
    Again(Duration),
    /// It may have had an effect: look it up after this wait.
    LookUp(Duration),
    /// Stripe refuses it for good.
    GiveUp,
    /// A person must mend the key: the account pauses.
    Key,
    /// The key may not make this call, which refunds do without: it alone waits.
    Forbidden(Duration),
}

/// What to do next about an error, by the step that failed and the number of attempts.
pub(super) fn next(error: &Error, step: Step, attempts: i32, pace: &Pace) -> Next {
    let attempts = u32::try_from(attempts).unwrap_or(1);
    let wait = |longest| backoff::between(pace.shortest_wait, longest, attempts);
    match (error, step) {
        (Error::Retry { after, .. }, _) => Next::Again(wait(pace.longest_wait).max(after.unwrap_or_default())),
        (Error::Unknown(_), Step::Repeatable) => Next::Again(wait(pace.longest_wait)),
        // An answer that is no refund is of a call that was made.
        (Error::Unknown(_), _) | (Error::Malformed { .. }, Step::Create) => Next::LookUp(wait(pace.longest_doubt)),
        // A look-up that is refused says nothing about a refund that may exist.
        (Error::Refused(_) | Error::NotFound(_) | Error::WrongMode(_), Step::LookUpInDoubt) => {
            Next::LookUp(wait(pace.longest_doubt))
        }
        (Error::Refused(_) | Error::NotFound(_) | Error::WrongMode(_), _) => Next::GiveUp,
        (Error::Key(details), Step::Read) if details.status == Some(403) => Next::Forbidden(pace.longest_doubt),
        (Error::Key(_) | Error::NoKey(_), _) => Next::Key,
        // A defect of ours or a list that makes no sense: another release may do better.
        (Error::Malformed { .. }, _) => Next::Again(pace.longest_doubt),
    }
}

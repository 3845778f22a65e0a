//! What can go wrong with a call, by what the caller can do about it.

use std::fmt;
use std::time::Duration;

use super::answer::Advice;
use super::key::Mode;

/// Why there is no answer. The text is for operators; code branches on the variant and on [`Details::code`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing happened at Stripe: make the same call later, with the same idempotency key.
    #[error("{details}")]
    Retry {
        /// How long Stripe asks to wait, where it says so.
        after: Option<Duration>,
        /// What is known about it.
        details: Box<Details>,
    },
    /// A POST whose effect is unknown: look up what happened before anything else.
    #[error("{0}; whether it had an effect is unknown")]
    Unknown(Box<Details>),
    /// Stripe refuses this call, and always will.
    #[error("{0}")]
    Refused(Box<Details>),
    /// The API key is wrong, expired, or lacks a permission: every such call waits for a person.
    #[error("{0}; check the API key and its permissions")]
    Key(Box<Details>),
    /// A read of an object that is not in this account and mode.
    #[error("{0}")]
    NotFound(Box<Details>),
    /// The object is of the other mode.
    #[error("{0}")]
    WrongMode(Box<Details>),
    /// There is no API key for this mode. Nothing was sent.
    #[error("no API key for {0} mode is configured")]
    NoKey(Mode),
    /// The call, or a list that Stripe answered with, makes no sense: a defect here or there.
    #[error("{call}: {problem}")]
    Malformed {
        /// The call.
        call: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Error {
    pub(super) fn malformed(call: impl Into<String>, problem: &'static str) -> Self {
        Self::Malformed { call: call.into(), problem }
    }

    /// What is known about a call that was tried.
    #[must_use]
    pub fn details(&self) -> Option<&Details> {
        match self {
            Self::Retry { details, .. }
            | Self::Unknown(details)
            | Self::Refused(details)
            | Self::Key(details)
            | Self::NotFound(details)
            | Self::WrongMode(details) => Some(details),
            Self::NoKey(_) | Self::Malformed { .. } => None,
        }
    }

    pub(super) fn details_mut(&mut self) -> Option<&mut Details> {
        match self {
            Self::Retry { details, .. }
            | Self::Unknown(details)
            | Self::Refused(details)
            | Self::Key(details)
            | Self::NotFound(details)
            | Self::WrongMode(details) => Some(details),
            Self::NoKey(_) | Self::Malformed { .. } => None,
        }
    }
}

/// What kept a call from succeeding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Stripe answered with an error.
    Status,
    /// There was no connection, so that nothing was sent.
    NotConnected,
    /// The deadline came before the call's turn under the rate limit of this process; nothing was sent.
    NoTurn,
    /// The answer was not complete in time.
    TimedOut,
    /// The connection broke before the answer was complete.
    Cut,
    /// The answer is no JSON object.
    NotJson,
    /// The answer is longer than 8 MiB.
    TooLarge,
}

/// What is known about a call that failed. Holds no body and no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// Method and path.
    pub call: String,
    /// What kept it from succeeding.
    pub problem: Problem,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The request's id at Stripe, `req_…`.
    pub request_id: Option<String>,
    /// `type` of Stripe's error.
    pub kind: Option<String>,
    /// Stripe's code: the one to branch on.
    pub code: Option<String>,
    /// The card issuer's reason for a decline.
    pub decline_code: Option<String>,
    /// The parameter at fault.
    pub param: Option<String>,
    /// Stripe's words, or those of the network, for people. Shortened; never to be parsed.
    pub message: Option<String>,
    /// Which of Stripe's limits was reached.
    pub rate_limited_reason: Option<String>,
    pub(super) advice: Option<Advice>,
}

impl Details {
    pub(super) fn new(call: String, problem: Problem) -> Self {
        Self {
            call,
            problem,
            status: None,
            request_id: None,
            kind: None,
            code: None,
            decline_code: None,
            param: None,
            message: None,
            rate_limited_reason: None,
            advice: None,
        }
    }
}

/// One line: `POST /v1/refunds: 400 charge_already_refunded: Charge ch_1 has already been refunded. (request req_1)`.
impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.call)?;
        match (self.problem, self.status) {
            (Problem::Status, Some(status)) => write!(f, "{status}")?,
            (problem, _) => f.write_str(problem.text())?,
        }
        let named = [&self.code, &self.decline_code, &self.rate_limited_reason];
        for word in named.into_iter().flatten() {
            write!(f, " {word}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl Problem {
    fn text(self) -> &'static str {
        match self {
            Self::Status => "error",
            Self::NotConnected => "cannot connect",
            Self::NoTurn => "the deadline came before the call was sent, under the client-side rate limit",
            Self::TimedOut => "no complete answer in time",
            Self::Cut => "the connection broke before the answer was complete",
            Self::NotJson => "the answer is not a JSON object",
            Self::TooLarge => "the answer is longer than 8 MiB",
        }
    }
}

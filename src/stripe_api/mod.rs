//! A thin client of Stripe's API: it makes one call, retries it where that is safe, and returns the answer or a typed error.
//!
//! [`Client`] is one per process. [`Client::calls`] gives the calls on one account in one mode, within a time limit: one
//! method per endpoint, each returning an [`Answer`] with the object as text, or [`Pages`] of a list. An [`Error`] is
//! typed by what the caller can do about it.
//!
//! A POST takes an [`IdempotencyKey`], which the caller has stored before. One whose effect is uncertain is never
//! repeated here: it is [`Error::Unknown`], and the caller looks up what happened.
//!
//! Not here: what the objects mean, which calls to make and when, and a rate limit over several processes. No body is
//! ever logged or part of an error; of Stripe's errors only the message is.

mod answer;
mod base;
mod charges;
mod classify;
mod client;
mod disputes;
mod error;
mod events;
mod files;
mod imports;
mod key;
mod limits;
mod pages;
mod params;
mod path;
mod payment_intents;
mod refunds;
mod request;
mod retry;
mod thin_events;
mod webhook_endpoints;

pub use self::answer::{Answer, Origin};
pub use self::base::{Base, BaseError};
pub use self::client::{Calls, Client, OtherModes, Scope, Settings, SetupError, TimeLimit};
pub use self::disputes::{DisputeUpdate, Submit, evidence_parameter};
pub use self::error::{Details, Error, Problem};
pub use self::events::EventFilter;
pub use self::files::EvidenceFile;
pub use self::imports::Created;
pub use self::key::{IdempotencyKey, Keys, KeysError, Mode};
pub use self::limits::Limits;
pub use self::pages::{Page, Pages};
pub use self::params::Params;
pub use self::refunds::Of;
pub use self::request::API_VERSION;

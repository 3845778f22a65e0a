//! The pure core: what a payment's events add up to.
//!
//! Facts go in, state and desired follow-ups come out. Nothing here is async, reads a clock, or knows SQL or Stripe's
//! JSON: [`crate::handlers`] turns the JSON into facts.
//!
//! The heart is a join. Each event yields a small [`Facts`]; joining facts is commutative, associative
//! and idempotent, [`Facts::by_payment`] and [`derive()`] are functions of the joined value. So order
//! state depends on the set of events, and on nothing else.

/// The version of the rules: of readers, merge, derivation and follow-ups alike. Raise it when any of
/// them changes: facts made by other rules are then rebuilt from the ledger.
pub const RULES_VERSION: i32 = 3;

mod capture;
mod cause;
pub mod currency;
mod derive;
mod desired;
mod dispute;
mod erase;
mod facts;
pub mod history;
mod join;
mod loss;
mod marks;
mod money;
mod news;
mod order;
mod payment;
mod payment_id;
mod phase;
mod rank;
mod reads;
pub mod reconcile;
mod release;
mod snapshot;
mod statement;
mod warning;

pub use capture::Capture;
pub use derive::{Derived, DisputeState, RefundState, ReviewState, WarningState, derive, derive_with};
pub use desired::{Desired, REFUSALS, RunAt, kinds};
pub use erase::{Erasure, Replace};
pub use facts::{ChargeFacts, Child, DisputeFacts, Facts, IntentFacts, SessionFacts};
pub use marks::Marks;
pub use news::is_news;
pub use order::{Order, OrderKey, Tally, order};
pub use payment::{Balance, Payment, State};
pub use phase::{Outcome, Phase};
pub use rank::Ranked;
pub use reads::{Read, ReadKind};
pub use snapshot::{
    BalanceEntry, Charge, Dispute, Intent, Latest, Payer, Refund, Rendering, Review, Scope, Session, Shown, Stamp,
    Submissions, Warning,
};
pub use statement::{BalanceMove, Line, statement};

//! Stripe's side of the wire: who sent it, what kind of event it is, and how to read an object of it.
//!
//! Knows nothing of payments and orders; the two meet in [`crate::handlers`].

pub mod envelope;
pub mod object;
pub mod signature;

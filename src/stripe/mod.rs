//! Stripe's wire format: the signature, the envelope, and reading an object field by field.
//!
//! Knows nothing of payments and orders; the two meet in [`crate::handlers`].

pub mod envelope;
pub mod fetched;
mod fields;
pub mod object;
pub mod signature;
pub mod thin;

//! Clawback: a Stripe webhook receiver for the money that goes back.

pub mod intake;
pub mod store;
pub mod stripe;

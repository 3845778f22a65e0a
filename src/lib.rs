//! Clawback: a Stripe webhook receiver for the money that goes back.

pub mod http;
pub mod intake;
pub mod store;
pub mod stripe;

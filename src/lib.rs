//! Clawback: a Stripe webhook receiver for the money that goes back.

pub mod apply;
pub mod domain;
pub mod handlers;
pub mod processor;
pub mod store;
pub mod stories;
pub mod stripe;

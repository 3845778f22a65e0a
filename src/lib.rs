//! Clawback: a Stripe webhook receiver for the money that goes back.

pub mod apply;
pub mod cli;
pub mod domain;
pub mod handlers;
pub mod http;
pub mod intake;
pub mod processor;
pub mod store;
pub mod stories;
pub mod stripe;
pub mod telemetry;

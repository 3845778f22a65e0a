//! Clawback: a Stripe webhook receiver for the money that goes back.

pub mod cli;

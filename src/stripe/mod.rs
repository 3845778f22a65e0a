//! Stripe's side of the wire.

pub mod object;

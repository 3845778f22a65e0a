//! What Stripe sends, read as plain values: the signature of a delivery and the envelope of an event.
//!
//! Pure: no I/O, no clock, no database, and nothing of what an event means for an order.

pub mod envelope;
pub mod signature;

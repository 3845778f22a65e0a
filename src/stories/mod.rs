//! The life stories of payments: what Stripe does, as the events it would send.

pub mod delivery;

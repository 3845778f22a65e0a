//! The operators' console: server-rendered pages on a listener of their own, which do in a browser what the commands do.
//!
//! It reads by [`crate::store::queries`] and acts through the functions of `clawback_v1`, as the commands do. Every page
//! works without a script. Not here: binding the socket and reading the configuration, which [`crate::app`] does, and
//! calls to Stripe, which [`crate::executor`] makes from rows.

pub mod settings;
pub mod users;

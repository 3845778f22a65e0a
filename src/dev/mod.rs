//! What never runs in production: the service on a Postgres of its own, and made-up lives of payments for it.
//!
//! Nothing but the commands and the tests imports it.

pub(crate) mod demo;
pub mod local_postgres;
mod send;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod simulate;
pub mod stories;

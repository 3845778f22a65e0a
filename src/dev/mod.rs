//! What never runs in production: the service on a private Postgres, a model of Stripe, and stories told with it.
//!
//! Nothing but the commands and the tests imports it.

mod console;
pub(crate) mod demo;
pub mod double;
mod feed;
pub mod local_postgres;
pub mod model;
mod send;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod simulate;
pub mod stories;

//! All SQL of the service, one file per family of tables. Functions take `&mut PgConnection`.
//!
//! Not here: when a transaction begins and ends, and what to do about an error. The caller decides.

pub mod health;
pub mod inbox;

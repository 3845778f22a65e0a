//! The commands of the binary.

pub mod local_postgres;

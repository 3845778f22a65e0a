//! The whole service on a real Postgres and over real HTTP. One file for each promise.

#![expect(unreachable_pub, reason = "in a test binary, `pub` says: for the other files")]

mod binary;
mod endpoint;
mod harness;
mod order_state;

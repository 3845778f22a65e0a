//! The whole service on a real Postgres and over real HTTP. One file for each promise.

#![expect(unreachable_pub, reason = "in a test binary, `pub` says: for the other files")]

mod binary;
mod cli;
mod durability;
mod endpoint;
mod fixtures;
mod harness;
mod load;
mod order_state;
mod proxy;

//! The whole service on a real Postgres and over real HTTP. One file for each promise.

#![expect(unreachable_pub, reason = "in a test binary, `pub` says: for the other files")]

mod bodies;
mod follow_up_rules;
mod follow_ups;
mod harness;
mod interface;
mod merging;
mod order_state;
mod privileges;
mod processing;
mod readme;
mod replicas;

//! The whole service on a real Postgres and over real HTTP. One file for each promise.

#![expect(unreachable_pub, reason = "in a test binary, `pub` says: for the other files")]

mod alarms;
mod architecture;
mod binary;
mod bodies;
mod claims;
mod cli;
mod demo;
mod dev;
mod docs;
mod doctor;
mod double;
mod double_disputes;
mod double_faults;
mod double_webhooks;
mod double_world;
mod durability;
mod endpoint;
mod evidence_warnings;
mod examples;
mod faults;
mod fields;
mod fixtures;
mod follow_up_rules;
mod follow_ups;
mod guide;
mod harness;
mod interface;
mod invariants;
mod load;
mod merging;
mod migrations;
mod news;
mod night;
mod operators;
mod order_state;
mod order_story;
mod output;
mod people;
mod privileges;
mod processing;
mod proxy;
mod rebuilds;
mod reference;
mod refund_shop;
mod refunds;
mod releases;
mod replays;
mod replicas;
#[path = "../proof/samples.rs"]
mod samples;
mod simulate;
mod sync;
mod sync_import;
mod sync_outage;
mod sync_restored;
mod sync_world;
#[path = "../proof/table.rs"]
mod table;
mod tolerance;
mod unlinked;
mod upgrades;

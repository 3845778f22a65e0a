//! Promise: order state is a function of the set of events, not of the way they arrived.
//!
//! `life` generates lives of payments and the events they would cause, `truth` is the oracle that computes the
//! expected end state of each, `memory`
//! delivers the events in every order and compares; `postgres` does so with real processes on
//! a real database, while consumers work. The first two use nothing of the service, so that the oracle
//! cannot share its bugs.
//!
//! `stories` delivers the service's own stories and those of samples in every order. `vocabulary` lists what is not
//! read or not known of the samples. A person reviewed the expected results of both, on pages kept as snapshots.

#![expect(unreachable_pub, reason = "in a test binary, `pub` says: for the other files")]

mod acting;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/binary.rs"]
mod binary;
#[expect(dead_code, reason = "of the events of other tests a few are used here")]
#[path = "../it/bodies.rs"]
mod bodies;
mod chance;
mod dispute_rules;
mod disputes;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/double_world.rs"]
mod double_world;
mod erased_bodies;
#[expect(dead_code, reason = "of each field its name is used here")]
#[path = "../it/fields.rs"]
mod fields;
mod fuzz;
#[expect(dead_code, reason = "of the verbs of other tests a few are used here")]
#[path = "../it/harness.rs"]
mod harness;
mod independence;
mod life;
mod memory;
mod postgres;
mod queue;
mod refunds;
mod regressions;
mod release_rules;
mod rules;
mod samples;
mod stories;
mod table;
mod tables;
mod truth;
mod vocabulary;
mod worlds;

//! Follow-ups: the list, one of them, and the pages on which some are requeued or discarded.

pub(super) mod change;
pub(super) mod list;
pub(super) mod one;

use crate::store::queries::FollowUp;

/// What a follow-up looks like. Every change of its state changes this.
fn seen(follow_up: &FollowUp) -> String {
    let FollowUp { state, attempts, run_at, wanted, .. } = follow_up;
    format!("{state}/{attempts}/{wanted}/{}", run_at.unix_timestamp_nanos())
}

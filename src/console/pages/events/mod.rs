//! Events of the ledger: the list, one of them with its body, and the pages on which some are processed again.

pub(super) mod list;
pub(super) mod one;
pub(super) mod replay;

use crate::store::queries::Event;

/// What an event looks like. Every time that it is processed changes this.
fn seen(event: &Event) -> String {
    let processed_at = event.processed_at.map_or(0, time::OffsetDateTime::unix_timestamp_nanos);
    format!("{}/{}/{processed_at}", event.state, event.attempts)
}

//! The inbox: stores events as received, before they are acknowledged.
//!
//! Not here: taking pending events out again (`ledger.rs`).

use sqlx::PgConnection;

use super::column;
use crate::stripe::envelope::Envelope;

/// A verified event to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What the ledger has columns for.
    pub envelope: Envelope,
    /// The body exactly as it was signed: valid JSON, which cannot hold a raw NUL byte.
    pub payload: String,
    /// Its `livemode` is the mode of the secret that signed it. If not, it is kept apart.
    pub mode_matches: bool,
}

/// Stores the new ones of these events, with their bodies and a pending row each, and returns their ids. The others
/// were stored before, or their mode does not match: these go to `unvouched_events` and are not processed.
///
/// The ids must be sorted, and unique within each of the two kinds: overlapping batches of two replicas would otherwise
/// deadlock. One statement, so that outside a transaction it is also one commit; a function, so that it is planned once a
/// session (migration 0001).
///
/// # Errors
/// Any error of the database. After one that is not about the data, the events may or may not have been stored; storing
/// them again is safe.
pub async fn record(conn: &mut PgConnection, events: &[NewEvent]) -> Result<Vec<String>, sqlx::Error> {
    // `fetch_all` returns when the server is ready for the next query, which is after the commit. Stopping at the last
    // row would report an event as stored whose commit can still fail.
    sqlx::query_scalar!(
        r#"select clawback.store_events($1, $2, $3, $4, $5, $6, $7, $8, $9) as "event_id!""#,
        &column(events, |event| event.envelope.id.as_str()) as &[&str],
        &column(events, |event| event.envelope.event_type.as_str()) as &[&str],
        &column(events, |event| event.envelope.api_version.as_deref()) as &[Option<&str>],
        &column(events, |event| event.envelope.account.as_deref()) as &[Option<&str>],
        &column(events, |event| event.envelope.livemode) as &[Option<bool>],
        &column(events, |event| event.envelope.object_id.as_deref()) as &[Option<&str>],
        &column(events, |event| event.envelope.created) as &[Option<i64>],
        &column(events, |event| event.payload.as_str()) as &[&str],
        &column(events, |event| event.mode_matches) as &[bool],
    )
    .fetch_all(conn)
    .await
}

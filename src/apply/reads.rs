//! Reads of Stripe that a batch wants: enqueued in its transaction, to be performed by [`crate::executor`].

use std::collections::{BTreeSet, HashSet};

use sqlx::PgConnection;

use super::Rules;
use crate::domain::{Facts, Read, ReadKind};
use crate::store::ledger::FinishedEvent;
use crate::store::{api_calls, payments};

/// Why a thin event is ignored while its object is fetched.
const FETCHED: &str = "thin event: its object is fetched from Stripe";

/// Enqueues the reads in a mode that there is a key for, and notes on thin events that theirs is among them.
pub(super) async fn enqueue(
    tx: &mut PgConnection,
    mut reads: Vec<Read>,
    finished: &mut [FinishedEvent],
) -> sqlx::Result<()> {
    if reads.is_empty() {
        return Ok(());
    }
    let modes = api_calls::modes(tx).await?;
    reads.retain(|read| modes.contains(&read.scope.livemode));
    if reads.is_empty() {
        return Ok(());
    }
    api_calls::enqueue_reads(tx, &reads).await?;
    let of_thin = reads.iter().filter(|read| read.kind == ReadKind::Related);
    let of_thin: HashSet<&str> = of_thin.map(|read| read.round.as_str()).collect();
    for event in finished.iter_mut().filter(|event| of_thin.contains(event.event_id.as_str())) {
        event.last_error = Some(FETCHED.to_owned());
    }
    Ok(())
}

/// Whether a read is still of use, by what is stored now: what was missing may have come by webhook.
///
/// # Errors
/// When the database refuses a statement or is unreachable.
pub async fn is_still_wanted(
    conn: &mut PgConnection,
    kind: ReadKind,
    object: &str,
    round: &str,
    rules: &Rules,
) -> sqlx::Result<bool> {
    let owners = payments::owners(conn, &[object.to_owned()]).await?;
    let ids: BTreeSet<String> = owners.into_values().chain([object.to_owned()]).collect();
    let mut known = Facts::default();
    for facts in payments::facts(conn, &Vec::from_iter(ids), rules.version).await?.into_values() {
        // Made by other rules, and about to be rebuilt.
        let Some(facts) = facts else { return Ok(true) };
        known.join(facts);
    }
    Ok(known.still_calls_for(kind, object, round))
}

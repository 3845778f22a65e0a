//! Which bodies of a page of old events are removed.
//!
//! Removed are those of processed and ignored events whose payments all have a document made by the present rules: until
//! then a rebuild needs them, and afterwards it joins the document with what is left. Payments with an open dispute keep
//! theirs, for evidence. The order of the locks keeps this safe:
//!
//! - The bodies are locked first. `replay_event` locks the body too, so an event that is still processed or ignored after
//!   that stays so until this transaction ends, and a later replay finds that there is no body.
//! - Then the payments. A batch locks every payment that it rebuilds, merges, or gives an object to, and so none of these is
//!   under way for a locked one. A payment that a batch or a consumer holds is left out, with its events: nobody is waited
//!   for, so nothing can deadlock.
//! - Only then is it read which payments an event is about: no batch can change that for a locked payment.
//!
//! A batch that is reading the ledger sees a body or does not; both give the same facts, since the document is of the
//! present rules.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;

use crate::domain::RULES_VERSION;
use crate::store::old_bodies::{self, AgedEvent, Owned};
use crate::store::retention::{Page, Position};

/// Removes the bodies of the next page of events received more than `age` seconds ago.
pub(super) async fn remove(conn: &mut PgConnection, after: &Position, age: f64) -> sqlx::Result<Page> {
    let events = old_bodies::aged_events(conn, after, age).await?;
    let last = events.last().map(|event| Position { at: event.received_at, id: event.event_id.clone() });
    let candidates: Vec<String> = candidates(events);
    let stored = old_bodies::lock_bodies(conn, &candidates).await?;
    if stored.is_empty() {
        return Ok(Page { removed: 0, last });
    }
    let locked = old_bodies::lock_payments(conn, &stored, RULES_VERSION).await?.into_iter().collect();
    let removable = removable(old_bodies::owned(conn, &stored).await?, &locked);
    old_bodies::remove(conn, &removable).await?;
    Ok(Page { removed: i64::try_from(removable.len()).unwrap_or(i64::MAX), last })
}

fn candidates(events: Vec<AgedEvent>) -> Vec<String> {
    events.into_iter().filter(|event| event.is_removable).map(|event| event.event_id).collect()
}

/// The events whose payments are all locked.
fn removable(owned: Vec<Owned>, locked: &HashSet<String>) -> Vec<String> {
    let mut events: BTreeMap<String, bool> = BTreeMap::new();
    for Owned { event_id, payment_id } in owned {
        *events.entry(event_id).or_insert(true) &= payment_id.is_none_or(|id| locked.contains(&id));
    }
    events.into_iter().filter_map(|(id, is_free)| is_free.then_some(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_removed_if_all_payments_of_its_event_are_locked_or_there_is_none() {
        let owned = [("evt_1", Some("pi_1")), ("evt_2", Some("pi_1")), ("evt_2", Some("ch_2")), ("evt_3", None)];
        let owned =
            owned.map(|(event, payment)| Owned { event_id: event.to_owned(), payment_id: payment.map(str::to_owned) });
        let locked = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<HashSet<_>>();
        assert_eq!(removable(owned.to_vec(), &locked(&["pi_1"])), ["evt_1", "evt_3"]);
        assert_eq!(removable(owned.to_vec(), &locked(&["pi_1", "ch_2"])), ["evt_1", "evt_2", "evt_3"]);
        assert_eq!(removable(owned.to_vec(), &locked(&[])), ["evt_3"]);
    }
}

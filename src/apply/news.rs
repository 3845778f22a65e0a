//! Whether an event would change what is stored: an object fetched from Stripe enters the ledger only if it does.
//!
//! Reads without locks: an event that a batch folds in meanwhile makes the answer out of date, which costs a superfluous
//! event in the ledger, or leaves out one that says the same.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;

use super::Rules;
use super::working_set::WorkingSet;
use crate::domain::{self, Facts};
use crate::handlers::{self, Reading};
use crate::store::inbox::NewEvent;
use crate::store::payments;

/// Whether this event would change the facts or what is derived from them. One that cannot be read would: it fails where
/// people see it.
///
/// # Errors
/// When the database refuses a statement or is unreachable.
pub async fn would_change(conn: &mut PgConnection, event: &NewEvent, rules: &Rules) -> sqlx::Result<bool> {
    Ok(!only_news(conn, vec![event.clone()], rules).await?.is_empty())
}

/// Those of the events that [`would_change`] something, each judged by itself.
///
/// # Errors
/// When the database refuses a statement or is unreachable.
pub async fn only_news(conn: &mut PgConnection, events: Vec<NewEvent>, rules: &Rules) -> sqlx::Result<Vec<NewEvent>> {
    let read = |event: NewEvent| {
        let reading = handlers::read(&event.envelope.id, &event.payload, &rules.order_key);
        (event, reading)
    };
    let readings: Vec<_> = events.into_iter().map(read).collect();
    let named: BTreeSet<&str> =
        readings.iter().filter_map(|(_, reading)| facts(reading)).flat_map(Facts::ids).collect();
    let named: Vec<String> = named.into_iter().map(str::to_owned).collect();
    let owners = payments::owners(conn, &named).await?;
    let ids: BTreeSet<String> = named.into_iter().chain(owners.values().cloned()).collect();
    let known = payments::facts(conn, &Vec::from_iter(ids), rules.version).await?;
    let is_news = |reading: Result<Reading, _>| match reading {
        Ok(Reading::Facts(seen, ..)) => is_news(&known, &owners, seen, rules),
        Ok(Reading::Ignored(_)) => false,
        Err(_) => true,
    };
    Ok(readings.into_iter().filter_map(|(event, reading)| is_news(reading).then_some(event)).collect())
}

fn facts<E>(reading: &Result<Reading, E>) -> Option<&Facts> {
    match reading {
        Ok(Reading::Facts(facts, ..)) => Some(facts),
        Ok(Reading::Ignored(_)) | Err(_) => None,
    }
}

/// Whether facts are news to the stored payments that they concern. Facts made by other rules are rebuilt when the event
/// is folded in: it is stored to be sure.
fn is_news(
    known: &HashMap<String, Option<Facts>>,
    owners: &HashMap<String, String>,
    seen: Facts,
    rules: &Rules,
) -> bool {
    let affected: BTreeSet<&str> = WorkingSet::affected(&seen, owners).collect();
    let mut joined = Facts::default();
    for payment in affected.into_iter().filter_map(|id| known.get(id)) {
        let Some(facts) = payment else { return true };
        joined.join(facts.clone());
    }
    domain::is_news(&joined, seen, &rules.marks)
}

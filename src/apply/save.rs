//! Writes what a batch changed: rows that differ from the stored ones, and no others.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::working_set::WorkingSet;
use crate::domain::reconcile::FollowUp;
use crate::domain::{Derived, Facts};
use crate::store::follow_ups::Added;
use crate::store::orders::HistoryRow;
use crate::store::payments::{Owner, PaymentRow};
use crate::store::{follow_ups, objects, orders, payments, rebuilds, refund_requests, responses};

/// Writes what differs from what is stored: what others point to before they do, and away when none does any more.
/// Returns the follow-ups that were added.
pub(super) async fn save(
    tx: &mut PgConnection,
    set: &WorkingSet,
    stored: Vec<FollowUp>,
    history: &[HistoryRow],
    rules: i32,
) -> sqlx::Result<Vec<Added>> {
    orders::save(tx, &set.orders()).await?;
    save_payments(tx, set, rules).await?;
    let removed = set.removed();
    let (moved, successors): (Vec<&str>, Vec<&str>) = set.successors(&removed).unzip();
    if !moved.is_empty() {
        rebuilds::move_to_successors(tx, &moved, &successors).await?;
        refund_requests::move_to_successors(tx, &moved, &successors).await?;
        refund_requests::settle(tx, &successors).await?;
    }
    let added = save_follow_ups(tx, set, stored).await?;
    if !removed.is_empty() {
        follow_ups::move_refusals(tx, &moved, &successors).await?;
        payments::move_pruned(tx, &moved, &successors).await?;
        follow_ups::detach(tx, &removed).await?;
        payments::remove(tx, &removed).await?;
    }
    orders::remove(tx, &set.removed_orders()).await?;
    if !history.is_empty() {
        orders::append_history(tx, history).await?;
    }
    Ok(added)
}

async fn save_disputes(tx: &mut PgConnection, derived: &[&Derived]) -> sqlx::Result<()> {
    let disputes = all(derived, |derived| &derived.disputes);
    objects::save_disputes(tx, &disputes).await?;
    let ids: Vec<&str> = disputes.iter().map(|dispute| dispute.dispute_id.as_str()).collect();
    if ids.is_empty() { Ok(()) } else { responses::settle(tx, &ids).await }
}

async fn save_payments(tx: &mut PgConnection, set: &WorkingSet, rules: i32) -> sqlx::Result<()> {
    let touched: Vec<&str> = set.touched().collect();
    let rows: Vec<PaymentRow> =
        set.payments().map(|(facts, derived)| PaymentRow { payment: &derived.payment, facts, rules }).collect();
    payments::save(tx, &rows).await?;
    let owners: Vec<Owner> = set.payments().flat_map(|(facts, derived)| owners(facts, derived)).collect();
    payments::save_owners(tx, &touched, &owners).await?;
    let derived: Vec<&Derived> = set.payments().map(|(_, derived)| derived).collect();
    objects::save_refunds(tx, &all(&derived, |derived| &derived.refunds)).await?;
    refund_requests::settle(tx, &touched).await?;
    save_disputes(tx, &derived).await?;
    objects::save_warnings(tx, &all(&derived, |derived| &derived.warnings)).await?;
    objects::save_reviews(tx, &all(&derived, |derived| &derived.reviews)).await?;
    remove_stale(tx, &touched, &owners).await
}

/// Deletes what is stored for the touched payments and is not known of any more.
async fn remove_stale(tx: &mut PgConnection, touched: &[&str], owners: &[Owner<'_>]) -> sqlx::Result<()> {
    let known: Vec<&str> = owners.iter().map(|owner| owner.object_id).collect();
    payments::remove_owners(tx, touched, &known).await?;
    objects::remove_others(tx, touched, &known).await
}

/// All objects that a payment holds or names.
fn owners<'a>(facts: &'a Facts, derived: &'a Derived) -> impl Iterator<Item = Owner<'a>> {
    let payment_id = derived.payment.payment_id.as_str();
    let owner = move |(object_id, kind), is_held| Owner { object_id, payment_id, kind, is_held };
    let held: BTreeSet<&str> = facts.held().map(|(id, _)| id).collect();
    let named: BTreeMap<&str, &str> = facts.named().filter(|(id, _)| !held.contains(id)).collect();
    facts.held().map(move |object| owner(object, true)).chain(named.into_iter().map(move |object| owner(object, false)))
}

fn all<'a, T>(derived: &[&'a Derived], part: fn(&Derived) -> &[T]) -> Vec<&'a T> {
    derived.iter().flat_map(|derived| part(derived)).collect()
}

async fn save_follow_ups(tx: &mut PgConnection, set: &WorkingSet, stored: Vec<FollowUp>) -> sqlx::Result<Vec<Added>> {
    let changes = set.reconcile(stored);
    if !changes.delete.is_empty() {
        follow_ups::delete(tx, &changes.delete).await?;
    }
    if !changes.update.is_empty() {
        follow_ups::update(tx, &changes.update).await?;
    }
    let added = if changes.insert.is_empty() { Vec::new() } else { follow_ups::insert(tx, &changes.insert).await? };
    let mut ready = changes.made_ready();
    ready.extend(added.iter().filter(|added| !added.is_history).map(|added| added.kind.as_str()));
    if !ready.is_empty() {
        follow_ups::notify(tx, &ready.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(added)
}

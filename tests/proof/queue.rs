//! A simulated queue of follow-ups: the service's own `reconcile` between batches, and consumers that claim,
//! complete, fail and lose follow-ups meanwhile.
//!
//! Not here: the SQL of the real queue, which `postgres.rs` tests.

use std::collections::{BTreeMap, BTreeSet};

use clawback::apply::working_set::WorkingSet;
use clawback::domain::reconcile::{FollowUp, FollowUpState, Row};
use clawback::domain::{Desired, Payment};

use crate::chance::Dice;

/// The kind that is about a payment: of two such follow-ups of merged payments, one is deleted.
const OF_PAYMENTS: &str = "cancel_fulfilment";

type Key = (String, String, String);

/// Rows in the order of their ids.
#[derive(Default)]
pub struct Queue {
    rows: Vec<FollowUp>,
    made: i64,
    done: BTreeSet<i64>,
}

impl Queue {
    /// Brings the queue in line after a batch. Rows of payments that are not stored are not loaded.
    pub fn reconcile(&mut self, working_set: &WorkingSet, is_stored: impl Fn(&str) -> bool) {
        let stored: Vec<FollowUp> =
            self.rows.iter().filter(|row| is_stored(&row.content.payment_id)).cloned().collect();
        let changes = working_set.reconcile(stored);
        self.rows.retain(|row| !changes.delete.contains(&row.id));
        changes.update.iter().for_each(|row| self.update(row));
        changes.insert.iter().for_each(|row| self.insert(row));
    }

    fn update(&mut self, new: &Row) {
        let row = self.rows.iter_mut().find(|row| Some(row.id) == new.id).expect("what is updated is there");
        row.run_at = run_at(new).unwrap_or(row.run_at);
        row.content = new.content.clone();
    }

    /// An existing one moves to the payment, and is ready again if it was cancelled.
    fn insert(&mut self, new: &Row) {
        let new_content = &new.content;
        let Some(row) = self.rows.iter_mut().find(|row| row.content.key() == new_content.key()) else {
            self.made += 1;
            let (id, run_at) = (self.made, run_at(new).unwrap_or(0));
            return self.rows.push(FollowUp { id, content: new_content.clone(), run_at, rescheduled: false });
        };
        let row = &mut row.content;
        (row.payment_id, row.order_id, row.wanted) =
            (new_content.payment_id.clone(), new_content.order_id.clone(), true);
        if matches!(row.state, FollowUpState::Ready | FollowUpState::Cancelled) {
            (row.payload, row.due_at) = (new_content.payload.clone(), new_content.due_at);
        }
        if row.state == FollowUpState::Cancelled {
            (row.state, row.attempts) = (FollowUpState::Ready, 0);
        }
    }

    /// Some follow-ups are claimed, some completed, some fail, some leases run out, some people discard.
    pub fn consume(&mut self, dice: &mut Dice) {
        for FollowUp { id, content: row, .. } in &mut self.rows {
            let unless_wanted = |state| if row.wanted { state } else { FollowUpState::Cancelled };
            (row.state, row.attempts) = match (row.state, dice.roll(8)) {
                (FollowUpState::Ready, 0..=3) => (FollowUpState::Leased, row.attempts + 1),
                (FollowUpState::Ready, 4) => (FollowUpState::Discarded, row.attempts),
                (FollowUpState::Leased, 0..=2) => (FollowUpState::Done, row.attempts),
                (FollowUpState::Leased, 3..=4) => (unless_wanted(FollowUpState::Ready), row.attempts),
                (FollowUpState::Leased, 5) => (unless_wanted(FollowUpState::Dead), row.attempts),
                (state, _) => (state, row.attempts),
            };
            if row.state == FollowUpState::Done {
                self.done.insert(*id);
            }
        }
    }

    /// The desired rows are those that the payments desire, with the same content; each state fits whether the row is
    /// desired; no row exists twice; completed rows stay done.
    pub fn check<'a>(&self, asked: impl Iterator<Item = (&'a Payment, &'a Desired)>) -> Result<(), String> {
        let mut rows: BTreeMap<Key, &FollowUp> = self.rows.iter().map(|row| (row.content.key(), row)).collect();
        if rows.len() != self.rows.len() {
            return Err(format!("WRONG: asked for twice: {:?}", self.rows));
        }
        for (payment, wanted) in asked {
            let row = rows.remove(&(wanted.kind.to_owned(), wanted.subject.clone(), wanted.round.clone()));
            if !row.is_some_and(|row| fits(row, payment, wanted)) {
                return Err(format!("WRONG: of {payment:?} is wanted {wanted:?}, but there is {row:?}"));
            }
        }
        let active = |row: &&&FollowUp| {
            row.content.wanted || matches!(row.content.state, FollowUpState::Ready | FollowUpState::Dead)
        };
        if let Some(row) = rows.values().find(active) {
            return Err(format!("WRONG: nothing asks for {row:?}"));
        }
        let undone = |row: &&FollowUp| self.done.contains(&row.id) && row.content.state != FollowUpState::Done;
        match self.rows.iter().find(undone) {
            Some(row) if row.content.kind != OF_PAYMENTS => {
                Err(format!("WRONG: was completed and is not done: {row:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A row that can still be claimed has current content; an ended one has the content of that time.
fn fits(FollowUp { content: row, .. }: &FollowUp, payment: &Payment, wanted: &Desired) -> bool {
    let ended = matches!(row.state, FollowUpState::Done | FollowUpState::Discarded);
    let place = (row.payment_id.as_str(), row.order_id.as_deref());
    row.wanted
        && row.state != FollowUpState::Cancelled
        && place == (payment.payment_id.as_str(), payment.order_id.as_deref())
        && (ended || (&row.payload, row.due_at) == (&wanted.payload, wanted.due_at))
}

/// "Now" is 0 here.
fn run_at(row: &Row) -> Option<i64> {
    row.run_at.or(row.run_after)
}

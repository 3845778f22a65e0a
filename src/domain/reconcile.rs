//! Brings the stored follow-ups in line with the desired ones. Pure.
//!
//! No follow-up is inserted twice: kind, subject and round identify it for ever. One that is no longer desired is
//! cancelled, unless a consumer holds it or it has ended. Not here: which follow-ups are desired (`desired.rs`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr};

use super::derive::Derived;
use super::desired::{Desired, RunAt, is_about_payment, may_ship};
use super::facts::Facts;
use super::payment::Payment;

#[cfg(test)]
mod tests;

const HOLD: &str = "hold_fulfilment";
const RELEASE: &str = "release_fulfilment";

/// The state of a follow-up. The variants are ordered by progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FollowUpState {
    /// No longer desired.
    Cancelled,
    /// Ready to be claimed, once it is due.
    Ready,
    /// All attempts are used up.
    Dead,
    /// Claimed by a consumer.
    Leased,
    /// Ended by a person, without being done.
    Discarded,
    /// Completed by a consumer.
    Done,
}

/// The columns that a stored follow-up and a row to write have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The kind of work.
    pub kind: String,
    /// The id of what it is about.
    pub subject: String,
    /// Distinguishes several follow-ups of one kind and subject.
    pub round: String,
    /// The order it is for; none while the payment is unlinked.
    pub order_id: Option<String>,
    /// The payment it is for.
    pub payment_id: String,
    /// What a consumer needs to know.
    pub payload: Value,
    /// Its state.
    pub state: FollowUpState,
    /// Whether the payment still desires it.
    pub wanted: bool,
    /// The deadline, in unix seconds.
    pub due_at: Option<i64>,
    /// How often it was claimed.
    pub attempts: i32,
}

/// A stored follow-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The row's id.
    pub id: i64,
    /// Its content.
    pub content: Content,
    /// When work may begin, in unix seconds.
    pub run_at: i64,
    /// A consumer or a person set `run_at`.
    pub rescheduled: bool,
}

/// A row to insert, or the new content of a stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// None: insert a new row.
    pub id: Option<i64>,
    /// The new content.
    pub content: Content,
    /// Work may begin at this unix second; none: as `run_after` says, else as before.
    pub run_at: Option<i64>,
    /// Work may begin this many seconds from now.
    pub run_after: Option<i64>,
    /// Neither inserted nor revived from this unix second on.
    pub until: Option<i64>,
    /// When its cause happened, in unix seconds; none: it is open now.
    pub cause: Option<i64>,
    /// However old its cause, it is not history before this unix second.
    pub news_until: Option<i64>,
    /// Desired only because of a rebuild, not because of a new event.
    pub by_rebuild: bool,
}

/// The changes to write to the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueChanges {
    /// Rows to insert.
    pub insert: Vec<Row>,
    /// Rows to update.
    pub update: Vec<Row>,
    /// Rows to delete: of a merged payment, where the successor has an equal follow-up further along.
    pub delete: Vec<i64>,
}

impl QueueChanges {
    /// The kinds of updated rows that can be claimed from now on.
    #[must_use]
    pub fn made_ready(&self) -> BTreeSet<&str> {
        let again = self.update.iter().filter(|row| row.run_after.is_some() || row.run_at.is_some());
        again.map(|row| row.content.kind.as_str()).collect()
    }
}

/// Kind, subject and round.
type Key = (String, String, String);

impl Content {
    /// What identifies it: kind, subject and round.
    #[must_use]
    pub fn key(&self) -> Key {
        (self.kind.clone(), self.subject.clone(), self.round.clone())
    }

    /// A new follow-up of `payment`.
    fn new(payment: &Payment, desired: &Desired) -> Self {
        Self {
            kind: desired.kind.to_owned(),
            subject: desired.subject.clone(),
            round: desired.round.clone(),
            order_id: payment.order_id.clone(),
            payment_id: payment.payment_id.clone(),
            payload: desired.payload.clone(),
            state: FollowUpState::Ready,
            wanted: true,
            due_at: desired.due_at,
            attempts: 0,
        }
    }
}

impl Row {
    fn insert(payment: &Payment, desired: &Desired) -> Self {
        let (run_at, run_after) = moment(desired.run_at);
        Self {
            id: None,
            content: Content::new(payment, desired),
            run_at,
            run_after,
            until: desired.until,
            cause: desired.cause,
            news_until: desired.news_until,
            by_rebuild: false,
        }
    }

    /// The same row with other content; it runs when it would have run.
    fn update(id: i64, content: Content) -> Self {
        let id = Some(id);
        Self {
            id,
            content,
            run_at: None,
            run_after: None,
            until: None,
            cause: None,
            news_until: None,
            by_rebuild: false,
        }
    }
}

/// A stored follow-up, assigned to the payment that owns it now, and its content before.
type Moved = (FollowUp, Content);

/// Compares the stored follow-ups of some payments with the follow-ups that these payments desire. `owner` gives the
/// payment that now owns a stored follow-up's payment.
#[must_use]
pub fn reconcile<'a>(
    stored: Vec<FollowUp>,
    desired: &[(&Payment, &Desired)],
    owner: impl Fn(&str) -> Option<&'a Payment>,
) -> QueueChanges {
    let mut changes = QueueChanges::default();
    let mut rows: BTreeMap<Key, Moved> = BTreeMap::new();
    for row in stored {
        let original = row.content.clone();
        let row = moved(row, &owner);
        let key = row.content.key();
        let (kept, dropped) = further((row, original), rows.remove(&key));
        changes.delete.extend(dropped);
        rows.insert(key, kept);
    }
    let held = held(rows.values());
    for (payment, desired) in desired {
        let mut new = Row::insert(payment, desired);
        match rows.remove(&new.content.key()) {
            Some((row, original)) => changes.update.extend(differing(still_wanted(&row, new), &original)),
            None => {
                // Somebody who was told to hold an order holds it until released, so the release is never history.
                if desired.kind == RELEASE && held.contains(&desired.subject) {
                    new.cause = None;
                }
                changes.insert.push(new);
            }
        }
    }
    let unwanted = rows.into_values().filter_map(|(row, original)| differing(no_longer_wanted(row), &original));
    changes.update.extend(unwanted);
    changes.update.sort_by_key(|row| row.id);
    changes
}

/// The subjects of holds that a consumer has claimed or completed.
fn held<'a>(rows: impl Iterator<Item = &'a Moved>) -> BTreeSet<String> {
    let contents = rows.map(|(row, _)| &row.content);
    let held = contents.filter(|content| content.kind == HOLD && content.state >= FollowUpState::Leased);
    held.map(|content| content.subject.clone()).collect()
}

/// Releases of completed holds whose dispute, warning or review is no longer in any fact, since it was misread.
/// `stored` are the follow-ups of this payment.
#[must_use]
pub fn retracted(derived: &Derived, facts: &Facts, stored: &[&FollowUp]) -> Vec<Desired> {
    if !may_ship(&derived.payment, facts) {
        return Vec::new();
    }
    let is_known = |id: &String| {
        facts.disputes.contains_key(id) || facts.warnings.contains_key(id) || facts.reviews.contains_key(id)
    };
    let holds =
        stored.iter().map(|row| &row.content).filter(|row| row.kind == HOLD && row.state == FollowUpState::Done);
    holds
        .filter(|hold| !is_known(&hold.subject))
        .map(|hold| Desired {
            kind: RELEASE,
            subject: hold.subject.clone(),
            round: hold.round.clone(),
            payload: hold.payload.clone(),
            run_at: RunAt::Now,
            due_at: None,
            until: None,
            cause: None,
            news_until: None,
        })
        .collect()
}

/// A follow-up of a merged payment belongs to its successor. One about the payment itself is about the successor; one
/// about a charge or a refund keeps its subject, even if that was the payment's id.
fn moved<'a>(mut row: FollowUp, owner: impl Fn(&str) -> Option<&'a Payment>) -> FollowUp {
    if let Some(payment) = owner(&row.content.payment_id) {
        if is_about_payment(&row.content.kind) {
            row.content.subject.clone_from(&payment.payment_id);
        }
        row.content.payment_id.clone_from(&payment.payment_id);
        row.content.order_id.clone_from(&payment.order_id);
    }
    row
}

/// Of two equal follow-ups the one further along, and the id of the other.
fn further(row: Moved, rival: Option<Moved>) -> (Moved, Option<i64>) {
    let progress = |(row, _): &Moved| (row.content.state, -row.id);
    match rival {
        None => (row, None),
        Some(rival) if progress(&rival) >= progress(&row) => (rival, Some(row.0.id)),
        Some(rival) => (row, Some(rival.0.id)),
    }
}

fn differing(new: Row, original: &Content) -> Option<Row> {
    let is_rescheduled = new.run_at.is_some() || new.run_after.is_some();
    (is_rescheduled || new.content != *original).then_some(new)
}

/// A row still desired: revived if it was cancelled, kept up to date while it can still be claimed, else only moved.
/// `new` is the row as it would be inserted.
fn still_wanted(row: &FollowUp, new: Row) -> Row {
    let same = Content { wanted: true, ..row.content.clone() };
    let current = Content { payload: new.content.payload.clone(), due_at: new.content.due_at, ..same.clone() };
    match row.content.state {
        FollowUpState::Cancelled => Row { id: Some(row.id), ..new },
        FollowUpState::Ready => {
            let run_at = new.run_at.filter(|at| row.content.attempts == 0 && !row.rescheduled && *at != row.run_at);
            Row { run_at, ..Row::update(row.id, current) }
        }
        FollowUpState::Dead | FollowUpState::Leased => Row::update(row.id, current),
        FollowUpState::Discarded | FollowUpState::Done => Row::update(row.id, same),
    }
}

fn no_longer_wanted(row: FollowUp) -> Row {
    let state = match row.content.state {
        FollowUpState::Ready | FollowUpState::Dead => FollowUpState::Cancelled,
        state @ (FollowUpState::Cancelled | FollowUpState::Leased | FollowUpState::Discarded | FollowUpState::Done) => {
            state
        }
    };
    Row::update(row.id, Content { wanted: false, state, ..row.content })
}

fn moment(run_at: RunAt) -> (Option<i64>, Option<i64>) {
    match run_at {
        RunAt::Now => (None, Some(0)),
        RunAt::After(seconds) => (None, Some(seconds)),
        RunAt::At(second) => (Some(second), None),
    }
}

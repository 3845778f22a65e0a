//! Bringing the queue of follow-ups in line with what is wanted. Pure.
//!
//! Nothing is ever asked twice: a follow-up is known by kind, subject and round, for ever. What is
//! wanted no longer is withdrawn, unless somebody is at it or it is done.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::derive::Derived;
use super::facts::Facts;
use super::payment::Payment;
use super::wanted::{RunAt, Wanted, is_about_payment, may_ship};

#[cfg(test)]
mod tests;

const HOLD: &str = "hold_fulfilment";
const RELEASE: &str = "release_fulfilment";

/// Where a follow-up stands. The order of the variants is how far along it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpState {
    /// Wanted no longer.
    Cancelled,
    /// To be claimed.
    Ready,
    /// All attempts failed.
    Dead,
    /// A consumer is at it.
    Leased,
    /// A person put an end to it.
    Discarded,
    /// Worked off.
    Done,
}

/// A follow-up as stored. Times in unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FollowUp {
    /// The row's id.
    pub id: i64,
    /// What is to be done.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Which asking.
    pub round: String,
    /// The order it is for.
    pub order_id: Option<String>,
    /// The row of the payment it is for.
    pub payment_id: String,
    /// What a consumer needs to know.
    pub payload: Value,
    /// Where it stands.
    pub state: FollowUpState,
    /// Whether the payment asks for it.
    pub wanted: bool,
    /// When work may begin.
    pub run_at: i64,
    /// When it must be done.
    pub due_at: Option<i64>,
    /// How often it was claimed.
    pub attempts: i32,
    /// A consumer or a person said when work may begin.
    pub rescheduled: bool,
}

/// The payment and the order a follow-up belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The payment's row.
    pub payment_id: &'a str,
    /// None while the payment is unlinked.
    pub order_id: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Where the follow-ups of a payment belong.
    #[must_use]
    pub fn of(payment: &'a Payment) -> Self {
        Self { payment_id: &payment.payment_id, order_id: payment.order_id.as_deref() }
    }
}

/// One wanted follow-up and whose it is.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// By which payment, for which order.
    pub place: Place<'a>,
    /// What is wanted.
    pub wanted: &'a Wanted,
}

/// A row to insert, or the new content of a stored one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// None: to be inserted.
    pub id: Option<i64>,
    /// What is to be done.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// Which asking.
    pub round: String,
    /// The order it is for.
    pub order_id: Option<String>,
    /// The row of the payment it is for.
    pub payment_id: String,
    /// What a consumer needs to know.
    pub payload: Value,
    /// Where it stands.
    pub state: FollowUpState,
    /// Whether the payment asks for it.
    pub wanted: bool,
    /// Work may begin at this unix second; none: as `run_after` says, else as before.
    pub run_at: Option<i64>,
    /// Work may begin so many seconds from now.
    pub run_after: Option<i64>,
    /// When it must be done.
    pub due_at: Option<i64>,
    /// Not to be inserted, nor wanted again, from this unix second on.
    pub until: Option<i64>,
    /// When it came about, in unix seconds; none: it is open now.
    pub cause: Option<i64>,
    /// However old its cause, not history before this unix second.
    pub news_until: Option<i64>,
    /// How often it was claimed.
    pub attempts: i32,
    /// Making the payment again from the ledger asks for it, and no event of now.
    pub by_rebuild: bool,
}

/// What has to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    /// Rows that are missing.
    pub insert: Vec<Row>,
    /// Rows that differ.
    pub update: Vec<Row>,
    /// Rows of a payment that became part of another, where the other has one further along.
    pub delete: Vec<i64>,
}

impl Alignment {
    /// The kinds of which something can be claimed that could not be before, beside what is inserted.
    #[must_use]
    pub fn made_ready(&self) -> BTreeSet<&str> {
        let again = self.update.iter().filter(|row| row.run_after.is_some() || row.run_at.is_some());
        again.map(|row| row.kind.as_str()).collect()
    }
}

type Key = (String, String, String);

/// Compares the stored follow-ups of some payments with all that these payments ask for. `place` tells
/// where the follow-ups of a payment belong now.
#[must_use]
pub fn align<'a>(stored: Vec<FollowUp>, asked: &[Asked], place: impl Fn(&str) -> Option<Place<'a>>) -> Alignment {
    let mut alignment = Alignment::default();
    let mut rows: BTreeMap<Key, (FollowUp, Row)> = BTreeMap::new();
    for row in stored {
        let original = as_stored(&row);
        let row = relocated(row, &place);
        let key = (row.kind.clone(), row.subject.clone(), row.round.clone());
        let rival = rows.remove(&key);
        let (kept, dropped) = further((row, original), rival);
        alignment.delete.extend(dropped);
        rows.insert(key, kept);
    }
    let at_hold = |(row, _): &(FollowUp, Row)| row.kind == HOLD && row.state >= FollowUpState::Leased;
    let held: BTreeSet<String> = rows.values().filter(|row| at_hold(row)).map(|(row, _)| row.subject.clone()).collect();
    for asked in asked {
        let wanted = asked.wanted;
        let key = (wanted.kind.to_owned(), wanted.subject.clone(), wanted.round.clone());
        match rows.remove(&key) {
            // What somebody was told to hold is held until they are told otherwise: never history.
            None if wanted.kind == RELEASE && held.contains(&wanted.subject) => {
                alignment.insert.push(Row { cause: None, ..inserted(asked) });
            }
            None => alignment.insert.push(inserted(asked)),
            Some((row, original)) => alignment.update.extend(differing(still_wanted(&row, asked), &original)),
        }
    }
    let unwanted = rows.into_values().filter_map(|(row, original)| differing(wanted_no_longer(&row), &original));
    alignment.update.extend(unwanted);
    alignment.update.sort_by_key(|row| row.id);
    alignment
}

/// Releases for what was held, and is done, for a dispute, warning or review of which no fact speaks any more: it was
/// misread. `stored` are
/// the follow-ups of this payment.
#[must_use]
pub fn retracted(derived: &Derived, facts: &Facts, stored: &[&FollowUp]) -> Vec<Wanted> {
    if !may_ship(&derived.payment, facts) {
        return Vec::new();
    }
    let is_known = |id: &String| {
        facts.disputes.contains_key(id) || facts.warnings.contains_key(id) || facts.reviews.contains_key(id)
    };
    let held = stored.iter().filter(|row| row.kind == HOLD && row.state == FollowUpState::Done);
    held.filter(|row| !is_known(&row.subject))
        .map(|row| Wanted {
            kind: RELEASE,
            subject: row.subject.clone(),
            round: row.round.clone(),
            payload: row.payload.clone(),
            run_at: RunAt::Now,
            due_at: None,
            until: None,
            cause: None,
            news_until: None,
        })
        .collect()
}

/// A follow-up of a payment that became part of another is the other's. One about the payment itself is
/// about the other; one about a charge or a refund is still about that, though the payment had its id.
fn relocated<'a>(row: FollowUp, place: impl Fn(&str) -> Option<Place<'a>>) -> FollowUp {
    let Some(Place { payment_id, order_id }) = place(&row.payment_id) else { return row };
    let subject = if is_about_payment(&row.kind) { payment_id.to_owned() } else { row.subject };
    FollowUp { subject, payment_id: payment_id.to_owned(), order_id: order_id.map(str::to_owned), ..row }
}

/// Of two equal follow-ups the one further along, and the id of the other.
fn further(row: (FollowUp, Row), rival: Option<(FollowUp, Row)>) -> ((FollowUp, Row), Option<i64>) {
    match rival {
        None => (row, None),
        Some(rival) if (rival.0.state, -rival.0.id) >= (row.0.state, -row.0.id) => (rival, Some(row.0.id)),
        Some(rival) => (row, Some(rival.0.id)),
    }
}

fn differing(new: Row, original: &Row) -> Option<Row> {
    (new != *original).then_some(new)
}

fn inserted(asked: &Asked) -> Row {
    let wanted = asked.wanted;
    let (run_at, run_after) = moment(wanted.run_at);
    Row {
        id: None,
        kind: wanted.kind.to_owned(),
        subject: wanted.subject.clone(),
        round: wanted.round.clone(),
        order_id: asked.place.order_id.map(str::to_owned),
        payment_id: asked.place.payment_id.to_owned(),
        payload: wanted.payload.clone(),
        state: FollowUpState::Ready,
        wanted: true,
        run_at,
        run_after,
        due_at: wanted.due_at,
        until: wanted.until,
        cause: wanted.cause,
        news_until: wanted.news_until,
        attempts: 0,
        by_rebuild: false,
    }
}

/// A wanted row: revived when it was withdrawn, kept fresh while it is ready, else only kept with its
/// order and payment.
fn still_wanted(row: &FollowUp, asked: &Asked) -> Row {
    let fresh = Row { id: Some(row.id), until: None, ..inserted(asked) };
    let place = Row { payment_id: fresh.payment_id.clone(), order_id: fresh.order_id.clone(), ..as_stored(row) };
    match row.state {
        FollowUpState::Cancelled => Row { until: asked.wanted.until, ..fresh },
        FollowUpState::Ready => {
            let run_at = fresh.run_at.filter(|at| row.attempts == 0 && !row.rescheduled && *at != row.run_at);
            Row { wanted: true, payload: fresh.payload, due_at: fresh.due_at, run_at, ..place }
        }
        // Handed out again, it tells what is true then.
        FollowUpState::Dead | FollowUpState::Leased => {
            Row { wanted: true, payload: fresh.payload, due_at: fresh.due_at, ..place }
        }
        FollowUpState::Discarded | FollowUpState::Done => Row { wanted: true, ..place },
    }
}

fn wanted_no_longer(row: &FollowUp) -> Row {
    let state = match row.state {
        FollowUpState::Ready | FollowUpState::Dead => FollowUpState::Cancelled,
        state @ (FollowUpState::Cancelled | FollowUpState::Leased | FollowUpState::Discarded | FollowUpState::Done) => {
            state
        }
    };
    Row { wanted: false, state, ..as_stored(row) }
}

fn as_stored(row: &FollowUp) -> Row {
    Row {
        id: Some(row.id),
        kind: row.kind.clone(),
        subject: row.subject.clone(),
        round: row.round.clone(),
        order_id: row.order_id.clone(),
        payment_id: row.payment_id.clone(),
        payload: row.payload.clone(),
        state: row.state,
        wanted: row.wanted,
        run_at: None,
        run_after: None,
        due_at: row.due_at,
        until: None,
        cause: None,
        news_until: None,
        attempts: row.attempts,
        by_rebuild: false,
    }
}

fn moment(run_at: RunAt) -> (Option<i64>, Option<i64>) {
    match run_at {
        RunAt::Now => (None, Some(0)),
        RunAt::After(seconds) => (None, Some(seconds)),
        RunAt::At(second) => (Some(second), None),
    }
}

//! A payment's statement: its objects by Stripe's time, with money columns that add up to the payment's amounts.
//!
//! For people who ask where an order's amounts come from. Derives no amount of its own: what the lines do not explain
//! gets a line of its own.

use serde::Serialize;

use super::derive::{Derived, derive};
use super::facts::{DisputeFacts, Facts};
use super::money::sum;
use super::snapshot::Refund;

/// One line. Money in minor units of the payment's currency, the balance in its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Unix seconds; none for a line without a time.
    pub at: Option<i64>,
    /// The kind of object.
    pub what: &'static str,
    /// The object's id.
    pub id: String,
    /// Its current status, as Stripe names it.
    pub status: String,
    /// The object's amount, whether or not it counts.
    pub amount: Option<i64>,
    /// The currency of that amount.
    pub currency: Option<String>,
    /// Adds up to `amount_paid`.
    pub paid: i64,
    /// Adds up to `amount_refunded`.
    pub refunded: i64,
    /// Adds up to `amount_disputed`.
    pub disputed: i64,
    /// Adds up to `amount_lost`.
    pub lost: i64,
    /// What moved on the balance.
    pub balance: Option<BalanceMove>,
}

/// Money that Stripe took from the balance or gave back, in minor units of its own currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BalanceMove {
    /// Negative: taken.
    pub amount: i64,
    /// Stripe's fee.
    pub fee: i64,
    /// Of both.
    pub currency: String,
}

/// The lines of one payment, oldest first; an amount that no object explains comes last.
#[must_use]
pub fn statement(payment_id: &str, facts: &Facts) -> Vec<Line> {
    let derived = derive(payment_id, facts);
    let mut lines: Vec<Line> =
        intents(facts).chain(charges(facts)).chain(refunds(facts)).chain(disputes(facts)).chain(notes(facts)).collect();
    lines.sort_by(|a, b| (a.at, a.what, &a.id).cmp(&(b.at, b.what, &b.id)));
    lines.extend(unexplained(&derived, &lines));
    lines
}

/// Dated by its latest snapshot, since the intent's creation time is not kept. What it received beyond the charges
/// seen counts as paid.
fn intents(facts: &Facts) -> impl Iterator<Item = Line> {
    let captured = sum(facts.seen_charges().map(|(_, charge)| charge.amount_captured));
    facts.intents.iter().map(move |(id, known)| {
        let intent = &known.best.value;
        Line {
            at: Some(known.best.stamp.at),
            what: "payment intent",
            id: id.clone(),
            status: intent.status.clone(),
            amount: Some(intent.amount),
            currency: Some(intent.currency.clone()),
            paid: intent.amount_received.saturating_sub(captured).max(0),
            ..Line::default()
        }
    })
}

fn charges(facts: &Facts) -> impl Iterator<Item = Line> {
    facts.seen_charges().map(|(id, charge)| Line {
        at: Some(charge.created),
        what: "charge",
        id: id.to_owned(),
        status: charge.status.clone(),
        amount: Some(charge.amount),
        currency: Some(charge.currency.clone()),
        paid: charge.amount_captured,
        ..Line::default()
    })
}

fn refunds(facts: &Facts) -> impl Iterator<Item = Line> {
    let releases = facts.releases();
    facts.refunds.iter().map(move |(id, known)| {
        let refund: &Refund = &known.best.value;
        let is_release = releases.contains(id.as_str());
        let counts = refund.is_live() && !is_release && facts.counts(&refund.currency);
        Line {
            at: Some(refund.created),
            what: "refund",
            id: id.clone(),
            status: refund.status.clone(),
            amount: Some(refund.amount),
            currency: Some(refund.currency.clone()),
            refunded: if counts { refund.amount } else { 0 },
            ..Line::default()
        }
    })
}

fn disputes(facts: &Facts) -> impl Iterator<Item = Line> {
    let losses = facts.losses();
    facts.disputes.iter().flat_map(move |(id, known)| {
        let dispute = known.seen();
        let counts = facts.counts(&dispute.currency);
        let line = Line {
            at: Some(dispute.created),
            what: "dispute",
            id: id.clone(),
            status: dispute.status.clone(),
            amount: Some(dispute.amount),
            currency: Some(dispute.currency.clone()),
            disputed: if counts && dispute.is_open_chargeback() { dispute.amount } else { 0 },
            lost: if counts { losses[id.as_str()] } else { 0 },
            ..Line::default()
        };
        std::iter::once(line).chain(balance(known))
    })
}

fn balance(known: &DisputeFacts) -> impl Iterator<Item = Line> {
    known.balance.iter().map(|(id, entry)| Line {
        at: Some(entry.created).filter(|at| *at > 0),
        what: "dispute balance",
        id: id.clone(),
        status: if entry.amount < 0 { "withdrawn" } else { "reinstated" }.to_owned(),
        balance: Some(BalanceMove { amount: entry.amount, fee: entry.fee, currency: entry.currency.clone() }),
        ..Line::default()
    })
}

fn notes(facts: &Facts) -> impl Iterator<Item = Line> {
    let warnings = facts.warnings.iter().map(|(id, known)| Line {
        at: Some(known.best.value.created),
        what: "fraud warning",
        id: id.clone(),
        status: if facts.is_actionable(id) { "actionable" } else { "settled" }.to_owned(),
        ..Line::default()
    });
    let reviews = facts.reviews.iter().map(|(id, known)| Line {
        at: Some(known.best.stamp.at),
        what: "review",
        id: id.clone(),
        status: if known.best.value.open {
            "open"
        } else {
            known.best.value.closed_reason.as_deref().unwrap_or("closed")
        }
        .to_owned(),
        ..Line::default()
    });
    warnings.chain(reviews)
}

/// An amount shown as refunded that no refund explains, or (negative) refunds beyond what was captured.
fn unexplained(derived: &Derived, lines: &[Line]) -> Option<Line> {
    let refunded = derived.payment.balance.amount_refunded - sum(lines.iter().map(|line| line.refunded));
    (refunded != 0).then(|| Line {
        what: "unexplained refund",
        id: derived.payment.payment_id.clone(),
        refunded,
        ..Line::default()
    })
}

//! The oracle: the expected end state, computed from the life alone.
//!
//! Money is counted from what happened (which refunds succeeded, what a dispute
//! withdrew), not from the totals in Stripe's payloads; those matter only where an endpoint was shown
//! nothing else. What is true is what the endpoint can know: of each object the last it was shown.

mod follow_ups;
mod known;
mod orders;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::life::Life;
use super::life::objects::Dispute;
use known::Known;

/// The end of a life, as services must see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub payments: BTreeMap<String, PaymentTruth>,
    pub orders: BTreeMap<OrderTruthKey, Sums>,
    pub refunds: BTreeMap<String, RefundTruth>,
    pub disputes: BTreeMap<String, DisputeTruth>,
    pub warnings: BTreeMap<String, WarningTruth>,
    pub wanted: BTreeSet<WantedTruth>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaymentTruth {
    pub order_id: Option<String>,
    pub account: Option<String>,
    pub livemode: bool,
    pub currency: Option<String>,
    pub sums: Sums,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct OrderTruthKey {
    pub order_id: String,
    pub account: Option<String>,
    pub livemode: bool,
    pub currency: Option<String>,
}

/// The amounts of a payment or an order, and its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Sums {
    pub state: String,
    pub paid: Option<i64>,
    pub refunded: i64,
    pub disputed: i64,
    pub lost: i64,
    pub hold: bool,
    pub open_disputes: usize,
    pub evidence_due_by: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RefundTruth {
    /// None for an orphan.
    pub payment_id: Option<String>,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    pub is_release: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DisputeTruth {
    pub payment_id: String,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    pub phase: String,
    pub outcome: Option<String>,
    pub evidence_due_by: Option<i64>,
    pub withdrawn: i64,
    pub reinstated: i64,
    pub fee: i64,
    pub settlement_currency: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WarningTruth {
    pub payment_id: String,
    pub charge_id: String,
    pub actionable: bool,
}

/// A follow-up desired at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct WantedTruth {
    pub kind: String,
    pub subject: String,
    pub round: String,
    /// `now`, `soon`, or a unix second.
    pub run_at: String,
    pub due_at: Option<i64>,
}

/// The rows in which two end states differ, as text.
pub fn differences(truth: &Truth, end: &Truth) -> Vec<String> {
    let mut lines = Vec::new();
    compare(&mut lines, "payment", &truth.payments, &end.payments);
    compare(&mut lines, "order", &truth.orders, &end.orders);
    compare(&mut lines, "refund", &truth.refunds, &end.refunds);
    compare(&mut lines, "dispute", &truth.disputes, &end.disputes);
    compare(&mut lines, "warning", &truth.warnings, &end.warnings);
    lines.extend(truth.wanted.difference(&end.wanted).map(|wanted| format!("WRONG: not asked for: {wanted:?}")));
    lines.extend(end.wanted.difference(&truth.wanted).map(|wanted| format!("WRONG: asked for: {wanted:?}")));
    lines
}

fn compare<K, V>(lines: &mut Vec<String>, table: &str, truth: &BTreeMap<K, V>, end: &BTreeMap<K, V>)
where
    K: Ord + std::fmt::Debug,
    V: PartialEq + std::fmt::Debug,
{
    for key in truth.keys().chain(end.keys().filter(|key| !truth.contains_key(key))) {
        let (true_row, row) = (truth.get(key), end.get(key));
        if true_row != row {
            lines.push(format!("WRONG: {table} {key:?}\n  truth {true_row:?}\n  is    {row:?}"));
        }
    }
}

/// The end state of a life, as far as its endpoint can know.
pub fn truth(life: &Life) -> Truth {
    let mut end = Truth::default();
    for payment in 0..life.plan.shape.payments {
        let known = Known::of(life, payment);
        let Some(id) = known.payment_id() else { continue };
        let sums = known.sums();
        follow_ups::tell(&mut end.wanted, &known, &id, &sums);
        tell_children(&mut end, &known, &id);
        let (account, livemode) = life.plan.shape.scope(payment);
        let account = account.map(str::to_owned);
        let (order_id, currency) = (known.order_id(), known.currency().map(str::to_owned));
        end.payments.insert(id, PaymentTruth { order_id, account, livemode, currency, sums });
    }
    for refund in known::strays(life) {
        follow_ups::of_refund(&mut end.wanted, &refund);
        let (currency, status) = (refund.currency.to_owned(), refund.status.to_owned());
        let told = RefundTruth { payment_id: None, amount: refund.amount, currency, status, is_release: false };
        end.refunds.insert(refund.id, told);
    }
    end.orders = orders::of(&end.payments);
    end
}

fn tell_children(end: &mut Truth, known: &Known, id: &str) {
    for refund in known.refunds.values() {
        let told = RefundTruth {
            payment_id: Some(id.to_owned()),
            amount: refund.amount,
            currency: refund.currency.to_owned(),
            status: refund.status.to_owned(),
            is_release: known.is_release(refund),
        };
        end.refunds.insert(refund.id.clone(), told);
    }
    for warning in known.warnings.values() {
        let (charge_id, actionable) = (warning.charge.clone(), known.is_actionable(warning));
        end.warnings.insert(warning.id.clone(), WarningTruth { payment_id: id.to_owned(), charge_id, actionable });
    }
    for dispute in known.disputes.values() {
        end.disputes.insert(dispute.id.clone(), dispute_truth(dispute, id));
    }
}

fn dispute_truth(dispute: &Dispute, payment_id: &str) -> DisputeTruth {
    DisputeTruth {
        payment_id: payment_id.to_owned(),
        amount: dispute.amount,
        currency: dispute.currency.to_owned(),
        status: dispute.status.to_owned(),
        phase: phase(dispute).to_owned(),
        outcome: (!dispute.is_open()).then(|| dispute.status.to_owned()),
        evidence_due_by: dispute.due_by.filter(|due| *due > 0),
        withdrawn: dispute.withdrawn(),
        reinstated: dispute.reinstated(),
        fee: dispute.entries.iter().map(|entry| entry.fee).sum(),
        settlement_currency: dispute.entries.first().map(|entry| entry.currency.to_owned()),
    }
}

/// The dispute's current phase.
fn phase(dispute: &Dispute) -> &'static str {
    match dispute.status {
        "prevented" => "prevention",
        _ if dispute.is_appeal() => "appeal",
        _ if dispute.is_inquiry() => "inquiry",
        _ if dispute.compliance => "compliance",
        _ => "chargeback",
    }
}

/// Evidence is due and was not submitted.
fn awaits_evidence(dispute: &Dispute) -> bool {
    dispute.is_open() && !dispute.answered && dispute.due_by != Some(0) && takes_evidence(dispute)
}

/// Banks decide disputes of debits by themselves, and Klarna's inquiries take no evidence.
fn takes_evidence(dispute: &Dispute) -> bool {
    match dispute.method {
        Some("sepa_debit") => false,
        Some("klarna") => !dispute.is_inquiry(),
        _ => true,
    }
}

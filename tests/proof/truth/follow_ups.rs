//! What is to be done at the end of a life.

use std::collections::BTreeSet;

use super::known::Known;
use super::{Sums, WantedTruth, awaits_evidence, phase};
use crate::life::objects::{Dispute, Refund};

/// So long before its deadline somebody is warned that evidence is due: three days.
const NOTICE: i64 = 72 * 3_600;

type Wanted = BTreeSet<WantedTruth>;

pub(super) fn tell(wanted: &mut Wanted, known: &Known, id: &str, sums: &Sums) {
    known.refunds.values().for_each(|refund| of_refund(wanted, refund));
    for charge in known.charges.values().filter(|charge| known.unexplained(charge) > 0) {
        let total: i64 = charge.counted.iter().map(|(_, amount)| amount).sum();
        add(wanted, "notify_refund", &charge.id, &total.to_string(), "soon", None);
    }
    let gone = sums.refunded + sums.lost;
    if sums.paid.is_some_and(|paid| paid > 0 && gone >= paid) {
        now(wanted, "cancel_fulfilment", id, "");
    }
    let free = !sums.hold && sums.paid.is_some_and(|paid| gone < paid);
    known.disputes.values().for_each(|dispute| of_dispute(wanted, dispute, free));
    for warning in known.warnings.values() {
        hold(wanted, &warning.id, "", warning.actionable, free);
        if warning.actionable {
            now(wanted, "consider_refund", &warning.id, "");
        }
    }
    for review in known.reviews.values() {
        hold(wanted, &review.id, "", review.open, free && review.reason == "approved");
    }
}

/// The buyer is told of money that really went back; of a void none did.
pub(super) fn of_refund(wanted: &mut Wanted, refund: &Refund) {
    if refund.status == "succeeded" && !refund.of_void {
        now(wanted, "notify_refund", &refund.id, "");
    }
    if !refund.is_live() {
        now(wanted, "resolve_failed_refund", &refund.id, "");
    }
}

fn of_dispute(wanted: &mut Wanted, dispute: &Dispute, free: bool) {
    let phase = phase(dispute);
    let ended_well = ["won", "warning_closed"].contains(&dispute.status);
    hold(wanted, &dispute.id, phase, dispute.is_open(), free && ended_well);
    if awaits_evidence(dispute) {
        add(wanted, "collect_evidence", &dispute.id, phase, "now", dispute.due_by);
        if let Some(due) = dispute.due_by {
            add(wanted, "warn_evidence_due", &dispute.id, phase, &(due - NOTICE).to_string(), dispute.due_by);
        }
    }
    match dispute.status {
        "won" => now(wanted, "record_dispute_won", &dispute.id, ""),
        "lost" => now(wanted, "record_dispute_lost", &dispute.id, ""),
        _ => {}
    }
}

fn hold(wanted: &mut Wanted, subject: &str, round: &str, holds: bool, released: bool) {
    if holds {
        now(wanted, "hold_fulfilment", subject, round);
    } else if released {
        now(wanted, "release_fulfilment", subject, round);
    }
}

fn now(wanted: &mut Wanted, kind: &str, subject: &str, round: &str) {
    add(wanted, kind, subject, round, "now", None);
}

fn add(wanted: &mut Wanted, kind: &str, subject: &str, round: &str, run_at: &str, due_at: Option<i64>) {
    let [kind, subject, round, run_at] = [kind, subject, round, run_at].map(str::to_owned);
    wanted.insert(WantedTruth { kind, subject, round, run_at, due_at });
}

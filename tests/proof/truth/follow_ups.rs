//! What is to be done at the end of a life.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::known::Known;
use super::{Sums, WantedTruth, awaits_evidence, phase, takes_evidence};
use crate::life::objects::{Dispute, Refund, Review};

/// So many days before its deadline somebody is warned that evidence is due.
const NOTICE: &[(&str, i64)] = &[("7d", 7), ("72h", 3), ("24h", 1)];
const DAY: i64 = 86_400;

type Desired = BTreeSet<WantedTruth>;

pub(super) fn tell(wanted: &mut Desired, known: &Known, id: &str, sums: &Sums) {
    known.refunds.values().filter(|refund| !known.is_release(refund)).for_each(|refund| of_refund(wanted, refund));
    for charge in known.charges.values().filter(|charge| known.unexplained(charge) > 0) {
        let total: i64 = charge.counted.iter().map(|(_, amount)| amount).sum();
        add(wanted, "notify_refund", &charge.id, &total.to_string(), "soon", None);
    }
    let gone = sums.refunded + sums.lost;
    if sums.paid.is_some_and(|paid| paid > 0 && gone >= paid) {
        now(wanted, "cancel_fulfilment", id, "");
    }
    let ends = Ends {
        free: !sums.hold,
        left: sums.paid.map(|paid| gone < paid),
        spoiled: known.disputes.values().any(|dispute| ["lost", "prevented"].contains(&dispute.status)),
    };
    known.disputes.values().for_each(|dispute| of_dispute(wanted, dispute, &ends));
    for warning in known.warnings.values() {
        let actionable = known.is_actionable(warning);
        ends.tell(wanted, &warning.id, "", actionable, true);
        if actionable {
            now(wanted, "consider_refund", &warning.id, "");
        }
    }
    for review in known.reviews.values() {
        ends.tell(wanted, &review.id, "", review.open, ended_well(review));
    }
}

fn ended_well(review: &Review) -> bool {
    ["approved", "acknowledged", "redacted"].contains(&review.reason)
}

/// What becomes of the goods when a reason to hold them is over.
struct Ends {
    /// Nothing else holds.
    free: bool,
    /// Something is left of what was paid; none while that is unknown.
    left: Option<bool>,
    /// A dispute ended against the merchant.
    spoiled: bool,
}

impl Ends {
    fn tell(&self, wanted: &mut Desired, subject: &str, round: &str, holds: bool, well: bool) {
        let safe = well && !self.spoiled;
        if holds {
            now(wanted, "hold_fulfilment", subject, round);
        } else if self.free && safe && self.left != Some(false) {
            now(wanted, "release_fulfilment", subject, round);
        } else if self.free && !safe && self.left == Some(true) {
            now(wanted, "decide_fulfilment", subject, round);
        }
    }
}

/// The buyer is told of money that really went back.
pub(super) fn of_refund(wanted: &mut Desired, refund: &Refund) {
    if refund.status == "succeeded" {
        now(wanted, "notify_refund", &refund.id, "");
    }
    if !refund.is_live() {
        now(wanted, "resolve_failed_refund", &refund.id, "");
    }
}

fn of_dispute(wanted: &mut Desired, dispute: &Dispute, ends: &Ends) {
    let phase = phase(dispute);
    let ended_well = ["won", "warning_closed"].contains(&dispute.status);
    ends.tell(wanted, &dispute.id, phase, dispute.is_open(), ended_well);
    if awaits_evidence(dispute) {
        add(wanted, "collect_evidence", &dispute.id, phase, "now", dispute.due_by);
        for ((mark, days), due) in NOTICE.iter().zip(dispute.due_by.into_iter().cycle()) {
            let day = OffsetDateTime::from_unix_timestamp(due).expect("a day of our time").date();
            let (round, run_at) = (format!("{phase}/{mark}/{day}"), (due - days * DAY).to_string());
            add(wanted, "warn_evidence_due", &dispute.id, &round, &run_at, dispute.due_by);
        }
    }
    if dispute.is_open() && dispute.is_inquiry() && !takes_evidence(dispute) {
        let due = dispute.due_by.unwrap_or(dispute.created + 21 * DAY);
        add(wanted, "consider_refund", &dispute.id, "inquiry", "now", Some(due));
    }
    match dispute.status {
        "won" => now(wanted, "record_dispute_won", &dispute.id, ""),
        "lost" => now(wanted, "record_dispute_lost", &dispute.id, ""),
        _ => {}
    }
}

fn now(wanted: &mut Desired, kind: &str, subject: &str, round: &str) {
    add(wanted, kind, subject, round, "now", None);
}

fn add(wanted: &mut Desired, kind: &str, subject: &str, round: &str, run_at: &str, due_at: Option<i64>) {
    let [kind, subject, round, run_at] = [kind, subject, round, run_at].map(str::to_owned);
    wanted.insert(WantedTruth { kind, subject, round, run_at, due_at });
}

//! Disputes: opened, answered, escalated, decided, and the money taken and given back.

use super::super::objects::{Dispute, Entry, Refund};
use super::super::plan::{Due, Ending, Funds, Opening};
use super::{Subject, World, nth, share};

/// What a bank asks for a dispute, in minor units.
const FEE: i64 = 1_500;
const WEEK: i64 = 604_800;
/// Amounts of lives that are settled in another currency are multiples of this: far more than a conversion can be off.
const SLACK: i64 = 100;

impl World {
    pub(super) fn dispute(&mut self, p: usize, percent: u8, opens: Opening, due: Due, foreign: bool, funds: Funds) {
        let pay = &self.pays[p];
        let Some(charge) = nth(&pay.charges, percent, |charge| charge.captured > 0) else { return };
        if pay.disputes.len() >= 3 {
            return;
        }
        let foreign = foreign && self.shape.foreign_children;
        let amount = share(pay.charges[charge].captured, percent) * if foreign { 150 } else { 1 };
        let amount = self.whole(amount);
        let n = self.add_dispute(p, charge, amount, opens, due, foreign);
        if opens != Opening::Inquiry {
            self.fail_pending_refunds(p, charge);
        }
        self.emit(p, "charge.dispute.created", Subject::Dispute(n));
        if opens != Opening::Inquiry && funds == Funds::AtOnce {
            self.withdraw(p, n);
        }
        if matches!(opens, Opening::Unchallengeable | Opening::Prevented) {
            self.emit(p, "charge.dispute.closed", Subject::Dispute(n));
        }
        self.calm_warnings(p);
    }

    fn add_dispute(&mut self, p: usize, n: usize, amount: i64, opens: Opening, due: Due, foreign: bool) -> usize {
        let (id, created) = (self.id("du"), self.clock);
        let status = match opens {
            Opening::Inquiry => "warning_needs_response",
            Opening::Chargeback | Opening::Compliance => "needs_response",
            Opening::Unchallengeable => "lost",
            Opening::Prevented => "prevented",
        };
        let due_by = match (opens, due) {
            (Opening::Unchallengeable, _) => Some(0),
            (_, Due::InWeeks(weeks)) => Some(created + i64::from(weeks) * WEEK),
            (_, Due::Unknown) => None,
        };
        let pay = &mut self.pays[p];
        pay.disputes.push(Dispute {
            id,
            charge: pay.charges[n].id.clone(),
            amount,
            currency: if foreign { "jpy" } else { pay.currency },
            status,
            compliance: opens == Opening::Compliance && self.shape.case_types && self.shape.method == "card",
            method: self.shape.case_types.then_some(self.shape.method),
            due_by,
            staged: false,
            submissions: 0,
            answered: false,
            entries: Vec::new(),
            created,
        });
        pay.disputes.len() - 1
    }

    /// Stripe fails a waiting refund of a charge that is disputed.
    fn fail_pending_refunds(&mut self, p: usize, charge: usize) {
        let pay = &self.pays[p];
        let id = pay.charges[charge].id.as_str();
        let waiting: Vec<usize> = (0..pay.refunds.len())
            .filter(|n| pay.refunds[*n].status == "pending" && pay.refunds[*n].charge.as_deref() == Some(id))
            .collect();
        for n in waiting {
            self.move_refund(p, n, "failed");
        }
    }

    /// An amount that is not mistaken for another when it is converted and back: see [`SLACK`].
    fn whole(&self, amount: i64) -> i64 {
        if self.shape.settlement.is_some() { (amount / SLACK).max(1) * SLACK } else { amount }
    }

    /// Takes the money once; a foreign settlement is in another currency than the dispute.
    fn withdraw(&mut self, p: usize, n: usize) {
        let amount = self.pays[p].disputes[n].amount;
        self.balance(p, n, -amount, FEE);
        self.emit(p, "charge.dispute.funds_withdrawn", Subject::Dispute(n));
    }

    fn reinstate(&mut self, p: usize, n: usize, amount: i64) {
        if amount > 0 {
            self.balance(p, n, amount, 0);
            self.emit(p, "charge.dispute.funds_reinstated", Subject::Dispute(n));
        }
    }

    /// Money moves, at the rate of the day.
    fn balance(&mut self, p: usize, n: usize, own: i64, fee: i64) {
        let (id, created) = (self.id("txn"), self.clock);
        let (currency, rate) = self.shape.settlement.unwrap_or((self.pays[p].currency, 100));
        let dispute = &mut self.pays[p].disputes[n];
        let same = dispute.currency == currency;
        let rate = if same { 100 } else { rate + i64::from(own > 0 && rate != 100) * (1 + rate / 20) };
        let amount = (own.abs() * rate / 100).max(1) * own.signum();
        let rate = (!same).then_some(rate);
        dispute.entries.push(Entry { id, amount, fee, currency, created, own, rate });
    }

    pub(super) fn withdraw_later(&mut self, p: usize, which: u8) {
        let due = |d: &Dispute| d.entries.is_empty() && !d.is_inquiry() && d.status != "won";
        if let Some(n) = nth(&self.pays[p].disputes, which, due) {
            self.withdraw(p, n);
        }
    }

    pub(super) fn stage(&mut self, p: usize, which: u8) {
        if let Some(n) = nth(&self.pays[p].disputes, which, |d| d.is_open() && !d.staged) {
            self.pays[p].disputes[n].staged = true;
            self.emit(p, "charge.dispute.updated", Subject::Dispute(n));
        }
    }

    pub(super) fn submit(&mut self, p: usize, which: u8) {
        let asked = |d: &Dispute| d.status.ends_with("needs_response");
        let Some(n) = nth(&self.pays[p].disputes, which, asked) else { return };
        let dispute = &mut self.pays[p].disputes[n];
        dispute.status = match dispute.status {
            "warning_needs_response" => "warning_under_review",
            "appeal_needs_response" => "appeal_under_review",
            _ => "under_review",
        };
        (dispute.staged, dispute.answered) = (true, true);
        dispute.submissions += 1;
        self.emit(p, "charge.dispute.updated", Subject::Dispute(n));
    }

    pub(super) fn escalate(&mut self, p: usize, which: u8, funds: Funds) {
        let Some(n) = nth(&self.pays[p].disputes, which, |d| d.is_open() && d.is_inquiry()) else { return };
        self.becomes_chargeback(p, n);
        if funds == Funds::AtOnce {
            self.withdraw(p, n);
        }
        self.calm_warnings(p);
    }

    fn becomes_chargeback(&mut self, p: usize, n: usize) {
        let due = self.clock + 2 * WEEK;
        let dispute = &mut self.pays[p].disputes[n];
        (dispute.status, dispute.answered, dispute.due_by) = ("needs_response", false, Some(due));
        self.emit(p, "charge.dispute.updated", Subject::Dispute(n));
    }

    /// An inquiry just ends; a chargeback is won only by evidence.
    pub(super) fn close(&mut self, p: usize, which: u8, ends: Ending) {
        let Some(n) = nth(&self.pays[p].disputes, which, Dispute::is_open) else { return };
        let dispute = &mut self.pays[p].disputes[n];
        dispute.status = match ends {
            _ if dispute.is_inquiry() => "warning_closed",
            Ending::Won if dispute.status.ends_with("under_review") => "won",
            Ending::Won | Ending::Lost | Ending::LostPartBack(_) | Ending::LostRefundedBack => "lost",
        };
        let (away, won, currency) = (dispute.away(), dispute.status == "won", dispute.currency);
        let pay = &self.pays[p];
        let counts = |refund: &&Refund| refund.is_live() && !refund.releases && refund.currency == currency;
        let refunds = pay.refunds.iter().filter(|refund| refund.charge.is_some()).filter(counts);
        let back = match ends {
            _ if won => away,
            // What a rate below one has rounded away cannot be known again.
            _ if self.shape.settlement.is_some_and(|(_, rate)| rate < 100) => 0,
            Ending::LostPartBack(percent) => self.part(away, percent),
            Ending::LostRefundedBack => refunds.map(|refund| refund.amount).sum::<i64>().min(away),
            Ending::Won | Ending::Lost => 0,
        };
        self.emit(p, "charge.dispute.closed", Subject::Dispute(n));
        self.reinstate(p, n, back);
    }

    pub(super) fn late_win(&mut self, p: usize, which: u8) {
        let Some(n) = nth(&self.pays[p].disputes, which, |d| d.status == "lost") else { return };
        let dispute = &mut self.pays[p].disputes[n];
        dispute.status = "won";
        let back = dispute.away();
        self.emit(p, "charge.dispute.closed", Subject::Dispute(n));
        self.reinstate(p, n, back);
    }

    fn part(&self, away: i64, percent: u8) -> i64 {
        let part = away * i64::from(percent) / 100;
        if self.shape.settlement.is_some() { part / SLACK * SLACK } else { part }
    }

    pub(super) fn appeal(&mut self, p: usize, which: u8) {
        let Some(n) = nth(&self.pays[p].disputes, which, |d| d.status == "lost") else { return };
        self.next_second();
        let due = self.clock + 2 * WEEK;
        let dispute = &mut self.pays[p].disputes[n];
        (dispute.status, dispute.answered, dispute.due_by) = ("appeal_needs_response", false, Some(due));
        self.emit(p, "charge.dispute.updated", Subject::Dispute(n));
    }

    pub(super) fn reopen(&mut self, p: usize, which: u8) {
        if let Some(n) = nth(&self.pays[p].disputes, which, |d| d.status == "prevented") {
            self.next_second();
            self.becomes_chargeback(p, n);
        }
    }
}

//! The verbs of disputes: inquiries, chargebacks, preventions and how they end.
//!
//! Money moves by entries of `balance_transactions` alone; `funds_withdrawn` and
//! `funds_reinstated` come a second after the change that they belong to.

use super::life::{Cause, ChargeNo, DisputeNo, Life, days};
use super::objects::{Dispute, Entry, Evidence};

pub(super) const DEBIT_NOT_AUTHORIZED: &str = "debit_not_authorized";
pub(super) const FRAUDULENT: &str = "fraudulent";
pub(super) const NOT_RECEIVED: &str = "product_not_received";
pub(super) const UNACCEPTABLE: &str = "product_unacceptable";
pub(super) const UNRECOGNIZED: &str = "unrecognized";

/// What Stripe takes for a chargeback, in minor units of the settlement currency.
const DISPUTE_FEE: i64 = 2_000;

/// How long a merchant has to answer.
const RESPONSE_DAYS: i64 = 9;

impl Life {
    /// The buyer's bank takes the money back.
    pub(super) fn open_dispute(&mut self, charge: ChargeNo, amount: i64, reason: &'static str) -> DisputeNo {
        let dispute = self.add_dispute(charge, amount, reason);
        self.withdraw(dispute);
        self.tell_dispute(dispute);
        self.funds_withdrawn(dispute);
        dispute
    }

    /// The buyer's bank asks about the payment. No money moves.
    pub(super) fn open_inquiry(&mut self, charge: ChargeNo, amount: i64, reason: &'static str) -> DisputeNo {
        let dispute = self.add_dispute(charge, amount, reason);
        let inquiry = &mut self.disputes[dispute.0];
        inquiry.status = "warning_needs_response";
        inquiry.case_type = "inquiry";
        inquiry.is_charge_refundable = true;
        self.tell_dispute(dispute);
        dispute
    }

    /// A chargeback that allows no answer: opened and lost in one moment.
    pub(super) fn open_unchallengeable(&mut self, charge: ChargeNo, amount: i64, reason: &'static str) -> DisputeNo {
        let dispute = self.add_dispute(charge, amount, reason);
        self.disputes[dispute.0].status = "lost";
        self.disputes[dispute.0].due_by = Some(0);
        self.withdraw(dispute);
        self.tell_dispute(dispute);
        self.change_dispute(dispute, &Cause::Stripe, "charge.dispute.closed", |_| ());
        self.funds_withdrawn(dispute);
        dispute
    }

    /// A prevention product settles the case before it becomes a chargeback. No money moves by
    /// the dispute.
    pub(super) fn prevent(&mut self, charge: ChargeNo, amount: i64, reason: &'static str) -> DisputeNo {
        let dispute = self.add_dispute(charge, amount, reason);
        let prevention = &mut self.disputes[dispute.0];
        prevention.status = "prevented";
        prevention.case_type = "resolution";
        prevention.due_by = None;
        self.tell_dispute(dispute);
        self.later(1);
        self.change_dispute(dispute, &Cause::Stripe, "charge.dispute.closed", |_| ());
        dispute
    }

    /// The bank is not content with the answer to its inquiry: the same dispute is a chargeback.
    pub(super) fn escalate(&mut self, dispute: DisputeNo) {
        self.become_chargeback(dispute);
    }

    /// The prevention did not hold: the same dispute is a chargeback.
    pub(super) fn reopen(&mut self, dispute: DisputeNo) {
        self.become_chargeback(dispute);
    }

    /// The merchant answers.
    pub(super) fn submit_evidence(&mut self, dispute: DisputeNo) {
        let request = self.request();
        let receipt = self.ids.mint("file_1");
        self.change_dispute(dispute, &request, "charge.dispute.updated", |dispute| {
            dispute.status = match dispute.case_type {
                "inquiry" => "warning_under_review",
                _ => "under_review",
            };
            dispute.evidence = Some(Evidence { receipt });
            dispute.submission_count += 1;
        });
    }

    /// The bank decides for the merchant.
    pub(super) fn win(&mut self, dispute: DisputeNo) {
        self.close_dispute(dispute, "won");
        self.reinstate(dispute, self.disputes[dispute.0].amount);
    }

    /// The bank decides for the buyer, or nobody answered in time.
    pub(super) fn lose(&mut self, dispute: DisputeNo) {
        self.close_dispute(dispute, "lost");
    }

    /// The merchant gives in, which cannot be undone.
    pub(super) fn accept(&mut self, dispute: DisputeNo) {
        let request = self.request();
        self.change_dispute(dispute, &request, "charge.dispute.closed", |dispute| {
            dispute.status = "lost";
        });
    }

    /// An inquiry ends without having become a chargeback.
    pub(super) fn close_warning(&mut self, dispute: DisputeNo) {
        self.close_dispute(dispute, "warning_closed");
    }

    /// Long after a loss the bank turns round.
    pub(super) fn win_late(&mut self, dispute: DisputeNo) {
        self.change_dispute(dispute, &Cause::Stripe, "charge.dispute.updated", |dispute| {
            dispute.status = "won";
        });
        self.reinstate(dispute, self.disputes[dispute.0].amount);
    }

    /// So much of what was withdrawn comes back, whatever the status says.
    pub(super) fn reinstate(&mut self, dispute: DisputeNo, amount: i64) {
        self.later(1);
        let entry = Entry { id: self.ids.mint("txn_1"), created: self.now, amount, fee: 0 };
        let kind = "charge.dispute.funds_reinstated";
        self.change_dispute(dispute, &Cause::Stripe, kind, |dispute| dispute.entries.push(entry));
    }

    fn add_dispute(&mut self, charge: ChargeNo, amount: i64, reason: &'static str) -> DisputeNo {
        let disputed = &mut self.charges[charge.0];
        disputed.disputed = true;
        let charge_id = disputed.id.clone();
        self.disputes.push(Dispute {
            id: self.ids.mint("du_1"),
            charge_id,
            created: self.now,
            amount,
            reason,
            status: "needs_response",
            case_type: "chargeback",
            due_by: Some(self.deadline()),
            evidence: None,
            submission_count: 0,
            is_charge_refundable: false,
            entries: Vec::new(),
        });
        DisputeNo(self.disputes.len() - 1)
    }

    fn become_chargeback(&mut self, dispute: DisputeNo) {
        let (due_by, entry) = (self.deadline(), self.withdrawal(dispute));
        self.change_dispute(dispute, &Cause::Stripe, "charge.dispute.updated", |dispute| {
            dispute.status = "needs_response";
            dispute.case_type = "chargeback";
            dispute.due_by = Some(due_by);
            dispute.is_charge_refundable = false;
            dispute.entries.push(entry);
        });
        self.funds_withdrawn(dispute);
    }

    fn tell_dispute(&mut self, dispute: DisputeNo) {
        let object = self.show_dispute(dispute);
        self.emit(&Cause::Stripe, "charge.dispute.created", &object);
    }

    fn funds_withdrawn(&mut self, dispute: DisputeNo) {
        self.later(1);
        let object = self.show_dispute(dispute);
        self.emit(&Cause::Stripe, "charge.dispute.funds_withdrawn", &object);
    }

    fn withdraw(&mut self, dispute: DisputeNo) {
        let entry = self.withdrawal(dispute);
        self.disputes[dispute.0].entries.push(entry);
    }

    fn withdrawal(&mut self, dispute: DisputeNo) -> Entry {
        Entry {
            id: self.ids.mint("txn_1"),
            created: self.now,
            amount: -self.disputes[dispute.0].amount,
            fee: DISPUTE_FEE,
        }
    }

    fn close_dispute(&mut self, dispute: DisputeNo, status: &'static str) {
        self.change_dispute(dispute, &Cause::Stripe, "charge.dispute.closed", |dispute| {
            dispute.status = status;
        });
    }

    /// The last second of the last day to answer, as Stripe's deadlines fall.
    fn deadline(&self) -> i64 {
        let last_day = (self.now + days(RESPONSE_DAYS)).div_euclid(days(1));
        days(last_day + 1) - 1
    }
}

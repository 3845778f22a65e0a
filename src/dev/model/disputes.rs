//! The verbs of disputes: inquiries, chargebacks, preventions, appeals and how they end. Their evidence is in `evidence`.
//!
//! Money moves by entries of `balance_transactions` alone. The events `funds_withdrawn` and `funds_reinstated`
//! come a moment after the change that they belong to, and so are verbs of their own.

use super::id::Id;
use super::objects::{Charge, Dispute, Entry, Metadata};
use super::{Account, Cause, Method};

pub(in crate::dev) const DEBIT_NOT_AUTHORIZED: &str = "debit_not_authorized";
pub(in crate::dev) const FRAUDULENT: &str = "fraudulent";
const NONCOMPLIANT: &str = "noncompliant";
pub(in crate::dev) const NOT_RECEIVED: &str = "product_not_received";
pub(in crate::dev) const UNACCEPTABLE: &str = "product_unacceptable";
pub(in crate::dev) const UNRECOGNIZED: &str = "unrecognized";

/// What Stripe takes for a chargeback, in minor units of the settlement currency.
const DISPUTE_FEE: i64 = 2_000;

/// How long a merchant has to answer.
const RESPONSE_DAYS: i64 = 9;
/// The same for Klarna: until an inquiry becomes a chargeback, of a chargeback, and of one for fraud.
const KLARNA_DAYS: [i64; 3] = [21, 12, 5];

const DAY: i64 = 86_400;

impl Account {
    /// The buyer's bank takes the money back. `funds_withdrawn` follows.
    pub fn open_dispute(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let dispute = self.new_dispute(charge, amount, reason);
        let entries = vec![self.withdrawal(amount)];
        self.open(Dispute { entries, ..dispute })
    }

    /// The buyer's bank asks about the payment. No money moves.
    pub fn open_inquiry(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let dispute = self.new_dispute(charge, amount, reason);
        let due_by = Some(self.deadline(charge, "inquiry", reason));
        let (status, case_type) = ("warning_needs_response", "inquiry");
        self.open(Dispute { status, case_type, due_by, is_charge_refundable: true, ..dispute })
    }

    /// The cardholder's bank says that a rule of the network was broken. `funds_withdrawn` follows.
    pub fn open_compliance(&mut self, charge: &Id<Charge>, amount: i64) -> Id<Dispute> {
        let dispute = self.new_dispute(charge, amount, NONCOMPLIANT);
        let entries = vec![self.withdrawal(amount)];
        self.open(Dispute { case_type: "compliance", entries, ..dispute })
    }

    /// A chargeback that allows no answer: opened and lost in one moment. `funds_withdrawn` follows.
    pub fn open_unchallengeable(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let dispute = self.new_dispute(charge, amount, reason);
        let entries = vec![self.withdrawal(amount)];
        let dispute = self.open(Dispute { status: "lost", due_by: Some(0), entries, ..dispute });
        self.close(&dispute, "lost");
        dispute
    }

    /// A prevention product settles the case before it becomes a chargeback. No money moves by the dispute.
    /// [`Account::close_prevented`] follows.
    pub fn prevent(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let dispute = self.new_dispute(charge, amount, reason);
        self.open(Dispute { status: "prevented", case_type: "resolution", due_by: None, ..dispute })
    }

    /// A prevented case is closed.
    pub fn close_prevented(&mut self, dispute: &Id<Dispute>) {
        self.close(dispute, "prevented");
    }

    /// An inquiry or a prevented case becomes a chargeback: the same dispute. `funds_withdrawn` follows.
    pub fn escalate(&mut self, dispute: &Id<Dispute>) {
        let Dispute { charge, amount, reason, .. } = self.get(dispute).clone();
        let (due_by, entry) = (self.deadline(&charge, "chargeback", reason), self.withdrawal(amount));
        self.change(dispute, &Cause::Stripe, &["charge.dispute.updated"], |dispute| {
            dispute.status = "needs_response";
            dispute.case_type = "chargeback";
            dispute.due_by = Some(due_by);
            dispute.past_due = false;
            dispute.is_charge_refundable = false;
            dispute.entries.push(entry);
        });
    }

    /// Stripe says that it withdrew the disputed amount.
    pub fn funds_withdrawn(&mut self, dispute: &Id<Dispute>) {
        self.emit(dispute, &Cause::Stripe, "charge.dispute.funds_withdrawn");
    }

    /// The bank decides for the merchant. [`Account::reinstate`] follows.
    pub fn win(&mut self, dispute: &Id<Dispute>) {
        self.close(dispute, "won");
    }

    /// The bank decides for the buyer, or nobody answered in time.
    pub fn lose(&mut self, dispute: &Id<Dispute>) {
        self.close(dispute, "lost");
    }

    /// The merchant accepts the dispute, which cannot be undone.
    pub fn accept(&mut self, by: &Cause, dispute: &Id<Dispute>) {
        self.change(dispute, by, &["charge.dispute.closed"], |dispute| {
            dispute.status = match dispute.status {
                "warning_needs_response" | "warning_under_review" => "warning_closed",
                _ => "lost",
            };
            dispute.is_closed_by_merchant = true;
        });
    }

    /// The merchant's appeal of a decision is let in: Stripe waits for its evidence. No money moves.
    pub fn open_appeal(&mut self, dispute: &Id<Dispute>) {
        let Dispute { charge, reason, .. } = self.get(dispute).clone();
        let due_by = self.deadline(&charge, "chargeback", reason);
        self.change(dispute, &Cause::Stripe, &["charge.dispute.updated"], |dispute| {
            dispute.status = "appeal_needs_response";
            dispute.due_by = Some(due_by);
            dispute.past_due = false;
        });
    }

    /// An inquiry ends without having become a chargeback.
    pub fn close_inquiry(&mut self, dispute: &Id<Dispute>) {
        self.close(dispute, "warning_closed");
    }

    /// Long after a loss the bank decides for the merchant after all. [`Account::reinstate`] follows.
    pub fn win_late(&mut self, dispute: &Id<Dispute>) {
        self.change(dispute, &Cause::Stripe, &["charge.dispute.updated"], |dispute| dispute.status = "won");
    }

    /// So much of what was withdrawn comes back, whatever the status says.
    pub fn reinstate(&mut self, dispute: &Id<Dispute>, amount: i64) {
        let entry = Entry { id: self.ids.mint("txn_1"), created: self.now, amount, fee: 0 };
        let kinds = ["charge.dispute.funds_reinstated"];
        self.change(dispute, &Cause::Stripe, &kinds, |dispute| dispute.entries.push(entry));
    }

    /// A chargeback that waits for an answer, not part of the account yet.
    fn new_dispute(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Dispute {
        let prefilled = self.prefill(charge);
        Dispute {
            id: self.mint("du_1"),
            charge: charge.clone(),
            created: self.now,
            amount,
            reason,
            status: "needs_response",
            case_type: "chargeback",
            due_by: Some(self.deadline(charge, "chargeback", reason)),
            evidence: prefilled.clone(),
            prefilled,
            metadata: Metadata::new(),
            submissions: Vec::new(),
            past_due: false,
            smart: None,
            is_closed_by_merchant: false,
            refunded_before: self.get(charge).amount_refunded,
            is_charge_refundable: false,
            entries: Vec::new(),
        }
    }

    fn open(&mut self, dispute: Dispute) -> Id<Dispute> {
        self.get_mut(&dispute.charge).disputed = true;
        let dispute = self.insert(dispute);
        self.emit(&dispute, &Cause::Stripe, "charge.dispute.created");
        dispute
    }

    fn close(&mut self, dispute: &Id<Dispute>, status: &'static str) {
        self.change(dispute, &Cause::Stripe, &["charge.dispute.closed"], |dispute| dispute.status = status);
    }

    fn withdrawal(&mut self, amount: i64) -> Entry {
        Entry { id: self.ids.mint("txn_1"), created: self.now, amount: -amount, fee: DISPUTE_FEE }
    }

    /// The last second of the last day to answer, as Stripe's deadlines fall.
    fn deadline(&self, charge: &Id<Charge>, case_type: &str, reason: &str) -> i64 {
        let [inquiry, chargeback, fraud] = KLARNA_DAYS;
        let days = match (self.paid_with(charge), case_type, reason) {
            (Method::Klarna, "inquiry", _) => inquiry,
            (Method::Klarna, _, FRAUDULENT) => fraud,
            (Method::Klarna, _, _) => chargeback,
            (Method::Card(_) | Method::SepaDebit | Method::UsBankAccount | Method::BankTransfer, _, _) => RESPONSE_DAYS,
        };
        let last_day = (self.now + days * DAY).div_euclid(DAY);
        (last_day + 1) * DAY - 1
    }
}

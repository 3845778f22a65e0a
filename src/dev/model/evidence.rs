//! The verbs of evidence: filled in by Stripe, staged and submitted by the merchant, submitted by Smart Disputes.

use serde_json::{Map, Value, json};

use super::id::Id;
use super::objects::{Charge, Dispute, Metadata, Smart, Submitted, Submitter};
use super::{Account, Cause};

/// The merchant alone submits.
pub(in crate::dev) const MANUAL: &str = "manual";
/// Stripe has a packet of its own that it can submit.
pub(in crate::dev) const AVAILABLE: &str = "available";

/// What would improve Stripe's own packet: the fields of any one group suffice.
pub(super) const RECOMMENDED: [&[&str]; 2] =
    [&["shipping_carrier", "shipping_tracking_number"], &["customer_communication"]];

/// What a merchant sends about a dispute.
#[derive(Debug)]
pub struct Answer {
    /// All evidence, by Stripe's names of the fields.
    pub evidence: Map<String, Value>,
    /// The merchant's own fields.
    pub metadata: Metadata,
    /// Who is to submit, in Stripe's words; none leaves it as it is.
    pub intended: Option<&'static str>,
    /// Whether the bank sees it.
    pub submission: Submission,
}

/// What happens to evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// Stripe keeps it.
    Stage,
    /// Stripe sends it to the bank.
    Submit(Submitter),
}

impl Account {
    /// The merchant answers with a receipt and some text.
    pub fn submit_evidence(&mut self, by: &Cause, dispute: &Id<Dispute>) {
        let receipt = self.ids.mint("file_1");
        let fields = [
            ("product_description", "Enamel kettle, two litres"),
            ("receipt", &receipt),
            ("uncategorized_text", "Paid and shipped as ordered; see the receipt."),
        ];
        self.submit_fields(by, dispute, fields.map(|(field, value)| (field, json!(value))));
    }

    /// The merchant submits these fields beside what Stripe holds already.
    pub fn submit_fields<const N: usize>(
        &mut self,
        by: &Cause,
        dispute: &Id<Dispute>,
        fields: [(&'static str, Value); N],
    ) {
        let Dispute { mut evidence, metadata, .. } = self.get(dispute).clone();
        evidence.extend(fields.map(|(field, value)| (field.to_owned(), value)));
        let submission = Submission::Submit(Submitter::Api);
        self.answer(by, dispute, Answer { evidence, metadata, intended: None, submission });
    }

    /// The merchant replaces evidence and metadata, and submits or only stages them.
    pub fn answer(&mut self, by: &Cause, dispute: &Id<Dispute>, answer: Answer) {
        let now = self.now;
        self.change(dispute, by, &["charge.dispute.updated"], |dispute| {
            dispute.evidence = answer.evidence;
            dispute.metadata = answer.metadata;
            if let (Some(smart), Some(intended)) = (&mut dispute.smart, answer.intended) {
                smart.intended = intended;
            }
            match answer.submission {
                Submission::Stage => {}
                Submission::Submit(submitter) => dispute.submit(now, submitter, by),
            }
        });
    }

    /// Stripe answers by itself with what it and the merchant gathered.
    pub fn submit_by_smart_disputes(&mut self, dispute: &Id<Dispute>) {
        let now = self.now;
        self.change(dispute, &Cause::Stripe, &["charge.dispute.updated"], |dispute| {
            dispute.submit(now, Submitter::SmartDisputes, &Cause::Stripe);
        });
    }

    /// Stripe enables Smart Disputes for a dispute. The status is Stripe's word.
    pub fn enable_smart_disputes(&mut self, dispute: &Id<Dispute>, status: &'static str) {
        self.change(dispute, &Cause::Stripe, &["charge.dispute.updated"], |dispute| {
            dispute.smart = Some(Smart { intended: "prefer_manual", status });
        });
    }

    /// Stripe adds a receipt that it made itself, a moment after the dispute arrived.
    pub fn prefill_receipt(&mut self, dispute: &Id<Dispute>, file: &str) {
        self.change(dispute, &Cause::Stripe, &["charge.dispute.updated"], |dispute| {
            dispute.evidence.insert("receipt".to_owned(), json!(file));
            dispute.prefilled.insert("receipt".to_owned(), json!(file));
        });
    }

    /// What Stripe knows of the buyer, and fills in when a dispute arrives.
    pub(super) fn prefill(&self, charge: &Id<Charge>) -> Map<String, Value> {
        let buyer = self.buyer_of(&self.get(charge).purchase);
        let fields = [
            ("customer_email_address", buyer.email),
            ("customer_name", buyer.name),
            ("customer_purchase_ip", buyer.ip),
        ];
        fields.map(|(field, value)| (field.to_owned(), json!(value))).into_iter().collect()
    }
}

impl Dispute {
    /// Whether Stripe waits for evidence.
    pub(in crate::dev) fn awaits_evidence(&self) -> bool {
        ["needs_response", "warning_needs_response", "appeal_needs_response"].contains(&self.status)
    }

    /// Whether the merchant added anything to what Stripe filled in.
    pub(in crate::dev) fn has_evidence(&self) -> bool {
        self.evidence.iter().any(|(field, value)| self.prefilled.get(field) != Some(value))
    }

    /// Whether Stripe submits evidence at the deadline: its own packet if there is one, else the merchant's.
    pub(in crate::dev) fn is_answered_by_stripe(&self) -> bool {
        let intends = self.smart.is_some_and(|smart| smart.intended != MANUAL);
        self.case_type == "chargeback" && intends && (self.smart_status() == Some(AVAILABLE) || self.has_evidence())
    }

    /// Whether Stripe has a packet: one that requires evidence is available once a recommended group is complete.
    pub(super) fn smart_status(&self) -> Option<&'static str> {
        let status = self.smart?.status;
        let complete = |group: &&[&str]| group.iter().all(|field| self.evidence.contains_key(*field));
        let fulfilled = status == "requires_evidence" && RECOMMENDED.iter().any(complete);
        Some(if fulfilled { AVAILABLE } else { status })
    }

    fn submit(&mut self, now: i64, by: Submitter, cause: &Cause) {
        let (status, phase) = match self.status {
            "warning_needs_response" => ("warning_under_review", "inquiry"),
            "appeal_needs_response" => ("appeal_under_review", "appeal"),
            _ => ("under_review", self.case_type),
        };
        self.status = status;
        self.past_due = self.due_by.is_some_and(|due_by| now > due_by);
        let request = match cause {
            Cause::Request { id, .. } => Some(id.clone()),
            Cause::Stripe => None,
        };
        self.submissions.push(Submitted { at: now, phase, by, request, evidence: self.evidence.clone() });
    }
}

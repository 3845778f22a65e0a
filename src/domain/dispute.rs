//! One dispute: its phase, outcome and money, and whether evidence is awaited.

use super::facts::{DisputeFacts, Facts};
use super::phase::{Outcome, Phase};
use super::snapshot::{BalanceEntry, Charge, Dispute, Latest};

/// A dispute's money, in minor units of `currency` (the settlement currency).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settlement {
    pub withdrawn: i64,
    pub reinstated: i64,
    pub fee: i64,
    pub currency: Option<String>,
}

impl Dispute {
    /// The phase, by status; by `case_type` where the status is ambiguous or unknown.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match (self.status.as_str(), self.case_type.as_deref()) {
            ("prevented", _) => Phase::Prevention,
            ("warning_needs_response" | "warning_under_review" | "warning_closed", _) => Phase::Inquiry,
            ("appeal_needs_response" | "appeal_under_review", _) => Phase::Appeal,
            (_, Some("compliance")) => Phase::Compliance,
            (_, Some("block" | "resolution")) => Phase::Prevention,
            (_, Some("inquiry")) if !self.is_chargeback_status() => Phase::Inquiry,
            _ => Phase::Chargeback,
        }
    }

    fn is_chargeback_status(&self) -> bool {
        matches!(self.status.as_str(), "needs_response" | "under_review" | "won" | "lost")
    }

    /// None while it is open or its status is unknown.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self.status.as_str() {
            // Until 2014-11-20 a dispute won on a refunded charge was called `charge_refunded`.
            "won" | "charge_refunded" => Some(Outcome::Won),
            "lost" => Some(Outcome::Lost),
            "warning_closed" => Some(Outcome::WarningClosed),
            "prevented" => Some(Outcome::Prevented),
            _ => None,
        }
    }

    pub(super) fn is_open_chargeback(&self) -> bool {
        matches!(
            self.status.as_str(),
            "needs_response" | "under_review" | "appeal_needs_response" | "appeal_under_review"
        )
    }

    pub(super) fn is_open_inquiry(&self) -> bool {
        matches!(self.status.as_str(), "warning_needs_response" | "warning_under_review")
    }

    /// Decided for the merchant, or ended without a decision.
    pub(super) fn ended_well(&self) -> bool {
        matches!(self.outcome(), Some(Outcome::Won | Outcome::WarningClosed))
    }

    /// Decided or settled against the merchant.
    pub(super) fn ended_badly(&self) -> bool {
        matches!(self.outcome(), Some(Outcome::Lost | Outcome::Prevented))
    }

    /// Whether evidence can be submitted: banks decide disputes of debits by themselves, and Klarna takes evidence
    /// only for a chargeback (docs.stripe.com/payments/klarna/disputes).
    fn takes_evidence(&self, payment_method: Option<&str>) -> bool {
        match payment_method {
            Some("acss_debit" | "bacs_debit" | "sepa_debit" | "us_bank_account") => false,
            Some("klarna") => self.phase() != Phase::Inquiry,
            _ => true,
        }
    }
}

impl Facts {
    /// How the disputed charge was paid. A dispute of a bank debit lacks it, so its charge is read.
    pub(super) fn payment_method<'a>(&'a self, dispute: &'a DisputeFacts) -> Option<&'a str> {
        let charge = || self.charge_seen(dispute.child.charge.as_ref());
        let of_charge = || charge().and_then(|charge| charge.payment_method.as_deref());
        dispute.seen().payment_method.as_deref().or_else(of_charge)
    }

    /// The card network of the disputed charge; while the charge was not seen, the one the dispute names.
    pub(super) fn card_brand_of_dispute<'a>(&'a self, dispute: &'a DisputeFacts) -> Option<&'a str> {
        self.card_brand(dispute.child.charge.as_ref()).or(dispute.seen().card_brand.as_deref())
    }

    /// The card network of the charge that a child names, else of the payment's main charge.
    pub(super) fn card_brand(&self, named: Option<&Latest<String>>) -> Option<&str> {
        self.charge_seen(named)?.card_brand.as_deref()
    }

    fn charge_seen(&self, named: Option<&Latest<String>>) -> Option<&Charge> {
        match named {
            Some(named) => self.seen(&named.value).map(|(charge, _)| charge),
            None => self.main_charge().map(|(_, charge)| charge),
        }
    }

    /// Whether evidence can be submitted.
    pub(super) fn takes_evidence(&self, dispute: &DisputeFacts) -> bool {
        dispute.seen().takes_evidence(self.payment_method(dispute))
    }

    /// Whether the cardholder's bank still waits for evidence, and takes it.
    pub(super) fn awaits_evidence(&self, dispute: &DisputeFacts) -> bool {
        dispute.is_awaited() && self.takes_evidence(dispute)
    }
}

impl DisputeFacts {
    /// The best snapshot.
    #[must_use]
    pub fn seen(&self) -> &Dispute {
        &self.child.best.value
    }

    /// Evidence is awaited: the status says so, a response is allowed (`due_by` is not 0), and none is known to have
    /// been submitted in this phase.
    fn is_awaited(&self) -> bool {
        let dispute = self.seen();
        let awaited = match dispute.status.as_str() {
            "needs_response" | "warning_needs_response" => !self.submitted_in(dispute.phase()),
            "appeal_needs_response" => true,
            _ => false,
        };
        awaited && dispute.due_by != Some(0)
    }

    /// The submission count rose within the phase. The first count seen may stem from an earlier phase.
    fn submitted_in(&self, phase: Phase) -> bool {
        self.submissions.get(&phase).is_some_and(|seen| seen.most > seen.least)
    }

    /// Evidence was submitted since it became a chargeback or a compliance case, and not by Stripe's Smart Disputes. The
    /// answer to an inquiry before it does not count: where the count did not rise since, the inquiry's own is taken off.
    pub(super) fn is_countered(&self) -> bool {
        let in_inquiry = self.submissions.get(&Phase::Inquiry).map_or(0, |seen| seen.most);
        let mut later =
            [Phase::Chargeback, Phase::Compliance, Phase::Appeal].iter().filter_map(|p| self.submissions.get(p));
        let submitted = later.any(|seen| seen.most > seen.least || seen.most > in_inquiry);
        submitted && self.seen().submission_method.as_deref() != Some("smart_disputes")
    }

    /// The deadline for evidence, in unix seconds; none when unknown or when no response is allowed.
    pub(super) fn due_by(&self) -> Option<i64> {
        self.seen().due_by.filter(|&due| due > 0)
    }

    /// Withdrawn, reinstated and fee, from balance transactions only: `funds_reinstated` can come with
    /// status `lost`, so neither event type nor status is read. Entries in a currency other than the first's cannot
    /// be added and are left out.
    pub(super) fn settlement(&self) -> Settlement {
        let Some(first) = self.balance.values().min() else {
            return Settlement::default();
        };
        let sum = |part: fn(&BalanceEntry) -> i64| {
            (self.balance.values().filter(|e| e.currency == first.currency))
                .fold(0i64, |sum, e| sum.saturating_add(part(e)))
        };
        Settlement {
            withdrawn: sum(|e| e.amount.min(0).saturating_neg()),
            reinstated: sum(|e| e.amount.max(0)),
            fee: sum(|e| e.fee),
            currency: Some(first.currency.clone()),
        }
    }
}

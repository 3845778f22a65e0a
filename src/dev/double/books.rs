//! One account of the world: what follows when a test token has paid, and what Stripe ends by itself when a charge is
//! disputed or refunded. What time brings about is in `calendar`.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::dev::model::objects::{Charge, Dispute, Refund, Review, Session, Warning};
use crate::dev::model::{
    AMEX, AVAILABLE, Account, Cause, FRAUDULENT, FirstStatus, Id, MASTERCARD, Method, NOT_RECEIVED,
};

/// How long a refund of a test token waits before it settles or fails, in seconds.
const REFUND_WAITS: i64 = 60;

/// How long after a dispute Stripe fills in a receipt, in seconds.
const RECEIPT_WAITS: i64 = 60;

/// The version of requests that name none, unless the account has another.
pub(super) const VERSION: &str = "2026-10-28.endive";

/// One account: its objects, and what the model does not know about them.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) account: Account,
    /// What it was paid with, by charge.
    pub(super) tokens: HashMap<String, Token>,
    pub(super) files: IndexMap<String, File>,
    /// How many of the account's events were handed to the webhooks.
    pub(super) handed_over: usize,
    /// Refunds that the clock settles or fails, with the time.
    pub(super) due: Vec<(i64, Due)>,
    /// How far new refunds get at once, whatever was paid with.
    pub(super) new_refunds: Option<FirstStatus>,
    /// Whether Smart Disputes are enabled for new chargebacks of cards.
    pub(super) smart_disputes: bool,
    /// The API version of requests that name none, and of what nobody asked for.
    pub(super) version: String,
}

/// An uploaded file.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) filename: String,
    pub(super) purpose: &'static str,
    /// Stripe's word for the type, such as `pdf`.
    pub(super) kind: &'static str,
    /// In bytes.
    pub(super) size: usize,
    /// As they count for evidence.
    pub(super) pages: usize,
}

impl File {
    pub(super) fn show(&self) -> Value {
        json!({
            "id": self.id,
            "object": "file",
            "created": self.created,
            "expires_at": null,
            "filename": self.filename,
            "links": { "object": "list", "data": [], "has_more": false, "url": format!("/v1/file_links?file={}", self.id) },
            "purpose": self.purpose,
            "size": self.size,
            "title": null,
            "type": self.kind,
            "url": format!("https://files.stripe.com/v1/files/{}/contents", self.id),
        })
    }
}

/// Something that happens at its time.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// A pending refund succeeds.
    Settle(Id<Refund>),
    /// A refund that had succeeded fails.
    Fail(Id<Refund>),
    /// A checkout page is closed.
    Close(Id<Session>),
    /// An authorization expires.
    Expire(Id<Charge>),
    /// A chargeback is lost.
    Lose(Id<Dispute>),
    /// An inquiry is closed.
    EndInquiry(Id<Dispute>),
    /// An inquiry becomes a chargeback.
    Escalate(Id<Dispute>),
    /// Stripe fills in a receipt as evidence.
    Prefill(Id<Dispute>),
    /// Smart Disputes submit evidence.
    Answer(Id<Dispute>),
}

/// How a payment with a test payment method goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// Nothing more happens.
    Pays,
    /// The card is declined.
    Declined,
    /// Paid by bank transfer: a refund asks the buyer for bank details.
    Transfer,
    /// Paid by Klarna.
    Klarna,
    /// Paid by a card of another network than Visa's.
    Mastercard,
    Amex,
    /// Paid by a bank debit, which arrives at once.
    SepaDebit,
    UsBankAccount,
    /// The buyer disputes it at once, for this reason.
    Disputes(&'static str),
    /// The buyer's bank inquires at once.
    Inquires,
    /// The buyer disputes it at once, and Smart Disputes are enabled for that.
    SmartDispute,
    /// The issuer says at once that a rule of Visa's or of Mastercard's was broken.
    VisaCompliance,
    MastercardCompliance,
    /// The issuer reports it as fraud at once.
    Warned,
    /// The buyer disputes it twice, for half of the amount each.
    DisputesTwice,
    /// Refunds succeed at first and fail later.
    RefundFails,
    /// Refunds are pending at first and succeed later.
    RefundWaits,
}

/// The payment methods that can be used, with what they do. Those of `pm_double` are the double's own.
pub(super) const TOKENS: [(&str, Token); 20] = [
    ("pm_card_visa", Token::Pays),
    ("pm_card_mastercard", Token::Mastercard),
    ("pm_card_amex", Token::Amex),
    ("pm_card_chargeDeclined", Token::Declined),
    ("pm_card_chargeDeclinedInsufficientFunds", Token::Declined),
    ("pm_card_createDispute", Token::Disputes(FRAUDULENT)),
    ("pm_card_createDisputeProductNotReceived", Token::Disputes(NOT_RECEIVED)),
    ("pm_card_createDisputeInquiry", Token::Inquires),
    ("pm_card_createCe3EligibleDispute", Token::Disputes(FRAUDULENT)),
    ("pm_card_createAutoRepresentmentEligibleDispute", Token::SmartDispute),
    ("pm_card_createComplianceDispute", Token::VisaCompliance),
    ("pm_card_createMastercardComplianceDispute", Token::MastercardCompliance),
    ("pm_card_createIssuerFraudRecord", Token::Warned),
    ("pm_card_createMultipleDisputes", Token::DisputesTwice),
    ("pm_card_refundFail", Token::RefundFails),
    ("pm_card_pendingRefund", Token::RefundWaits),
    ("pm_double_bankTransfer", Token::Transfer),
    ("pm_double_klarna", Token::Klarna),
    ("pm_double_sepaDebit", Token::SepaDebit),
    ("pm_double_usBankAccount", Token::UsBankAccount),
];

impl Token {
    /// What is paid with, unless it is a Visa card.
    pub(super) fn method(self) -> Option<Method> {
        match self {
            Self::Mastercard | Self::MastercardCompliance => Some(Method::Card(MASTERCARD)),
            Self::Amex => Some(Method::Card(AMEX)),
            Self::SepaDebit => Some(Method::SepaDebit),
            Self::UsBankAccount => Some(Method::UsBankAccount),
            Self::Transfer => Some(Method::BankTransfer),
            Self::Klarna => Some(Method::Klarna),
            Self::Pays | Self::Declined | Self::RefundFails | Self::RefundWaits | Self::Warned => None,
            Self::Disputes(_) | Self::DisputesTwice | Self::SmartDispute | Self::Inquires => None,
            Self::VisaCompliance => None,
        }
    }
}

impl Books {
    pub(super) fn new(account: Account) -> Self {
        Self {
            account,
            tokens: HashMap::new(),
            files: IndexMap::new(),
            handed_over: 0,
            due: Vec::new(),
            new_refunds: None,
            smart_disputes: false,
            version: VERSION.to_owned(),
        }
    }

    /// What follows at once when a charge has been captured.
    pub(super) fn captured(&mut self, charge: &Id<Charge>) {
        let amount = self.account.get(charge).amount_captured;
        match self.tokens.get(charge.as_str()).copied().unwrap_or(Token::Pays) {
            Token::Disputes(reason) => {
                self.dispute(charge, amount, reason);
            }
            Token::DisputesTwice => {
                self.dispute(charge, amount / 2, FRAUDULENT);
                self.dispute(charge, amount - amount / 2, FRAUDULENT);
            }
            Token::Inquires => {
                self.inquiry(charge, amount, FRAUDULENT);
            }
            Token::SmartDispute => {
                let dispute = self.dispute(charge, amount, FRAUDULENT);
                self.account.enable_smart_disputes(&dispute, AVAILABLE);
            }
            Token::VisaCompliance | Token::MastercardCompliance => {
                self.compliance(charge, amount);
            }
            Token::Warned => {
                self.account.warn(charge);
            }
            Token::Pays | Token::Declined | Token::Transfer | Token::Klarna => {}
            Token::Mastercard | Token::Amex | Token::SepaDebit | Token::UsBankAccount => {}
            Token::RefundFails | Token::RefundWaits => {}
        }
    }

    /// A chargeback arrives: the money goes, and refunds that wait fail. One of a bank debit is lost at once.
    pub(super) fn dispute(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        if self.account.paid_with(charge).is_debit() {
            return self.unchallengeable(charge, amount, reason);
        }
        let smart = self.smart_disputes && self.account.paid_with(charge).network().is_some();
        let dispute = self.withdraw(charge, |account| account.open_dispute(charge, amount, reason));
        if smart {
            self.account.enable_smart_disputes(&dispute, AVAILABLE);
        }
        self.plan_receipt(dispute)
    }

    /// A chargeback arrives that allows no answer.
    pub(super) fn unchallengeable(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        self.withdraw(charge, |account| account.open_unchallengeable(charge, amount, reason))
    }

    /// A compliance dispute arrives.
    pub(super) fn compliance(&mut self, charge: &Id<Charge>, amount: i64) -> Id<Dispute> {
        let dispute = self.withdraw(charge, |account| account.open_compliance(charge, amount));
        self.plan_receipt(dispute)
    }

    /// An inquiry arrives.
    pub(super) fn inquiry(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let dispute = self.account.open_inquiry(charge, amount, reason);
        self.settle(charge);
        self.plan_receipt(dispute)
    }

    fn plan_receipt(&mut self, dispute: Id<Dispute>) -> Id<Dispute> {
        self.due.push((self.account.now + RECEIPT_WAITS, Due::Prefill(dispute.clone())));
        dispute
    }

    fn withdraw(&mut self, charge: &Id<Charge>, open: impl FnOnce(&mut Account) -> Id<Dispute>) -> Id<Dispute> {
        let waiting = self.account.list::<Refund>().filter(|it| it.charge == *charge && it.status == "pending");
        let waiting: Vec<_> = waiting.map(|refund| refund.id.clone()).collect();
        for refund in waiting {
            self.account.fail_refund(&refund, "charge_for_pending_refund_disputed");
        }
        let dispute = open(&mut self.account);
        self.account.funds_withdrawn(&dispute);
        self.settle(charge);
        dispute
    }

    /// Plans what becomes of a new refund.
    pub(super) fn plan_refund(&mut self, refund: &Id<Refund>, token: Token) {
        let due = match token {
            Token::RefundFails => Due::Fail(refund.clone()),
            Token::RefundWaits => Due::Settle(refund.clone()),
            Token::Pays | Token::Declined | Token::Transfer | Token::Klarna => return,
            Token::Mastercard | Token::Amex | Token::SepaDebit | Token::UsBankAccount => return,
            Token::Disputes(_) | Token::Inquires | Token::Warned | Token::DisputesTwice => return,
            Token::SmartDispute | Token::VisaCompliance | Token::MastercardCompliance => return,
        };
        self.due.push((self.account.now + REFUND_WAITS, due));
    }

    /// Ends what Stripe ends by itself when a charge is disputed, refunded or voided: inquiries, warnings and reviews.
    pub(super) fn settle(&mut self, id: &Id<Charge>) {
        self.settle_inquiries(id);
        let charge = self.account.get(id);
        let (all, disputed) = (charge.captured && charge.left() == 0, charge.disputed);
        let canceled = charge.is_void;
        if all || disputed {
            let warnings = self.account.list::<Warning>().filter(|it| it.charge == *id && it.actionable);
            for warning in warnings.map(|warning| warning.id.clone()).collect::<Vec<_>>() {
                self.account.settle_warning(&warning);
            }
        }
        let reviews = self.account.list::<Review>().filter(|it| it.charge == *id && it.closed_reason.is_none());
        let reviews: Vec<_> = reviews.map(|review| review.id.clone()).collect();
        if reviews.is_empty() {
            return;
        }
        let as_fraud = self.account.list::<Refund>().any(|it| it.charge == *id && it.reason == Some(FRAUDULENT));
        let reason = match (disputed, all, canceled) {
            (true, _, _) => "disputed",
            (_, true, _) if as_fraud => "refunded_as_fraud",
            (_, true, _) => "refunded",
            (_, _, true) => "canceled",
            (false, false, false) => return,
        };
        for review in reviews {
            self.account.close_review(&Cause::Stripe, &review, reason);
        }
    }

    /// Refunds end inquiries: of a card when nothing is left, of Klarna when the disputed amount was refunded.
    fn settle_inquiries(&mut self, id: &Id<Charge>) {
        let charge = self.account.get(id);
        let klarna = matches!(self.account.paid_with(id), Method::Klarna);
        let refunded = |it: &Dispute| charge.amount_refunded - it.refunded_before;
        let is_settled = |it: &Dispute| charge.left() == 0 || klarna && refunded(it) >= it.amount;
        let open = |it: &&Dispute| it.charge == *id && it.case_type == "inquiry" && it.status != "warning_closed";
        let settled = self.account.list::<Dispute>().filter(open).filter(|it| is_settled(it));
        for inquiry in settled.map(|dispute| dispute.id.clone()).collect::<Vec<_>>() {
            self.account.close_inquiry(&inquiry);
        }
    }

    /// Whether this version, the account's own if none, is before 2025-03-31.basil: Stripe then made a refund of what was
    /// authorized and not captured.
    pub(super) fn is_before_2025(&self, version: Option<&str>) -> bool {
        version.unwrap_or(&self.version) < "2025-03-31"
    }

    /// Captures so much of an authorization, in the manner of the request's version.
    pub(super) fn capture(&mut self, by: &Cause, charge: &Id<Charge>, amount: i64, version: Option<&str>) {
        if amount < self.account.get(charge).purchase.amount && self.is_before_2025(version) {
            self.account.capture_before_2025(by, charge, amount);
        } else {
            self.account.capture(by, charge, amount);
        }
        self.captured(charge);
    }

    /// Nobody captured an authorization in time.
    pub(super) fn expire(&mut self, charge: &Id<Charge>) {
        if self.is_before_2025(None) {
            self.account.expire_before_2025(charge);
        } else {
            self.account.expire(charge);
        }
        self.settle(charge);
    }
}

//! One account of the world, and what the calendar brings about in it: refunds that settle or fail, disputes that nobody
//! answers, and what a test token does once it has paid.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::dev::model::objects::{Charge, Dispute, Refund};
use crate::dev::model::{Account, FRAUDULENT, Id, NOT_RECEIVED};

/// How long a refund of a test token waits before it settles or fails, in seconds.
const REFUND_WAITS: i64 = 60;
/// How long an inquiry stays open without becoming a chargeback.
const INQUIRY: i64 = 120 * 86_400;

/// One account: its objects, and what the model does not know about them.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) account: Account,
    /// What it was paid with, by charge.
    pub(super) tokens: HashMap<String, Token>,
    pub(super) files: IndexMap<String, File>,
    /// How many of the account's events were handed to the webhooks.
    pub(super) handed_over: usize,
    /// What the clock brings about, with its time.
    due: Vec<(i64, Due)>,
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
enum Due {
    /// A pending refund succeeds.
    Settle(Id<Refund>),
    /// A refund that had succeeded fails.
    Fail(Id<Refund>),
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
    /// The buyer disputes it at once, for this reason.
    Disputes(&'static str),
    /// The buyer's bank inquires at once.
    Inquires,
    /// The buyer disputes it twice, for half of the amount each.
    DisputesTwice,
    /// Refunds succeed at first and fail later.
    RefundFails,
    /// Refunds are pending at first and succeed later.
    RefundWaits,
}

/// The payment methods that can be used, with what they do. Those of `pm_double` are the double's own.
pub(super) const TOKENS: [(&str, Token); 10] = [
    ("pm_card_visa", Token::Pays),
    ("pm_card_chargeDeclined", Token::Declined),
    ("pm_card_chargeDeclinedInsufficientFunds", Token::Declined),
    ("pm_card_createDispute", Token::Disputes(FRAUDULENT)),
    ("pm_card_createDisputeProductNotReceived", Token::Disputes(NOT_RECEIVED)),
    ("pm_card_createDisputeInquiry", Token::Inquires),
    ("pm_card_createMultipleDisputes", Token::DisputesTwice),
    ("pm_card_refundFail", Token::RefundFails),
    ("pm_card_pendingRefund", Token::RefundWaits),
    ("pm_double_bankTransfer", Token::Transfer),
];

impl Books {
    pub(super) fn new(account: Account) -> Self {
        Self { account, tokens: HashMap::new(), files: IndexMap::new(), handed_over: 0, due: Vec::new() }
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
                self.account.open_inquiry(charge, amount, FRAUDULENT);
            }
            Token::Pays | Token::Declined | Token::Transfer | Token::RefundFails | Token::RefundWaits => {}
        }
    }

    /// A chargeback arrives: the money goes, and refunds that wait fail.
    pub(super) fn dispute(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let waiting = self.account.list::<Refund>().filter(|it| it.charge == *charge && it.status == "pending");
        let waiting: Vec<_> = waiting.map(|refund| refund.id.clone()).collect();
        for refund in waiting {
            self.account.fail_refund(&refund, "charge_for_pending_refund_disputed");
        }
        let dispute = self.account.open_dispute(charge, amount, reason);
        self.account.funds_withdrawn(&dispute);
        dispute
    }

    /// Plans what becomes of a new refund.
    pub(super) fn plan_refund(&mut self, refund: &Id<Refund>, token: Token) {
        let due = match token {
            Token::RefundFails => Due::Fail(refund.clone()),
            Token::RefundWaits => Due::Settle(refund.clone()),
            Token::Pays | Token::Declined | Token::Transfer => return,
            Token::Disputes(_) | Token::Inquires | Token::DisputesTwice => return,
        };
        self.due.push((self.account.now + REFUND_WAITS, due));
    }

    /// Lets everything happen until this time, each at its own.
    pub(super) fn live_until(&mut self, now: i64) {
        let (mut due, later): (Vec<_>, Vec<_>) = self.due.drain(..).partition(|(at, _)| *at <= now);
        self.due = later;
        due.sort_by_key(|(at, _)| *at);
        for (at, what) in due {
            self.account.now = at;
            self.happen(&what);
        }
        self.end_disputes(now);
        self.account.now = now;
    }

    /// Nothing happens to a refund that has gone another way meanwhile.
    fn happen(&mut self, what: &Due) {
        match what {
            Due::Settle(refund) if self.account.get(refund).status == "pending" => self.account.settle_refund(refund),
            Due::Fail(refund) if self.account.get(refund).status == "succeeded" => {
                self.account.fail_refund(refund, "declined");
            }
            Due::Settle(_) | Due::Fail(_) => {}
        }
    }

    /// Chargebacks that nobody answered in time are lost, old inquiries closed.
    fn end_disputes(&mut self, now: i64) {
        let is_open = |it: &&Dispute| it.status == "needs_response" || it.status.starts_with("warning_");
        let open: Vec<Dispute> = self.account.list::<Dispute>().filter(is_open).cloned().collect();
        for dispute in open {
            let deadline = dispute.due_by.unwrap_or(i64::MAX);
            if dispute.status == "needs_response" && deadline < now {
                self.account.now = deadline + 1;
                self.account.lose(&dispute.id);
            } else if dispute.status.starts_with("warning_")
                && dispute.status != "warning_closed"
                && dispute.created + INQUIRY <= now
            {
                self.account.now = dispute.created + INQUIRY;
                self.account.close_inquiry(&dispute.id);
            }
        }
    }
}

//! What the clock brings about in an account: refunds that settle or fail, disputes that nobody answers, authorizations that
//! nobody captures, checkout pages that nobody pays on.

use super::books::{Books, Due};
use crate::dev::model::objects::{Charge, Dispute, Intent, Session};
use crate::dev::model::{Cause, Method};

const DAY: i64 = 86_400;
/// How long an inquiry stays open without becoming a chargeback.
const INQUIRY: i64 = 120 * DAY;
/// How long a card's authorization can be captured.
const AUTHORIZATION: i64 = 7 * DAY;
/// How long a checkout page is open.
const PAGE: i64 = DAY;

impl Books {
    /// Lets everything happen until this time, each at its own.
    pub(super) fn live_until(&mut self, now: i64) {
        let (mut due, later): (Vec<_>, Vec<_>) = self.due.drain(..).partition(|(at, _)| *at <= now);
        self.due = later;
        due.sort_by_key(|(at, _)| *at);
        for (at, what) in due {
            self.account.now = at;
            self.happen(&what);
        }
        self.end_pages(now);
        self.end_authorizations(now);
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

    fn end_pages(&mut self, now: i64) {
        let old = |it: &&Session| it.status == "open" && it.created + PAGE <= now;
        let old: Vec<_> = self.account.list::<Session>().filter(old).cloned().collect();
        for session in old {
            self.account.now = session.created + PAGE;
            self.account.expire_session(&Cause::Stripe, &session.id);
        }
    }

    fn end_authorizations(&mut self, now: i64) {
        let account = &self.account;
        let waits = |it: &&Charge| account.get::<Intent>(&it.payment_intent).status == "requires_capture";
        let old = |it: &&Charge| !it.captured && it.status == "succeeded" && it.created + AUTHORIZATION <= now;
        let old: Vec<_> = account.list::<Charge>().filter(old).filter(waits).cloned().collect();
        for charge in old {
            self.account.now = charge.created + AUTHORIZATION;
            self.expire(&charge.id);
        }
    }

    /// Chargebacks that nobody answered in time are lost, old inquiries closed; those of Klarna become chargebacks.
    fn end_disputes(&mut self, now: i64) {
        let is_open = |it: &&Dispute| {
            it.status == "needs_response" || it.status.starts_with("warning_") && it.status != "warning_closed"
        };
        let open: Vec<Dispute> = self.account.list::<Dispute>().filter(is_open).cloned().collect();
        for dispute in open {
            let past_due = dispute.due_by.filter(|due_by| *due_by < now);
            let klarna = matches!(self.account.paid_with(&dispute.charge), Method::Klarna);
            match (dispute.case_type, past_due) {
                ("inquiry", Some(due_by)) if klarna => {
                    self.account.now = due_by + 1;
                    self.account.escalate(&dispute.id);
                    self.account.funds_withdrawn(&dispute.id);
                }
                ("inquiry", _) if dispute.created + INQUIRY <= now => {
                    self.account.now = dispute.created + INQUIRY;
                    self.account.close_inquiry(&dispute.id);
                }
                ("inquiry", _) | (_, None) => {}
                (_, Some(due_by)) => {
                    self.account.now = due_by + 1;
                    self.account.lose(&dispute.id);
                }
            }
        }
    }
}

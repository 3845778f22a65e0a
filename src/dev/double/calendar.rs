//! What happens in an account as time passes: pending refunds settle or fail, unanswered disputes are lost, authorizations
//! and unpaid Checkout Sessions expire. In chronological order, as events are listed.

use super::books::{Books, Due};
use super::files;
use crate::dev::model::objects::{Charge, Dispute, Session};
use crate::dev::model::{Cause, Id, Method};

const DAY: i64 = 86_400;
/// How long an inquiry stays open without becoming a chargeback.
const INQUIRY: i64 = 120 * DAY;
/// How long after its deadline an unanswered chargeback is lost. Until then it can still be answered.
const LATE: i64 = DAY;
/// How long a card's authorization can be captured.
const AUTHORIZATION: i64 = 7 * DAY;
/// How long a checkout page is open.
const PAGE: i64 = DAY;

impl Books {
    /// Lets everything happen until this time, each at its own.
    pub(super) fn live_until(&mut self, now: i64) {
        // Nothing is due in the second in which it was planned.
        if now == self.account.now {
            return;
        }
        while let Some((at, what)) = self.take_next(now) {
            self.account.now = at.max(self.account.now);
            self.happen(&what);
        }
        self.account.now = now;
    }

    /// What happens next. Each happening ends what made it due.
    fn take_next(&mut self, now: i64) -> Option<(i64, Due)> {
        let planned = self.due.iter().enumerate().map(|(place, (at, _))| (*at, place)).min();
        let planned = planned.filter(|(at, _)| *at <= now);
        let others = self.pages().chain(self.authorizations()).chain(self.disputes());
        let other = others.filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at);
        match (planned, other) {
            (Some((at, _)), Some(other)) if other.0 < at => Some(other),
            (Some((_, place)), _) => Some(self.due.remove(place)),
            (None, other) => other,
        }
    }

    /// Nothing happens to a refund that has gone another way meanwhile.
    fn happen(&mut self, what: &Due) {
        match what {
            Due::Settle(refund) if self.account.get(refund).status == "pending" => self.account.settle_refund(refund),
            Due::Fail(refund) if self.account.get(refund).status == "succeeded" => {
                self.account.fail_refund(refund, "declined");
            }
            Due::Settle(_) | Due::Fail(_) => {}
            Due::Close(session) => self.account.expire_session(&Cause::Stripe, session),
            Due::Expire(charge) => self.expire(charge),
            Due::Prefill(dispute) => self.prefill(dispute),
            Due::Answer(dispute) => self.account.submit_by_smart_disputes(dispute),
            Due::Lose(dispute) => self.account.lose(dispute),
            Due::EndInquiry(dispute) => self.account.close_inquiry(dispute),
            Due::Escalate(dispute) => {
                self.account.escalate(dispute);
                self.account.funds_withdrawn(dispute);
            }
        }
    }

    /// Stripe adds a receipt, unless there is one or the dispute was answered.
    fn prefill(&mut self, id: &Id<Dispute>) {
        let dispute = self.account.get(id);
        let has_receipt = dispute.evidence.contains_key("receipt");
        let submitted = dispute.submissions.last().is_some();
        if dispute.awaits_evidence() && !has_receipt && !submitted {
            let file = files::make_receipt(self);
            self.account.prefill_receipt(id, &file);
        }
    }

    fn pages(&self) -> impl Iterator<Item = (i64, Due)> {
        let open = self.account.list::<Session>().filter(|it| it.status == "open");
        open.map(|it| (it.created + PAGE, Due::Close(it.id.clone())))
    }

    fn authorizations(&self) -> impl Iterator<Item = (i64, Due)> {
        let open = self.account.list::<Charge>().filter(|it| it.is_held());
        open.map(|it| (it.created + AUTHORIZATION, Due::Expire(it.id.clone())))
    }

    /// Chargebacks that nobody answers are answered by Stripe, where that is enabled, or lost; old inquiries are closed,
    /// and those of Klarna become chargebacks.
    fn disputes(&self) -> impl Iterator<Item = (i64, Due)> {
        self.account.list::<Dispute>().filter_map(|it| {
            let after = it.due_by.map(|due_by| due_by + 1);
            let too_late = it.due_by.map(|due_by| due_by + LATE);
            match it.status {
                "needs_response" if it.is_answered_by_stripe() => Some((it.due_by?, Due::Answer(it.id.clone()))),
                "appeal_needs_response" => Some((too_late?, Due::Lose(it.id.clone()))),
                "needs_response" => Some((too_late?, Due::Lose(it.id.clone()))),
                "warning_needs_response" if matches!(self.account.paid_with(&it.charge), Method::Klarna) => {
                    Some((after?, Due::Escalate(it.id.clone())))
                }
                "warning_needs_response" | "warning_under_review" => {
                    Some((it.created + INQUIRY, Due::EndInquiry(it.id.clone())))
                }
                _ => None,
            }
        })
    }
}

//! Attempts to pay: begun, declined, authorized, captured, let go.

use super::super::objects::{Charge, Intent};
use super::super::plan::{Attempt, Captures};
use super::{Subject, World, share};

impl World {
    pub(super) fn begin(&mut self, p: usize, amount: i64, order: Option<u8>) {
        if self.pays[p].begun {
            return;
        }
        let (order, id) = (order.map(|n| self.order_id(n)), self.id("pi"));
        let unit = if self.shape.settlement.is_some() { 100 } else { 1 };
        let pay = &mut self.pays[p];
        (pay.begun, pay.amount, pay.order) = (true, amount.max(10) * unit, order.clone());
        if !pay.direct {
            let (amount, currency) = (pay.amount, pay.currency);
            let status = "requires_payment_method";
            pay.intent = Some(Intent { id, amount, currency, status, received: 0, last_attempt_failed: false, order });
            self.emit(p, "payment_intent.created", Subject::Intent);
        }
    }

    pub(super) fn attempt(&mut self, p: usize, ends: Attempt) {
        self.begin(p, 5_000, Some(0));
        let pay = &self.pays[p];
        let open =
            pay.intent.as_ref().is_none_or(|i| ["requires_payment_method", "requires_action"].contains(&i.status));
        // A charge without an intent is a payment of its own: another attempt is another payment.
        let tried = pay.charges.iter().any(|charge| pay.direct || charge.status != "failed");
        if !open || tried {
            return;
        }
        match ends {
            Attempt::Fails => self.attempt_fails(p),
            Attempt::Succeeds => {
                self.add_charge(p, "succeeded", self.pays[p].amount);
                self.set_intent(p, "succeeded", false);
                self.emit_both(p, "charge.succeeded", "payment_intent.succeeded");
            }
            Attempt::Authorizes => {
                self.add_charge(p, "succeeded", 0);
                self.set_intent(p, "requires_capture", false);
                self.emit_both(p, "charge.succeeded", "payment_intent.amount_capturable_updated");
            }
            // The oldest versions have no word for it.
            Attempt::Waits if self.shape.charge_status => {
                self.add_charge(p, "pending", 0);
                self.set_intent(p, "processing", false);
                self.emit_both(p, "charge.pending", "payment_intent.processing");
            }
            Attempt::AsksTheBuyer if !self.shape.direct => {
                self.next_second();
                self.set_intent(p, "requires_action", false);
                self.emit(p, "payment_intent.requires_action", Subject::Intent);
            }
            Attempt::Waits | Attempt::AsksTheBuyer => {}
        }
    }

    fn attempt_fails(&mut self, p: usize) {
        let intent = self.pays[p].intent.as_ref();
        let made_just_now = intent.is_none_or(|intent| intent.status == "requires_payment_method");
        if !(made_just_now && self.shape.declined_at_once) {
            self.next_second();
        }
        self.add_charge(p, "failed", 0);
        self.set_intent(p, "requires_payment_method", true);
        self.emit_both(p, "charge.failed", "payment_intent.payment_failed");
    }

    fn add_charge(&mut self, p: usize, status: &'static str, captured: i64) {
        let (id, copies, created) = (self.id("ch"), self.shape.copies_metadata, self.clock);
        let pay = &mut self.pays[p];
        let order = match &pay.intent {
            Some(intent) => intent.order.clone().filter(|_| copies),
            None => pay.order.clone(),
        };
        pay.charges.push(Charge {
            id,
            amount: pay.amount,
            currency: pay.currency,
            status,
            created,
            captured_at: created,
            captured,
            slow: status == "pending",
            released: 0,
            settled: captured == pay.amount,
            voided: false,
            void_shown: false,
            counted: Vec::new(),
            order,
        });
    }

    fn set_intent(&mut self, p: usize, status: &'static str, last_attempt_failed: bool) {
        let received = self.pays[p].received();
        if let Some(intent) = &mut self.pays[p].intent {
            (intent.status, intent.last_attempt_failed, intent.received) = (status, last_attempt_failed, received);
        }
    }

    /// An event of the newest charge and one of the intent.
    fn emit_both(&mut self, p: usize, charge: &str, intent: &str) {
        self.emit(p, charge, Subject::Charge(self.pays[p].charges.len() - 1));
        self.emit(p, intent, Subject::Intent);
    }

    pub(super) fn settle(&mut self, p: usize, ok: bool) {
        let Some(charge) = self.pays[p].charges.iter_mut().find(|charge| charge.status == "pending") else { return };
        if ok {
            (charge.status, charge.captured, charge.settled) = ("succeeded", charge.amount, true);
            self.set_intent(p, "succeeded", false);
            self.emit_both(p, "charge.succeeded", "payment_intent.succeeded");
        } else {
            charge.status = "failed";
            self.next_second();
            self.set_intent(p, "requires_payment_method", true);
            self.emit_both(p, "charge.failed", "payment_intent.payment_failed");
        }
    }

    pub(super) fn capture(&mut self, p: usize, percent: u8, old: bool) {
        let Some(n) = self.pays[p].authorization() else { return };
        // Without `amount_captured` a capture of a part would look like one of all and a refund.
        let percent = if self.shape.amount_captured { percent } else { 100 };
        if self.pays[p].charges[n].captured > 0 {
            // More of what was captured in part: the two are equally far along.
            self.next_second();
        }
        let old = self.shape.captures == Captures::Old || self.shape.captures == Captures::Mixed && old;
        let charge = &mut self.pays[p].charges[n];
        charge.captured += share(charge.amount - charge.captured, percent);
        (charge.settled, charge.captured_at) = (true, self.clock);
        let rest = charge.amount - charge.captured;
        charge.released = if old { rest } else { 0 };
        self.set_intent(p, "succeeded", false);
        if old && rest > 0 {
            self.release(p, n, rest, None);
            if self.shape.releases_tell {
                self.emit(p, "charge.refunded", Subject::Charge(n));
            }
        }
        self.emit_both(p, "charge.captured", "payment_intent.succeeded");
    }

    pub(super) fn capture_some(&mut self, p: usize, percent: u8) {
        let Some(n) = self.pays[p].authorization() else { return };
        let charge = &mut self.pays[p].charges[n];
        let part = share(charge.amount - charge.captured, percent);
        if self.shape.direct || !self.shape.amount_captured || part == charge.amount - charge.captured {
            return;
        }
        charge.captured += part;
        // An intent with a part of it captured is as far along as one with none.
        self.next_second();
        self.set_intent(p, "requires_capture", false);
        self.emit_both(p, "charge.captured", "payment_intent.amount_capturable_updated");
    }

    pub(super) fn charge_again(&mut self, p: usize, percent: u8) {
        let pay = &self.pays[p];
        let captured = pay.charges.iter().filter(|charge| charge.captured > 0).count();
        if self.shape.direct || !pay.is_complete() || captured != 1 || !self.shape.charges_again {
            return;
        }
        let amount = share(pay.amount, percent);
        self.next_second();
        self.add_charge(p, "succeeded", amount);
        if let Some(charge) = self.pays[p].charges.last_mut() {
            (charge.amount, charge.settled) = (amount, true);
        }
        self.set_intent(p, "succeeded", false);
        self.emit_both(p, "charge.succeeded", "payment_intent.succeeded");
    }

    pub(super) fn void(&mut self, p: usize, expired: bool) {
        let open = ["requires_payment_method", "requires_action", "requires_capture"];
        let pay = &self.pays[p];
        if !pay.begun || pay.received() > 0 || pay.intent.as_ref().is_some_and(|i| !open.contains(&i.status)) {
            return;
        }
        let held = pay.charges.iter().position(Charge::is_authorization);
        if let Some(n) = held {
            self.void_charge(p, n, expired);
        }
        self.set_intent(p, "canceled", false);
        self.emit(p, "payment_intent.canceled", Subject::Intent);
    }

    fn void_charge(&mut self, p: usize, n: usize, expired: bool) {
        let untold = !expired && !self.shape.sees_cancels;
        let shown = self.shape.void_shows_on_charge || untold;
        let charge = &mut self.pays[p].charges[n];
        (charge.voided, charge.void_shown) = (true, shown);
        if shown && self.shape.void_makes_refund && self.shape.refund_events {
            let amount = charge.amount;
            self.release(p, n, amount, expired.then_some("expired_uncaptured_charge"));
        }
        if expired {
            self.emit(p, "charge.expired", Subject::Charge(n));
        } else if shown {
            self.emit(p, "charge.refunded", Subject::Charge(n));
        }
    }
}

//! Stripe, simulated: what each step does to the objects, and the events it makes.
//!
//! This file holds the clock, the ids and the attempts to pay; refunds, disputes and what surrounds a
//! payment have files of their own. A step that is impossible does nothing.
//!
//! Time is what Stripe's `created` shows. Two differing snapshots of one object share a second only where
//! real ones do and what came last can be told from them: a step back (a refund that fails lowers a
//! total, an attempt fails, a reference changes) comes a second later at least.

mod around;
mod disputes;
mod refunds;

pub use around::WARNINGS;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::objects::{Charge, Dispute, Intent, Refund, Review, Session, Warning};
use super::plan::{Attempt, Gap, Shape, Step};
use super::render::{Renderer, Shown};
use super::{Event, Moment};

/// One payment, and all that hangs on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pay {
    pub direct: bool,
    pub begun: bool,
    pub amount: i64,
    pub currency: &'static str,
    pub order: Option<String>,
    pub intent: Option<Intent>,
    pub charges: Vec<Charge>,
    pub refunds: Vec<Refund>,
    pub disputes: Vec<Dispute>,
    pub sessions: Vec<Session>,
    pub warnings: Vec<Warning>,
    pub reviews: Vec<Review>,
    /// Children that an event was about.
    told: BTreeSet<String>,
}

impl Pay {
    pub(super) fn intent_id(&self) -> Option<&str> {
        self.intent.as_ref().map(|intent| intent.id.as_str())
    }

    /// All that will be captured is.
    fn is_complete(&self) -> bool {
        self.intent.as_ref().is_none_or(|intent| intent.status == "succeeded")
    }

    fn received(&self) -> i64 {
        self.charges.iter().map(|charge| charge.captured).sum()
    }

    fn authorization(&self) -> Option<usize> {
        let capturable = self.intent.as_ref().is_none_or(|intent| intent.status == "requires_capture");
        self.charges
            .iter()
            .position(|charge| charge.is_authorization() || capturable && charge.captured > 0 && self.intent.is_some())
    }
}

/// What an event is about, by its place among the payment's objects.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Intent,
    Charge(usize),
    Refund(usize),
    Dispute(usize),
    Session(usize),
    Warning(usize),
    Review(usize),
}

/// All payments of one life.
pub(super) struct World {
    shape: Shape,
    seed: u64,
    clock: i64,
    made: usize,
    pays: Vec<Pay>,
    pub moments: Vec<Moment>,
}

impl World {
    pub(super) fn new(shape: Shape, seed: u64) -> Self {
        let pay = |n| Pay {
            direct: shape.direct,
            currency: if n == 1 && shape.two_currencies { "gbp" } else { shape.currency },
            ..Pay::default()
        };
        let pays = (0..shape.payments).map(pay).collect();
        Self { shape, seed, clock: 1_700_000_000, made: 0, pays, moments: Vec::new() }
    }

    pub(super) fn wait(&mut self, gap: Gap) {
        self.clock += match gap {
            Gap::None => 0,
            Gap::Second => 1,
            Gap::Minutes(n) => i64::from(n) * 60,
            Gap::Days(n) => i64::from(n) * 86_400,
            Gap::Weeks(n) => i64::from(n) * 604_800,
        };
    }

    /// What cannot be told from what came before in the same second happens in the next.
    fn next_second(&mut self) {
        self.clock += 1;
    }

    pub(super) fn step(&mut self, p: usize, step: &Step) {
        match *step {
            Step::Begin { amount, order } => self.begin(p, i64::from(amount), order),
            Step::Attempt { ends } => self.attempt(p, ends),
            Step::Settle { ok } => self.settle(p, ok),
            Step::Capture { percent } => self.capture(p, percent),
            Step::CaptureSome { percent } => self.capture_some(p, percent),
            Step::ChargeAgain { percent } => self.charge_again(p, percent),
            Step::Void { expired } => self.void(p, expired),
            Step::Refund { percent, starts } => self.refund(p, percent, starts),
            Step::RefundMoves { which, to } => self.refund_moves(p, which, to),
            Step::RefundTouched { which } => self.refund_touched(p, which),
            Step::StrayRefund { amount } => self.stray_refund(p, amount),
            Step::Dispute { percent, opens, due, foreign, funds } => {
                self.dispute(p, percent, opens, due, foreign, funds);
            }
            Step::Withdraw { which } => self.withdraw_later(p, which),
            Step::Stage { which } => self.stage(p, which),
            Step::Submit { which } => self.submit(p, which),
            Step::Escalate { which, funds } => self.escalate(p, which, funds),
            Step::Close { which, ends } => self.close(p, which, ends),
            Step::LateWin { which } => self.late_win(p, which),
            Step::Reopen { which } => self.reopen(p, which),
            Step::SetOrder { on, order } => self.set_order(p, on, order),
            Step::SessionExpires { order } => self.session_expires(p, order),
            Step::Session { order, client, payment_link } => self.session(p, order, client, payment_link),
            Step::SessionAgain { ok } => self.session_again(p, ok),
            Step::ChargeTouched => self.charge_touched(p),
            Step::Warn => self.warn(p),
            Step::WarningEnds { which } => self.warning_ends(p, which),
            Step::ReviewOpens => self.review_opens(p),
            Step::ReviewCloses { which, approved } => self.review_closes(p, which, approved),
        }
    }

    /// A number that looks random: ids say nothing of the order in which they were made.
    fn number(&mut self) -> u64 {
        self.made += 1;
        let mut x = self.seed.wrapping_add((self.made as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^ (x >> 27)
    }

    fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}_{:04x}{:02}", self.number() & 0xffff, self.made)
    }

    fn emit(&mut self, p: usize, kind: &str, subject: Subject) {
        let id = self.id("evt");
        let first = !self.told(p, subject);
        let faded = self.shape.links_fade && !first && self.made.is_multiple_of(2);
        let pay = &self.pays[p];
        let renderer = Renderer { shape: &self.shape, pay, payment: p, faded };
        let (object, shows): Shown = match subject {
            Subject::Intent => match &pay.intent {
                Some(intent) => renderer.intent(intent),
                None => return,
            },
            Subject::Charge(n) => renderer.charge(&pay.charges[n]),
            Subject::Refund(n) => renderer.refund(&pay.refunds[n]),
            Subject::Dispute(n) => renderer.dispute(&pay.disputes[n]),
            Subject::Session(n) => renderer.session(&pay.sessions[n]),
            Subject::Warning(n) => renderer.warning(&pay.warnings[n]),
            Subject::Review(n) => renderer.review(&pay.reviews[n]),
        };
        let body = self.envelope(&id, kind, &object);
        self.moments.push(Moment { event: Event { id, kind: kind.to_owned(), created: self.clock, body }, shows });
    }

    /// Whether an event told of this child before; from now on one did.
    fn told(&mut self, p: usize, subject: Subject) -> bool {
        let pay = &mut self.pays[p];
        let id = match subject {
            Subject::Refund(n) => &pay.refunds[n].id,
            Subject::Dispute(n) => &pay.disputes[n].id,
            Subject::Warning(n) => &pay.warnings[n].id,
            Subject::Review(n) => &pay.reviews[n].id,
            Subject::Intent | Subject::Charge(_) | Subject::Session(_) => return false,
        };
        !pay.told.insert(id.clone())
    }

    fn envelope(&self, id: &str, kind: &str, object: &Value) -> String {
        let mut event = json!({
            "id": id, "object": "event", "type": kind, "created": self.clock, "livemode": self.shape.livemode,
            "api_version": "2025-04-30.basil", "pending_webhooks": 1, "data": {"object": object},
        });
        if let Some(account) = self.shape.account {
            event["account"] = json!(account);
        }
        event.to_string()
    }

    fn begin(&mut self, p: usize, amount: i64, order: Option<u8>) {
        if self.pays[p].begun {
            return;
        }
        let (order, id) = (order.map(order_id), self.id("pi"));
        let pay = &mut self.pays[p];
        (pay.begun, pay.amount, pay.order) = (true, amount.max(10), order.clone());
        if !pay.direct {
            let (amount, currency) = (pay.amount, pay.currency);
            let status = "requires_payment_method";
            pay.intent = Some(Intent { id, amount, currency, status, received: 0, last_attempt_failed: false, order });
            self.emit(p, "payment_intent.created", Subject::Intent);
        }
    }

    fn attempt(&mut self, p: usize, ends: Attempt) {
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
            Attempt::Fails => {
                let made_just_now = pay.intent.as_ref().is_none_or(|i| i.status == "requires_payment_method");
                if !(made_just_now && self.shape.declined_at_once) {
                    self.next_second();
                }
                self.add_charge(p, "failed", 0);
                self.set_intent(p, "requires_payment_method", true);
                self.emit_both(p, "charge.failed", "payment_intent.payment_failed");
            }
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
            captured,
            slow: status == "pending",
            released: 0,
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

    fn settle(&mut self, p: usize, ok: bool) {
        let Some(charge) = self.pays[p].charges.iter_mut().find(|charge| charge.status == "pending") else { return };
        if ok {
            (charge.status, charge.captured) = ("succeeded", charge.amount);
            self.set_intent(p, "succeeded", false);
            self.emit_both(p, "charge.succeeded", "payment_intent.succeeded");
        } else {
            charge.status = "failed";
            self.next_second();
            self.set_intent(p, "requires_payment_method", true);
            self.emit_both(p, "charge.failed", "payment_intent.payment_failed");
        }
    }

    fn capture(&mut self, p: usize, percent: u8) {
        let Some(n) = self.pays[p].authorization() else { return };
        // Without `amount_captured` a capture of a part would look like one of all and a refund.
        let percent = if self.shape.amount_captured { percent } else { 100 };
        if self.pays[p].charges[n].captured > 0 {
            // More of what was captured in part: the two are equally far along.
            self.next_second();
        }
        let charge = &mut self.pays[p].charges[n];
        charge.captured += share(charge.amount - charge.captured, percent);
        charge.released = charge.amount - charge.captured;
        self.set_intent(p, "succeeded", false);
        self.emit_both(p, "charge.captured", "payment_intent.succeeded");
    }

    fn capture_some(&mut self, p: usize, percent: u8) {
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

    fn charge_again(&mut self, p: usize, percent: u8) {
        let pay = &self.pays[p];
        let captured = pay.charges.iter().filter(|charge| charge.captured > 0).count();
        // A refund that names the intent alone could be of either charge.
        let ambiguous = self.shape.refund_links == super::plan::Links::Intent;
        if self.shape.direct || !pay.is_complete() || captured != 1 || ambiguous {
            return;
        }
        let amount = share(pay.amount, percent);
        self.next_second();
        self.add_charge(p, "succeeded", amount);
        if let Some(charge) = self.pays[p].charges.last_mut() {
            charge.amount = amount;
        }
        self.set_intent(p, "succeeded", false);
        self.emit_both(p, "charge.succeeded", "payment_intent.succeeded");
    }

    fn void(&mut self, p: usize, expired: bool) {
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
        let shown = self.shape.void_shows_on_charge;
        let charge = &mut self.pays[p].charges[n];
        (charge.voided, charge.void_shown) = (true, shown);
        if shown {
            if self.shape.void_makes_refund && self.shape.refund_events {
                self.refund_of_void(p, n);
            }
            self.emit(p, if expired { "charge.expired" } else { "charge.refunded" }, Subject::Charge(n));
        }
    }
}

/// So many percent, at least one and at most all when that is what percent says.
fn share(amount: i64, percent: u8) -> i64 {
    (amount * i64::from(percent) / 100).max(1)
}

/// The merchant's reference of the n-th order.
fn order_id(n: u8) -> String {
    format!("order-{n}")
}

/// The n-th of those that fit, counted round and round.
fn nth<T>(items: &[T], which: u8, fits: impl Fn(&T) -> bool) -> Option<usize> {
    let fitting: Vec<usize> = (0..items.len()).filter(|n| fits(&items[*n])).collect();
    fitting.get(usize::from(which) % fitting.len().max(1)).copied()
}

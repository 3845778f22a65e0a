//! Stripe, simulated: what each step does to the objects, and the events it makes.
//!
//! This file holds the clock, the ids and the events; attempts to pay, refunds, disputes and what surrounds
//! a payment have files of their own. A step that is impossible does nothing.
//!
//! Time is what Stripe's `created` shows. Two differing snapshots of one object share a second only where
//! real ones do and what came last can be told from them: a step back (a refund that fails lowers a
//! total, an attempt fails, a reference changes) comes a second later at least.

mod around;
mod attempts;
mod disputes;
mod refunds;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::objects::{Charge, Dispute, Intent, Refund, Review, Session, Warning};
use super::plan::{Gap, Shape, Step};
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
            Step::Capture { percent, old } => self.capture(p, percent, old),
            Step::CaptureSome { percent } => self.capture_some(p, percent),
            Step::ChargeAgain { percent } => self.charge_again(p, percent),
            Step::Void { expired } => self.void(p, expired),
            Step::Refund { percent, starts, foreign } => self.refund(p, percent, starts, foreign),
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
            Step::Appeal { which } => self.appeal(p, which),
            Step::SetOrder { on, order } => self.set_order(p, on, order),
            Step::Link { order, by_charge } => self.link(p, order, by_charge),
            Step::SessionExpires { order } => self.session_expires(p, order),
            Step::Session { order, client, payment_link } => self.session(p, order, client, payment_link),
            Step::SessionAgain { ok } => self.session_again(p, ok),
            Step::ChargeTouched => self.charge_touched(p),
            Step::Warn => self.warn(p),
            Step::WarningEnds { which } => self.warning_ends(p, which),
            Step::ReviewOpens => self.review_opens(p),
            Step::ReviewCloses { which, word } => self.review_closes(p, which, word),
        }
    }

    /// A number that looks random: ids say nothing of the order in which they were made.
    fn number(&mut self) -> u64 {
        self.made += 1;
        let mut x = self.seed.wrapping_add((self.made as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^ (x >> 27)
    }

    /// Lives of different seeds share no ids and no orders, so that they can be told apart in one database.
    fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}_{:04x}{:02}_{}", self.number() & 0xffff, self.made, tag(self.seed))
    }

    /// The merchant's reference of the n-th order.
    fn order_id(&self, n: u8) -> String {
        format!("order-{n}-{}", tag(self.seed))
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
        self.tell(p, id, kind, (object, shows));
    }

    /// Writes an event down.
    fn tell(&mut self, p: usize, id: String, kind: &str, (object, shows): Shown) {
        let body = self.envelope(p, &id, kind, &object);
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

    fn envelope(&self, p: usize, id: &str, kind: &str, object: &Value) -> String {
        let (account, livemode) = self.shape.scope(p);
        let mut event = json!({
            "id": id, "object": "event", "type": kind, "created": self.clock, "livemode": livemode,
            "api_version": self.shape.api_version, "pending_webhooks": 1, "data": {"object": object},
        });
        if let Some(account) = account {
            event["account"] = json!(account);
        }
        event.to_string()
    }
}

/// So many percent, at least one and at most all when that is what percent says.
fn share(amount: i64, percent: u8) -> i64 {
    let part = amount * i64::from(percent) / 100;
    // Of whole hundreds whole hundreds: see `disputes.rs`.
    if amount % 100 == 0 && amount >= 100 { (part / 100).max(1) * 100 } else { part.max(1) }
}

/// How the ids and orders of a life end.
pub fn tag(seed: u64) -> String {
    format!("{seed:016x}")
}

/// The n-th of those that fit, counted round and round.
fn nth<T>(items: &[T], which: u8, fits: impl Fn(&T) -> bool) -> Option<usize> {
    let fitting: Vec<usize> = (0..items.len()).filter(|n| fits(&items[*n])).collect();
    fitting.get(usize::from(which) % fitting.len().max(1)).copied()
}

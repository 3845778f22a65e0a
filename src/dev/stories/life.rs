//! `Life`: one Stripe account's objects as they change, and the events that Stripe makes of the
//! changes. The verbs are in `payments`, `refunds` and `disputes`; here are time, causes and the
//! one way in which a change becomes events.

use serde_json::Value;

use super::StoryEvent;
use super::cast::Cast;
use super::ids::Ids;
use super::objects::{Charge, Dispute, Intent, Refund, Scene, Session};
use super::people::{BUYERS, Card, Method, VISA};
use super::render::{self, Envelope};

/// A moment's objects and the events so far.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) scene: Scene,
    pub(super) ids: Ids,
    /// Unix seconds.
    pub(super) now: i64,
    pub(super) session: Option<Session>,
    pub(super) intent: Intent,
    /// Whether the intent exists at Stripe yet.
    pub(super) begun: bool,
    pub(super) charges: Vec<Charge>,
    pub(super) refunds: Vec<Refund>,
    pub(super) disputes: Vec<Dispute>,
    events: Vec<StoryEvent>,
}

/// A charge that exists: only the verb that makes one hands it out.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChargeNo(pub(super) usize);

/// A refund that exists.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefundNo(pub(super) usize);

/// A dispute that exists.
#[derive(Debug, Clone, Copy)]
pub(super) struct DisputeNo(pub(super) usize);

/// What made Stripe act.
#[derive(Debug)]
pub(super) enum Cause {
    /// A request of the merchant or of the buyer's browser.
    Request { id: String, idempotency_key: String },
    /// Nobody: the bank, the network or the calendar.
    Stripe,
}

pub(super) const fn minutes(count: i64) -> i64 {
    count * 60
}

pub(super) const fn hours(count: i64) -> i64 {
    count * 3_600
}

pub(super) const fn days(count: i64) -> i64 {
    count * 86_400
}

impl Life {
    pub(super) fn new(cast: &Cast, story: &str) -> Self {
        let mut ids = Ids::new(cast, story);
        let scene = Scene {
            cast: cast.clone(),
            buyer: &BUYERS[ids.below(BUYERS.len())],
            method: Method::Card(VISA),
            customer_id: ids.mint("cus_"),
            payment_method_id: ids.mint("pm_1"),
        };
        Self {
            now: cast.start,
            session: None,
            intent: Intent::new(&mut ids),
            begun: false,
            charges: Vec::new(),
            refunds: Vec::new(),
            disputes: Vec::new(),
            events: Vec::new(),
            scene,
            ids,
        }
    }

    pub(super) fn into_events(self) -> Vec<StoryEvent> {
        self.events
    }

    /// Lets that many seconds pass.
    pub(super) fn later(&mut self, seconds: i64) {
        self.now += seconds;
    }

    /// The whole amount, in minor currency units.
    pub(super) fn amount(&self) -> i64 {
        self.scene.cast.amount.minor()
    }

    /// That percentage of the amount, rounded down.
    pub(super) fn share(&self, percent: i64) -> i64 {
        self.amount() * percent / 100
    }

    /// The card that the buyer will pay with.
    pub(super) fn pays_with(&mut self, card: Card) {
        self.scene.method = Method::Card(card);
    }

    pub(super) fn request(&mut self) -> Cause {
        Cause::Request { id: self.ids.mint("req_"), idempotency_key: self.ids.key() }
    }

    pub(super) fn change_session(&mut self, cause: &Cause, kind: &'static str, change: impl FnOnce(&mut Session)) {
        if let Some(session) = &mut self.session {
            change(session);
            let after = render::session(&self.scene, session, &self.intent);
            self.emit(cause, kind, &after);
        }
    }

    pub(super) fn change_intent(&mut self, cause: &Cause, kind: &'static str, change: impl FnOnce(&mut Intent)) {
        change(&mut self.intent);
        let after = render::intent(&self.scene, &self.intent);
        self.emit(cause, kind, &after);
    }

    pub(super) fn change_charge(
        &mut self,
        charge: ChargeNo,
        cause: &Cause,
        kind: &'static str,
        change: impl FnOnce(&mut Charge),
    ) {
        let before = self.show_charge(charge);
        change(&mut self.charges[charge.0]);
        let after = self.show_charge(charge);
        self.emit_change(cause, kind, Some(&before), &after);
    }

    /// One change of a refund, of which Stripe tells in several events.
    pub(super) fn change_refund(
        &mut self,
        refund: RefundNo,
        cause: &Cause,
        kinds: &[&'static str],
        change: impl FnOnce(&mut Refund),
    ) {
        let before = self.show_refund(refund);
        change(&mut self.refunds[refund.0]);
        let after = self.show_refund(refund);
        for kind in kinds {
            self.emit_change(cause, kind, Some(&before), &after);
        }
    }

    pub(super) fn change_dispute(
        &mut self,
        dispute: DisputeNo,
        cause: &Cause,
        kind: &'static str,
        change: impl FnOnce(&mut Dispute),
    ) {
        let before = self.show_dispute(dispute);
        change(&mut self.disputes[dispute.0]);
        let after = self.show_dispute(dispute);
        self.emit_change(cause, kind, Some(&before), &after);
    }

    pub(super) fn show_charge(&self, charge: ChargeNo) -> Value {
        render::charge(&self.scene, &self.charges[charge.0], &self.intent)
    }

    pub(super) fn show_refund(&self, refund: RefundNo) -> Value {
        render::refund(&self.scene, &self.refunds[refund.0], &self.intent)
    }

    pub(super) fn show_dispute(&self, dispute: DisputeNo) -> Value {
        render::dispute(&self.scene, &self.disputes[dispute.0], &self.intent)
    }

    /// Makes the event of an object that is new, or of which Stripe shows no former values.
    pub(super) fn emit(&mut self, cause: &Cause, kind: &'static str, object: &Value) {
        self.emit_change(cause, kind, None, object);
    }

    /// Makes the event. `before` is the object as it was.
    fn emit_change(&mut self, cause: &Cause, kind: &'static str, before: Option<&Value>, object: &Value) {
        let id = self.ids.mint("evt_3");
        let envelope = Envelope { id: &id, kind, created: self.now, cause };
        // Stripe sends its bodies indented.
        let body = format!("{:#}", render::event(&self.scene, &envelope, before, object));
        self.events.push(StoryEvent { id, r#type: kind.to_owned(), created: self.now, body });
    }
}

//! What surrounds a payment: order references, checkout sessions, fraud warnings, reviews.

use super::super::objects::{Link, Review, Session, Warning};
use super::super::plan::Bearer;
use super::super::render::Renderer;
use super::super::view::OWN;
use super::{Subject, World, nth};

impl World {
    /// Only an edit of a charge makes an event; of the others it shows in the next one they have.
    pub(super) fn set_order(&mut self, p: usize, on: Bearer, order: Option<u8>) {
        // Two references in one second: which is the later?
        self.next_second();
        let order = order.map(|n| self.order_id(n));
        let pay = &mut self.pays[p];
        match on {
            Bearer::Intent => pay.intent.iter_mut().for_each(|intent| intent.order.clone_from(&order)),
            Bearer::Session => pay.sessions.iter_mut().for_each(|session| session.order.clone_from(&order)),
            Bearer::Charge => {
                if let Some(n) = pay.charges.len().checked_sub(1) {
                    pay.charges[n].order = order;
                    self.emit(p, "charge.updated", Subject::Charge(n));
                }
            }
        }
    }

    pub(super) fn link(&mut self, p: usize, order: u8, by_charge: bool) {
        let pay = &self.pays[p];
        let charge = pay.charges.first().map(|charge| charge.id.clone());
        let named = pay.intent_id().map(str::to_owned).filter(|_| !by_charge || charge.is_none());
        let Some(said_of) = named.or(charge) else { return };
        let (id, link) = (self.id("evt"), Link { id: said_of, order: self.order_id(order) });
        let shown =
            Renderer { shape: &self.shape, pay: &self.pays[p], payment: p, faded: false }.order_link(&link, self.made);
        self.tell(p, id, OWN, shown);
    }

    pub(super) fn session_expires(&mut self, p: usize, order: Option<u8>) {
        let n = self.add_session(p, None, order, None, false);
        self.emit(p, "checkout.session.expired", Subject::Session(n));
    }

    pub(super) fn session(&mut self, p: usize, order: Option<u8>, client: Option<u8>, payment_link: bool) {
        let pay = &self.pays[p];
        if pay.intent.is_none() || pay.sessions.iter().any(|session| session.intent.is_some()) {
            return;
        }
        let intent = pay.intent_id().map(str::to_owned);
        let n = self.add_session(p, intent, order, client, payment_link);
        self.emit(p, "checkout.session.completed", Subject::Session(n));
    }

    fn add_session(
        &mut self,
        p: usize,
        intent: Option<String>,
        order: Option<u8>,
        client: Option<u8>,
        payment_link: bool,
    ) -> usize {
        let id = self.id("cs");
        let [order, client] = [order, client].map(|reference| reference.map(|n| self.order_id(n)));
        let pay = &mut self.pays[p];
        let (currency, paid) = (pay.currency, pay.received() > 0);
        pay.sessions.push(Session { id, intent, currency, paid, order, client, payment_link });
        pay.sessions.len() - 1
    }

    pub(super) fn session_again(&mut self, p: usize, ok: bool) {
        let Some(n) = nth(&self.pays[p].sessions, 0, |session| session.intent.is_some()) else { return };
        self.pays[p].sessions[n].paid = ok;
        let kind = if ok { "async_payment_succeeded" } else { "async_payment_failed" };
        self.emit(p, &format!("checkout.session.{kind}"), Subject::Session(n));
    }

    pub(super) fn charge_touched(&mut self, p: usize) {
        if let Some(n) = self.pays[p].charges.len().checked_sub(1) {
            self.emit(p, "charge.updated", Subject::Charge(n));
        }
    }

    pub(super) fn warn(&mut self, p: usize) {
        let Some(n) = self.pays[p].charges.iter().position(|charge| charge.captured > 0) else { return };
        let (id, created) = (self.id("issfr"), self.clock);
        let charge = self.pays[p].charges[n].id.clone();
        let actionable = self.is_actionable(p, &charge);
        self.pays[p].warnings.push(Warning { id, charge, actionable, created });
        self.emit(p, "radar.early_fraud_warning.created", Subject::Warning(self.pays[p].warnings.len() - 1));
    }

    /// Neither disputed nor fully refunded.
    fn is_actionable(&self, p: usize, id: &str) -> bool {
        let pay = &self.pays[p];
        let refunded = pay.charges.iter().any(|charge| charge.id == id && charge.shown() == charge.amount);
        !refunded && !pay.disputes.iter().any(|dispute| dispute.charge == id && !dispute.is_inquiry())
    }

    pub(super) fn warning_ends(&mut self, p: usize, which: u8) {
        if let Some(n) = nth(&self.pays[p].warnings, which, |warning| warning.actionable) {
            self.pays[p].warnings[n].actionable = false;
            self.emit(p, "radar.early_fraud_warning.updated", Subject::Warning(n));
        }
    }

    /// A warning about what was refunded or disputed asks for nothing any more.
    pub(super) fn calm_warnings(&mut self, p: usize) {
        for n in 0..self.pays[p].warnings.len() {
            let warning = &self.pays[p].warnings[n];
            if warning.actionable && !self.is_actionable(p, &warning.charge) {
                self.pays[p].warnings[n].actionable = false;
                self.emit(p, "radar.early_fraud_warning.updated", Subject::Warning(n));
            }
        }
    }

    pub(super) fn review_opens(&mut self, p: usize) {
        let open = |charge: &super::Charge| charge.status == "succeeded" && !charge.voided;
        let Some(n) = self.pays[p].charges.iter().position(open) else { return };
        let (id, created) = (self.id("prv"), self.clock);
        let charge = self.pays[p].charges[n].id.clone();
        self.pays[p].reviews.push(Review { id, charge, open: true, reason: "rule", created });
        self.emit(p, "review.opened", Subject::Review(self.pays[p].reviews.len() - 1));
    }

    pub(super) fn review_closes(&mut self, p: usize, which: u8, word: &'static str) {
        if let Some(n) = nth(&self.pays[p].reviews, which, |review| review.open) {
            let review = &mut self.pays[p].reviews[n];
            (review.open, review.reason) = (false, word);
            self.emit(p, "review.closed", Subject::Review(n));
        }
    }
}

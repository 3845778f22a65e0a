//! The verbs of payments: checkout sessions, intents and their charges, up to the capture or the end of the
//! authorization. Refunds are in `refunds`.

use super::id::Id;
use super::objects::{Cancellation, Capture, Charge, Decline, Intent, Metadata, Purchase, Refund, Session};
use super::{Account, Cause, Method};

pub(in crate::dev) const DECLINED: Decline = Decline {
    code: "card_declined",
    decline_code: Some("insufficient_funds"),
    message: "Your card has insufficient funds.",
};

const DEBIT_RETURNED: Decline = Decline {
    code: "insufficient_funds",
    decline_code: None,
    message: "The buyer's account does not cover the debit.",
};

impl Account {
    /// The merchant opens a checkout page. Stripe sends no event for that.
    pub fn create_session(&mut self, purchase: Purchase) -> Id<Session> {
        let mode = if self.livemode { "live" } else { "test" };
        let id = self.mint(&format!("cs_{mode}_a1"));
        let (status, payment_status) = ("open", "unpaid");
        self.insert(Session { id, created: self.now, purchase, payment_intent: None, status, payment_status })
    }

    /// Nobody paid on a checkout page in time, or the merchant closed it.
    pub fn expire_session(&mut self, by: &Cause, session: &Id<Session>) {
        self.change(session, by, &["checkout.session.expired"], |session| session.status = "expired");
    }

    /// The buyer pays on a checkout page for the first time: Stripe makes the intent for it.
    pub fn start_payment(&mut self, by: &Cause, session: &Id<Session>) -> Id<Intent> {
        let intent = self.create_intent(by, self.get(session).purchase.clone(), Capture::Automatic);
        self.get_mut(session).payment_intent = Some(intent.clone());
        intent
    }

    /// A new intent, to be confirmed.
    pub fn create_intent(&mut self, by: &Cause, purchase: Purchase, capture: Capture) -> Id<Intent> {
        let id = self.mint("pi_3");
        let secret = self.ids.mint(&format!("{id}_secret_"));
        let intent = self.insert(Intent {
            secret,
            id,
            created: self.now,
            purchase,
            status: "requires_payment_method",
            capture,
            amount_received: 0,
            amount_capturable: 0,
            latest_charge: None,
            last_payment_error: None,
            cancellation: None,
        });
        self.emit(&intent, by, "payment_intent.created");
        intent
    }

    /// The buyer chooses what to pay an intent with. Stripe sends no event for that.
    pub fn choose_method(&mut self, intent: &Id<Intent>, method: Method) {
        let method = self.create_payment_method(method);
        self.get_mut(intent).purchase.payment_method = method;
    }

    /// The merchant replaces an intent's metadata. Stripe sends no event for that.
    pub fn update_intent(&mut self, intent: &Id<Intent>, metadata: Metadata) {
        self.get_mut(intent).purchase.metadata = metadata;
    }

    /// The merchant replaces a charge's metadata.
    pub fn update_charge(&mut self, by: &Cause, charge: &Id<Charge>, metadata: Metadata) {
        self.change(charge, by, &["charge.updated"], |charge| charge.purchase.metadata = metadata);
    }

    /// The buyer confirms the payment, and the card pays at once.
    pub fn confirm(&mut self, by: &Cause, intent: &Id<Intent>) -> Id<Charge> {
        let amount = self.get(intent).purchase.amount;
        let charge = self.add_charge(intent, "succeeded", amount);
        self.emit(&charge, by, "charge.succeeded");
        self.change(intent, by, &["payment_intent.succeeded"], |intent| intent.receive(amount));
        self.complete_session(by, intent, "paid");
        charge
    }

    /// The buyer confirms the payment, and the attempt fails. The intent waits for another.
    pub fn decline(&mut self, by: &Cause, intent: &Id<Intent>, decline: Decline) {
        let charge = self.add_charge(intent, "failed", 0);
        self.get_mut(&charge).decline = Some(decline);
        self.emit(&charge, by, "charge.failed");
        self.change(intent, by, &["payment_intent.payment_failed"], |intent| intent.fail(decline));
    }

    /// The buyer confirms the payment, and the card is authorized, to be captured later.
    pub fn authorize(&mut self, by: &Cause, intent: &Id<Intent>) -> Id<Charge> {
        let charge = self.add_charge(intent, "succeeded", 0);
        self.emit(&charge, by, "charge.succeeded");
        self.change(intent, by, &["payment_intent.amount_capturable_updated"], |intent| {
            intent.status = "requires_capture";
            intent.amount_capturable = intent.purchase.amount;
        });
        charge
    }

    /// The merchant captures so much of an authorization, and releases the rest.
    pub fn capture(&mut self, by: &Cause, charge: &Id<Charge>, amount: i64) {
        let (entry, now) = (self.ids.mint("txn_3"), self.now);
        self.share_out(charge, amount);
        self.change(charge, by, &["charge.captured"], |charge| {
            charge.captured = true;
            charge.captured_at = Some(now);
            charge.amount_captured = amount;
            charge.balance_transaction = Some(entry);
        });
        if let Some(intent) = self.intent_of(charge) {
            self.change(&intent, by, &["payment_intent.succeeded"], |intent| intent.receive(amount));
        }
    }

    /// The same by a request of a version before 2025-03-31.basil: Stripe makes a refund of the rest, and counts it. The
    /// whole amount enters the balance, and the rest leaves it.
    pub fn capture_before_2025(&mut self, by: &Cause, charge: &Id<Charge>, amount: i64) {
        self.release(by, charge, self.get(charge).purchase.amount - amount, None);
        self.capture(by, charge, amount);
        self.emit(charge, by, "charge.refunded");
        for refund in self.refunds.values_mut().filter(|refund| refund.charge == *charge) {
            refund.balance_transaction = refund.id.as_str().rsplit('_').next().map(|id| format!("txn_{id}"));
        }
    }

    /// The merchant cancels an intent. Nothing on its charge shows it.
    pub fn cancel(&mut self, by: &Cause, intent: &Id<Intent>) {
        self.cancel_for(by, intent, "requested_by_customer");
    }

    /// The same by a request of a version before 2025-03-31.basil, or of a charge without intent: Stripe makes a refund of
    /// what it never took.
    pub fn cancel_before_2025(&mut self, by: &Cause, charge: &Id<Charge>) {
        self.release(by, charge, self.get(charge).purchase.amount, None);
        self.emit(charge, by, "charge.refunded");
        self.get_mut(charge).is_void = true;
        self.intent_of(charge).iter().for_each(|intent| self.cancel(by, intent));
    }

    /// Nobody captured an authorization in time. Only the event's type says so of the charge.
    pub fn expire(&mut self, charge: &Id<Charge>) {
        self.emit(charge, &Cause::Stripe, "charge.expired");
        self.end_hold(charge, "expired");
    }

    /// The same before 2025-03-31.basil: Stripe makes a refund of what it never took.
    pub fn expire_before_2025(&mut self, charge: &Id<Charge>) {
        let amount = self.get(charge).purchase.amount;
        self.release(&Cause::Stripe, charge, amount, Some("expired_uncaptured_charge"));
        self.emit(charge, &Cause::Stripe, "charge.expired");
        self.end_hold(charge, "automatic");
    }

    fn end_hold(&mut self, charge: &Id<Charge>, reason: &'static str) {
        self.get_mut(charge).is_void = true;
        self.intent_of(charge).iter().for_each(|intent| self.cancel_for(&Cause::Stripe, intent, reason));
    }

    /// The merchant charges a card without an intent, as in the days before there were any.
    pub fn charge(&mut self, by: &Cause, purchase: Purchase, capture: Capture) -> Id<Charge> {
        let amount = match capture {
            Capture::Automatic => purchase.amount,
            Capture::Manual => 0,
        };
        let charge = self.new_charge(purchase, None, "succeeded", amount);
        self.emit(&charge, by, "charge.succeeded");
        charge
    }

    /// The buyer confirms the payment by bank debit, which takes days to be known.
    pub fn confirm_debit(&mut self, by: &Cause, intent: &Id<Intent>) -> Id<Charge> {
        // Stripe counts the debit as captured from the start; the status says that it is not in.
        let charge = self.add_charge(intent, "pending", self.get(intent).purchase.amount);
        self.emit(&charge, by, "charge.pending");
        self.change(intent, by, &["payment_intent.processing"], |intent| intent.status = "processing");
        self.complete_session(by, intent, "unpaid");
        charge
    }

    /// A bank debit arrives.
    pub fn settle_debit(&mut self, charge: &Id<Charge>) {
        self.change(charge, &Cause::Stripe, &["charge.succeeded"], |charge| charge.status = "succeeded");
        self.intent_of(charge).iter().for_each(|intent| self.arrive(intent));
    }

    /// The bank refuses a debit.
    pub fn return_debit(&mut self, charge: &Id<Charge>) {
        self.change(charge, &Cause::Stripe, &["charge.failed"], |charge| {
            charge.status = "failed";
            charge.captured = false;
            charge.amount_captured = 0;
            charge.decline = Some(DEBIT_RETURNED);
        });
        let Some(intent) = self.intent_of(charge) else { return };
        let kinds = ["payment_intent.payment_failed"];
        self.change(&intent, &Cause::Stripe, &kinds, |intent| intent.fail(DEBIT_RETURNED));
        self.change_session(&Cause::Stripe, &intent, "checkout.session.async_payment_failed", |_| ());
    }

    /// The buyer chooses a bank transfer and is told where to send the money. There is no charge until it comes.
    pub fn confirm_transfer(&mut self, by: &Cause, intent: &Id<Intent>) {
        self.change(intent, by, &["payment_intent.requires_action"], |intent| intent.status = "requires_action");
        self.complete_session(by, intent, "unpaid");
    }

    /// A bank transfer arrives.
    pub fn settle_transfer(&mut self, intent: &Id<Intent>) -> Id<Charge> {
        let charge = self.add_charge(intent, "succeeded", self.get(intent).purchase.amount);
        self.emit(&charge, &Cause::Stripe, "charge.succeeded");
        self.arrive(intent);
        charge
    }

    fn arrive(&mut self, intent: &Id<Intent>) {
        self.change(intent, &Cause::Stripe, &["payment_intent.succeeded"], |intent| {
            intent.receive(intent.purchase.amount);
        });
        let kind = "checkout.session.async_payment_succeeded";
        self.change_session(&Cause::Stripe, intent, kind, |session| session.payment_status = "paid");
    }

    /// What Stripe makes of money that it lets go: a refund that nobody asked for, counted in the charge's total.
    fn release(&mut self, by: &Cause, charge: &Id<Charge>, amount: i64, reason: Option<&'static str>) {
        let refund = Refund { reason, is_release: true, ..self.new_refund(charge, amount, Metadata::new()) };
        let refund = self.insert(refund);
        let charge = self.get_mut(charge);
        charge.amount_refunded += amount;
        charge.amount_released += amount;
        self.emit(&refund, by, "refund.created");
    }

    fn add_charge(&mut self, intent: &Id<Intent>, status: &'static str, amount_captured: i64) -> Id<Charge> {
        let purchase = self.get(intent).purchase.clone();
        let charge = self.new_charge(purchase, Some(intent.clone()), status, amount_captured);
        self.get_mut(intent).latest_charge = Some(charge.clone());
        charge
    }

    fn new_charge(
        &mut self,
        purchase: Purchase,
        payment_intent: Option<Id<Intent>>,
        status: &'static str,
        amount_captured: i64,
    ) -> Id<Charge> {
        let id = self.mint(self.method_of(&purchase).charge_prefix());
        let captured = amount_captured > 0;
        let balance_transaction = captured.then(|| self.ids.mint("txn_3"));
        let charge = self.insert(Charge {
            id,
            payment_intent,
            created: self.now,
            purchase,
            status,
            captured,
            is_void: false,
            captured_at: captured.then_some(self.now),
            amount_captured,
            amount_refunded: 0,
            amount_released: 0,
            disputed: false,
            decline: None,
            balance_transaction,
            transfer: None,
            application_fee: None,
        });
        if captured {
            self.share_out(&charge, amount_captured);
        }
        charge
    }

    fn cancel_for(&mut self, by: &Cause, intent: &Id<Intent>, reason: &'static str) {
        let cancellation = Cancellation { at: self.now, reason };
        if let Some(charge) = self.get(intent).latest_charge.clone() {
            self.get_mut(&charge).is_void = true;
        }
        self.change(intent, by, &["payment_intent.canceled"], |intent| {
            intent.status = "canceled";
            intent.amount_capturable = 0;
            intent.cancellation = Some(cancellation);
        });
    }

    fn complete_session(&mut self, by: &Cause, intent: &Id<Intent>, payment_status: &'static str) {
        self.change_session(by, intent, "checkout.session.completed", |session| {
            session.status = "complete";
            session.payment_status = payment_status;
        });
    }

    /// Changes the session that an intent was made for, if it was made for one.
    fn change_session(
        &mut self,
        by: &Cause,
        intent: &Id<Intent>,
        kind: &'static str,
        change: impl FnOnce(&mut Session),
    ) {
        let session = self.list::<Session>().find(|session| session.payment_intent.as_ref() == Some(intent));
        if let Some(session) = session.map(|session| session.id.clone()) {
            self.change(&session, by, &[kind], change);
        }
    }

    fn intent_of(&self, charge: &Id<Charge>) -> Option<Id<Intent>> {
        self.get(charge).payment_intent.clone()
    }
}

impl Charge {
    /// Whether it is an authorization that can be captured.
    pub(in crate::dev) fn is_held(&self) -> bool {
        self.status == "succeeded" && !self.captured && !self.is_void
    }

    /// What of the captured money is not refunded.
    pub(in crate::dev) fn left(&self) -> i64 {
        self.amount_captured - (self.amount_refunded - self.amount_released)
    }
}

impl Intent {
    fn receive(&mut self, amount: i64) {
        self.status = "succeeded";
        self.amount_received = amount;
        self.amount_capturable = 0;
        self.last_payment_error = None;
    }

    fn fail(&mut self, decline: Decline) {
        self.status = "requires_payment_method";
        self.last_payment_error = Some(decline);
    }
}

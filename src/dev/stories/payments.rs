//! The verbs of paying: checkout, capture, bank debits, and what ends a payment before it is one.
//! Nothing here gives money back.

use super::ids::Ids;
use super::life::{Cause, ChargeNo, Life, minutes};
use super::objects::{Cancellation, Charge, Decline, Intent, Session};
use super::people::Method;
use super::render;

pub(super) const DECLINED: Decline = Decline {
    code: "card_declined",
    decline_code: Some("insufficient_funds"),
    message: "Your card has insufficient funds.",
};

const DEBIT_RETURNED: Decline = Decline {
    code: "insufficient_funds",
    decline_code: None,
    message: "The buyer's account does not cover the debit.",
};

impl Intent {
    pub(super) fn new(ids: &mut Ids) -> Self {
        let id = ids.mint("pi_3");
        Self {
            secret: ids.mint(&format!("{id}_secret_")),
            id,
            created: 0,
            status: "requires_payment_method",
            capture_method: "automatic_async",
            amount_received: 0,
            amount_capturable: 0,
            latest_charge: None,
            last_payment_error: None,
            cancellation: None,
        }
    }
}

impl Life {
    /// The buyer has had a checkout page open for some minutes. Stripe sends nothing of that yet,
    /// so it lies before the first event.
    pub(super) fn checkout(&mut self) {
        let mode = if self.scene.cast.livemode { "live" } else { "test" };
        self.session = Some(Session {
            id: self.ids.mint(&format!("cs_{mode}_a1")),
            created: self.now - minutes(3),
            status: "open",
            payment_status: "unpaid",
        });
    }

    /// The buyer pays by card, and it succeeds at once.
    pub(super) fn pay(&mut self) -> ChargeNo {
        let request = self.begin();
        self.later(2);
        let amount = self.amount();
        let charge = self.add_charge("succeeded", amount);
        self.emit(&request, "charge.succeeded", &self.show_charge(charge));
        self.change_intent(&request, "payment_intent.succeeded", |intent| intent.receive(amount));
        self.change_session(&request, "checkout.session.completed", |session| {
            session.status = "complete";
            session.payment_status = "paid";
        });
        charge
    }

    /// The buyer tries to pay, and the attempt fails. The intent waits for another.
    pub(super) fn decline(&mut self, decline: Decline) {
        let request = self.begin();
        self.later(2);
        let charge = self.add_charge("failed", 0);
        self.charges[charge.0].decline = Some(decline);
        self.emit(&request, "charge.failed", &self.show_charge(charge));
        self.change_intent(&request, "payment_intent.payment_failed", |intent| intent.fail(decline));
    }

    /// Places a hold on the card, to be captured later. For a merchant who works with intents,
    /// not with a checkout page.
    pub(super) fn authorize(&mut self) -> ChargeNo {
        self.intent.capture_method = "manual";
        let request = self.begin();
        self.later(2);
        let amount = self.amount();
        let charge = self.add_charge("succeeded", 0);
        self.emit(&request, "charge.succeeded", &self.show_charge(charge));
        self.change_intent(&request, "payment_intent.amount_capturable_updated", |intent| {
            intent.status = "requires_capture";
            intent.amount_capturable = amount;
        });
        charge
    }

    /// Takes so much of the hold, and lets the rest go.
    pub(super) fn capture(&mut self, charge: ChargeNo, amount: i64) {
        let request = self.request();
        self.capture_by(&request, charge, amount);
    }

    /// The same by a request of a version before 2025-03-31.basil: Stripe makes a refund of the rest, and counts it.
    pub(super) fn capture_before_2025(&mut self, charge: ChargeNo, amount: i64) {
        let request = self.request();
        self.release(&request, charge, self.amount() - amount, None);
        self.capture_by(&request, charge, amount);
        self.change_charge(charge, &request, "charge.refunded", |_| ());
    }

    fn capture_by(&mut self, request: &Cause, charge: ChargeNo, amount: i64) {
        let entry = self.ids.mint("txn_3");
        self.change_charge(charge, request, "charge.captured", |charge| {
            charge.captured = true;
            charge.amount_captured = amount;
            charge.balance_transaction = Some(entry);
        });
        self.change_intent(request, "payment_intent.succeeded", |intent| intent.receive(amount));
    }

    /// The merchant gives the hold up. Nothing on the charge shows it.
    pub(super) fn void(&mut self) {
        let request = self.request();
        self.cancel_intent(&request, "requested_by_customer");
    }

    /// The same by a request of a version before 2025-03-31.basil.
    pub(super) fn void_before_2025(&mut self, charge: ChargeNo) {
        let request = self.request();
        self.release(&request, charge, self.amount(), None);
        self.change_charge(charge, &request, "charge.refunded", |_| ());
        self.cancel_intent(&request, "requested_by_customer");
    }

    /// Nobody captured the hold in time. Only the event's type says so of the charge.
    pub(super) fn expire_authorization(&mut self, charge: ChargeNo) {
        self.change_charge(charge, &Cause::Stripe, "charge.expired", |_| ());
        self.cancel_intent(&Cause::Stripe, "expired");
    }

    /// The same before 2025-03-31.basil: Stripe records a refund of what it never took.
    pub(super) fn expire_authorization_before_2025(&mut self, charge: ChargeNo) {
        self.release(&Cause::Stripe, charge, self.amount(), Some("expired_uncaptured_charge"));
        self.change_charge(charge, &Cause::Stripe, "charge.expired", |_| ());
        self.cancel_intent(&Cause::Stripe, "automatic");
    }

    /// What Stripe makes of money that it lets go: a refund that nobody asked for, counted in the charge's total.
    fn release(&mut self, cause: &Cause, charge: ChargeNo, amount: i64, reason: Option<&'static str>) {
        let refund = self.add_refund(charge, amount, "succeeded");
        let record = &mut self.refunds[refund.0];
        (record.reason, record.by_stripe, record.balance_transaction) = (reason, true, None);
        self.charges[charge.0].amount_refunded += amount;
        self.emit(cause, "refund.created", &self.show_refund(refund));
    }

    /// The buyer pays by bank debit, which takes days to be known.
    pub(super) fn pay_by_debit(&mut self) -> ChargeNo {
        self.scene.method = Method::SepaDebit;
        let request = self.begin();
        self.later(2);
        // Stripe counts the debit as captured from the start; the status says that it is not in.
        let charge = self.add_charge("pending", self.amount());
        self.emit(&request, "charge.pending", &self.show_charge(charge));
        self.change_intent(&request, "payment_intent.processing", |intent| {
            intent.status = "processing";
        });
        self.change_session(&request, "checkout.session.completed", |session| {
            session.status = "complete";
        });
        charge
    }

    /// The bank debit arrives.
    pub(super) fn settle_debit(&mut self, charge: ChargeNo) {
        let amount = self.amount();
        self.change_charge(charge, &Cause::Stripe, "charge.succeeded", |charge| {
            charge.status = "succeeded";
        });
        self.arrive(amount);
    }

    /// The bank refuses the debit.
    pub(super) fn return_debit(&mut self, charge: ChargeNo) {
        self.change_charge(charge, &Cause::Stripe, "charge.failed", |charge| {
            charge.status = "failed";
            charge.captured = false;
            charge.amount_captured = 0;
            charge.decline = Some(DEBIT_RETURNED);
        });
        let kind = "payment_intent.payment_failed";
        self.change_intent(&Cause::Stripe, kind, |intent| intent.fail(DEBIT_RETURNED));
        let kind = "checkout.session.async_payment_failed";
        self.change_session(&Cause::Stripe, kind, |_| ());
    }

    /// The buyer chooses a bank transfer and is told where to send the money. There is no charge until it comes.
    pub(super) fn pay_by_transfer(&mut self) {
        self.scene.method = Method::BankTransfer;
        let request = self.begin();
        self.later(2);
        self.change_intent(&request, "payment_intent.requires_action", |intent| {
            intent.status = "requires_action";
        });
        self.change_session(&request, "checkout.session.completed", |session| {
            session.status = "complete";
        });
    }

    /// The bank transfer arrives.
    pub(super) fn transfer_arrives(&mut self) -> ChargeNo {
        let amount = self.amount();
        let charge = self.add_charge("succeeded", amount);
        self.emit(&Cause::Stripe, "charge.succeeded", &self.show_charge(charge));
        self.arrive(amount);
        charge
    }

    fn arrive(&mut self, amount: i64) {
        self.change_intent(&Cause::Stripe, "payment_intent.succeeded", |intent| intent.receive(amount));
        let kind = "checkout.session.async_payment_succeeded";
        self.change_session(&Cause::Stripe, kind, |session| session.payment_status = "paid");
    }

    /// Confirms the payment; the first time, the intent is made for it.
    fn begin(&mut self) -> Cause {
        let request = self.request();
        if !self.begun {
            self.begun = true;
            self.intent.created = self.now;
            let intent = render::intent(&self.scene, &self.intent);
            self.emit(&request, "payment_intent.created", &intent);
        }
        request
    }

    fn add_charge(&mut self, status: &'static str, amount_captured: i64) -> ChargeNo {
        let captured = amount_captured > 0;
        let id = self.ids.mint(self.scene.method.charge_prefix());
        self.intent.latest_charge = Some(id.clone());
        self.charges.push(Charge {
            id,
            created: self.now,
            status,
            captured,
            amount_captured,
            amount_refunded: 0,
            disputed: false,
            decline: None,
            balance_transaction: captured.then(|| self.ids.mint("txn_3")),
        });
        ChargeNo(self.charges.len() - 1)
    }

    fn cancel_intent(&mut self, cause: &Cause, reason: &'static str) {
        let at = self.now;
        self.change_intent(cause, "payment_intent.canceled", |intent| {
            intent.status = "canceled";
            intent.amount_capturable = 0;
            intent.cancellation = Some(Cancellation { at, reason });
        });
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

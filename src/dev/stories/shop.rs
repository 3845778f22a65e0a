//! What the scripts say: one shop with one order on the model of Stripe, and the time that passes.
//!
//! The verbs here are what the shop and its buyer do, each with a request of its own, and what takes Stripe two
//! steps a moment apart. What banks and Stripe do in one step, scripts ask of the model itself: `shop.stripe`.

use serde_json::Value;

use super::super::model::objects::{
    Capture, Charge, Decline, Dispute, Intent, Metadata, Purchase, Refund, Review, Session, Share,
};
use super::super::model::{Account, BUYERS, Cause, FirstStatus, Id, Ids, Method, NewRefund, Undo, VISA};
use super::cast::Cast;

/// How long the buyer has the checkout page open before they pay.
const AT_CHECKOUT: i64 = minutes(3);

/// One shop with one order.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) stripe: Account,
    purchase: Purchase,
    /// The checkout page; none for a shop that works with intents.
    session: Option<Id<Session>>,
    /// Made when the buyer first tries to pay.
    intent: Option<Id<Intent>>,
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

impl Shop {
    pub(super) fn new(cast: &Cast, story: &str) -> Self {
        let ids = Ids::new(cast.seed_of_ids(story), cast.start);
        let mut stripe = Account::new(ids, cast.start, cast.livemode, cast.account.clone());
        let buyer = &BUYERS[stripe.ids.below(BUYERS.len())];
        let purchase = Purchase {
            amount: cast.amount.minor(),
            currency: cast.currency.clone(),
            metadata: Metadata::from([(cast.order_key.clone(), cast.order_id.clone())]),
            description: format!("Order {}", cast.order_id),
            customer: stripe.create_customer(buyer),
            payment_method: stripe.create_payment_method(Method::Card(VISA)),
            share: Share::default(),
            shipping: Value::Null,
        };
        Self { stripe, purchase, session: None, intent: None }
    }

    /// Lets that many seconds pass.
    pub(super) fn later(&mut self, seconds: i64) {
        self.stripe.now += seconds;
    }

    /// The whole amount, in minor currency units.
    pub(super) fn amount(&self) -> i64 {
        self.purchase.amount
    }

    /// That percentage of the amount, rounded down.
    pub(super) fn share(&self, percent: i64) -> i64 {
        self.amount() * percent / 100
    }

    /// What the buyer will pay with.
    pub(super) fn pays_with(&mut self, method: Method) {
        self.purchase.payment_method = self.stripe.create_payment_method(method);
    }

    /// The buyer opens the checkout page, some minutes before the first event.
    pub(super) fn checkout(&mut self) {
        self.stripe.now -= AT_CHECKOUT;
        self.session = Some(self.stripe.create_session(self.purchase.clone()));
        self.later(AT_CHECKOUT);
    }

    /// The buyer pays by card, and it succeeds at once.
    pub(super) fn pay(&mut self) -> Id<Charge> {
        let (request, intent) = self.submit();
        self.stripe.confirm(&request, &intent)
    }

    /// The buyer tries to pay, and the attempt fails.
    pub(super) fn decline(&mut self, decline: Decline) {
        let (request, intent) = self.submit();
        self.stripe.decline(&request, &intent, decline);
    }

    /// The card is authorized, to be captured later.
    pub(super) fn authorize(&mut self) -> Id<Charge> {
        let (request, intent) = self.submit();
        self.stripe.authorize(&request, &intent)
    }

    /// The buyer pays by bank debit.
    pub(super) fn pay_by_debit(&mut self) -> Id<Charge> {
        let (request, intent) = self.submit();
        self.stripe.confirm_debit(&request, &intent)
    }

    /// The buyer pays by bank transfer, which arrives this many seconds later.
    pub(super) fn pay_by_transfer(&mut self, seconds: i64) -> Id<Charge> {
        let (request, intent) = self.submit();
        self.stripe.confirm_transfer(&request, &intent);
        self.later(seconds);
        self.stripe.settle_transfer(&intent)
    }

    pub(super) fn capture(&mut self, charge: &Id<Charge>, amount: i64) {
        let request = self.stripe.request();
        self.stripe.capture(&request, charge, amount);
    }

    pub(super) fn capture_before_2025(&mut self, charge: &Id<Charge>, amount: i64) {
        let request = self.stripe.request();
        self.stripe.capture_before_2025(&request, charge, amount);
    }

    /// Gives an authorization up.
    pub(super) fn void(&mut self, charge: &Id<Charge>) {
        let request = self.stripe.request();
        let intent = self.stripe.get(charge).payment_intent.clone();
        intent.iter().for_each(|intent| self.stripe.cancel(&request, intent));
    }

    pub(super) fn void_before_2025(&mut self, charge: &Id<Charge>) {
        let request = self.stripe.request();
        self.stripe.cancel_before_2025(&request, charge);
    }

    /// Refunds so much, and it succeeds at once.
    pub(super) fn refund(&mut self, charge: &Id<Charge>, amount: i64) -> Id<Refund> {
        self.ask_refund(charge, amount, FirstStatus::Succeeded)
    }

    /// Refunds so much, which waits for a reason.
    pub(super) fn refund_pending(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Refund> {
        self.ask_refund(charge, amount, FirstStatus::Pending(reason))
    }

    /// Refunds so much by bank transfer: Stripe asks the buyer where to send it.
    pub(super) fn refund_by_transfer(&mut self, charge: &Id<Charge>, amount: i64) -> Id<Refund> {
        self.ask_refund(charge, amount, FirstStatus::RequiresAction)
    }

    pub(super) fn cancel_refund(&mut self, refund: &Id<Refund>) {
        let request = self.stripe.request();
        self.stripe.cancel_refund(&request, refund);
    }

    /// The buyer disputes so much of the payment.
    pub(super) fn open_dispute(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let dispute = self.stripe.open_dispute(charge, amount, reason);
        self.funds_withdrawn(&dispute);
        dispute
    }

    /// The same, in a way that allows no answer.
    pub(super) fn open_unchallengeable(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) {
        let dispute = self.stripe.open_unchallengeable(charge, amount, reason);
        self.funds_withdrawn(&dispute);
    }

    /// A prevention product settles a case.
    pub(super) fn prevent(&mut self, charge: &Id<Charge>, amount: i64, reason: &'static str) -> Id<Dispute> {
        let dispute = self.stripe.prevent(charge, amount, reason);
        self.later(1);
        self.stripe.close_prevented(&dispute);
        dispute
    }

    /// An inquiry or a prevented case becomes a chargeback.
    pub(super) fn escalate(&mut self, dispute: &Id<Dispute>) {
        self.stripe.escalate(dispute);
        self.funds_withdrawn(dispute);
    }

    /// The cardholder's bank says that a rule of the network was broken.
    pub(super) fn open_compliance(&mut self, charge: &Id<Charge>, amount: i64) -> Id<Dispute> {
        let dispute = self.stripe.open_compliance(charge, amount);
        self.funds_withdrawn(&dispute);
        dispute
    }

    /// Submits these fields beside what Stripe holds.
    pub(super) fn submit_fields<const N: usize>(&mut self, dispute: &Id<Dispute>, fields: [(&'static str, Value); N]) {
        let request = self.stripe.request();
        self.stripe.submit_fields(&request, dispute, fields);
    }

    pub(super) fn submit_evidence(&mut self, dispute: &Id<Dispute>) {
        let request = self.stripe.request();
        self.stripe.submit_evidence(&request, dispute);
    }

    pub(super) fn accept(&mut self, dispute: &Id<Dispute>) {
        let request = self.stripe.request();
        self.stripe.accept(&request, dispute);
    }

    /// The bank decides for the shop, and the money comes back.
    pub(super) fn win(&mut self, dispute: &Id<Dispute>) {
        self.stripe.win(dispute);
        self.reinstate(dispute, self.stripe.get(dispute).amount);
    }

    /// The same long after a loss.
    pub(super) fn win_late(&mut self, dispute: &Id<Dispute>) {
        self.stripe.win_late(dispute);
        self.reinstate(dispute, self.stripe.get(dispute).amount);
    }

    /// So much of what was withdrawn comes back a moment after the decision.
    pub(super) fn reinstate(&mut self, dispute: &Id<Dispute>, amount: i64) {
        self.later(1);
        self.stripe.reinstate(dispute, amount);
    }

    pub(super) fn approve(&mut self, review: &Id<Review>) {
        let request = self.stripe.request();
        self.stripe.approve(&request, review);
    }

    /// The buyer submits the payment; the first time, the intent is made for it.
    fn submit(&mut self) -> (Cause, Id<Intent>) {
        let request = self.stripe.request();
        let intent = match (&self.intent, &self.session) {
            (Some(intent), _) => intent.clone(),
            (None, Some(session)) => self.stripe.start_payment(&request, session),
            (None, None) => self.stripe.create_intent(&request, self.purchase.clone(), Capture::Manual),
        };
        self.intent = Some(intent.clone());
        self.later(2);
        (request, intent)
    }

    fn ask_refund(&mut self, charge: &Id<Charge>, amount: i64, status: FirstStatus) -> Id<Refund> {
        let request = self.stripe.request();
        let metadata = self.purchase.metadata.clone();
        let (charge, reason) = (charge.clone(), Some("requested_by_customer"));
        self.stripe
            .create_refund(&request, NewRefund { charge, amount, metadata, reason, status, undo: Undo::default() })
    }

    fn funds_withdrawn(&mut self, dispute: &Id<Dispute>) {
        self.later(1);
        self.stripe.funds_withdrawn(dispute);
    }
}

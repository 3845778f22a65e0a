//! A model of one Stripe account: objects by id that change as Stripe's do, and the events that Stripe makes of
//! the changes. The stories are scripts on it.
//!
//! It follows Stripe's documentation and uses no rule of the core: a test against a model that shared its rules
//! would agree with every mistake in them. It has no clock and no randomness: time is set from outside, no verb
//! moves it, and the ids follow from a seed. It does not judge requests: the caller asks for what Stripe allows.
//!
//! | file | its job |
//! |---|---|
//! | [`objects`] | the objects as plain data |
//! | `ids`, `id` | Stripe-like ids, and the id of an object that exists |
//! | `people` | buyers, cards and other ways to pay |
//! | `payments`, `connect`, `refunds`, `disputes`, `evidence`, `fraud` | the verbs: what merchants, buyers, banks and Stripe do |
//! | `eligibility` | what Stripe says of the evidence that networks ask for: Visa CE 3.0, compliance |
//! | `render` | objects and events as Stripe's JSON |

mod connect;
mod disputes;
pub(super) mod eligibility;
mod evidence;
mod fraud;
mod id;
mod ids;
pub mod objects;
mod payments;
mod people;
mod refunds;
mod render;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use serde_json::Value;

pub(super) use disputes::{DEBIT_NOT_AUTHORIZED, FRAUDULENT, NOT_RECEIVED, UNACCEPTABLE, UNRECOGNIZED};
pub(super) use evidence::AVAILABLE;
pub use evidence::{Answer, Submission};
pub use id::Id;
pub use ids::Ids;
use objects::{
    ApplicationFee, Charge, Customer, Dispute, Intent, PaymentMethod, Purchase, Refund, Review, Session, Transfer,
    Warning,
};
pub(super) use payments::DECLINED;
pub(super) use people::{AMEX, BUYERS, CARTES_BANCAIRES, MASTERCARD, VISA};
pub use people::{Buyer, Card, Method};
pub use refunds::{FirstStatus, NewRefund, Undo};
pub use render::Line;

/// Objects of one kind by id, in the order in which they were created.
type Objects<T> = IndexMap<String, T>;

/// One Stripe account at a moment, and the events so far.
#[derive(Debug)]
pub struct Account {
    /// The time, in unix seconds. Set from outside.
    pub now: i64,
    /// Its ids, for choices that should follow from the same seed.
    pub ids: Ids,
    livemode: bool,
    connected: Option<String>,
    customers: Objects<Customer>,
    payment_methods: Objects<PaymentMethod>,
    sessions: Objects<Session>,
    intents: Objects<Intent>,
    charges: Objects<Charge>,
    refunds: Objects<Refund>,
    disputes: Objects<Dispute>,
    warnings: Objects<Warning>,
    reviews: Objects<Review>,
    transfers: Objects<Transfer>,
    application_fees: Objects<ApplicationFee>,
    events: Vec<Event>,
}

/// An event as Stripe would send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stripe's event id, `evt_…`.
    pub id: String,
    /// Stripe's event type, such as `charge.refunded`.
    pub r#type: String,
    /// When it happened, in unix seconds: the `created` of the body.
    pub created: i64,
    /// The JSON to send, byte for byte.
    pub body: String,
}

/// What made Stripe act.
#[derive(Debug, Clone)]
pub enum Cause {
    /// A request of the merchant or of the buyer's browser.
    Request {
        /// Stripe's id of the request, `req_…`.
        id: String,
        /// The key that came with it.
        idempotency_key: Option<String>,
    },
    /// No request: the bank, the network or the calendar.
    Stripe,
}

/// A kind of object that events carry.
pub trait Object: Clone + 'static {
    /// Its id.
    fn id(&self) -> &Id<Self>;
    /// When it was made, in unix seconds.
    fn created(&self) -> i64;
    /// It as Stripe's JSON, as it is now.
    fn render(&self, account: &Account) -> Value;
    /// All of this kind.
    fn all(account: &Account) -> &IndexMap<String, Self>;
    /// The same, to be changed.
    fn all_mut(account: &mut Account) -> &mut IndexMap<String, Self>;
}

macro_rules! object {
    ($kind:ty, $objects:ident, $render:path) => {
        impl Object for $kind {
            fn id(&self) -> &Id<Self> {
                &self.id
            }
            fn created(&self) -> i64 {
                self.created
            }
            fn render(&self, account: &Account) -> Value {
                $render(account, self)
            }
            fn all(account: &Account) -> &Objects<Self> {
                &account.$objects
            }
            fn all_mut(account: &mut Account) -> &mut Objects<Self> {
                &mut account.$objects
            }
        }
    };
}

object!(Session, sessions, render::session);
object!(Intent, intents, render::intent);
object!(Charge, charges, render::charge);
object!(Refund, refunds, render::refund);
object!(Dispute, disputes, render::dispute);
object!(Warning, warnings, render::warning);
object!(Review, reviews, render::review);
object!(Transfer, transfers, render::transfer);
object!(ApplicationFee, application_fees, render::application_fee);

impl Account {
    /// An account without objects. `connected` is its id if it is a connected account, whose events name it.
    #[must_use]
    pub fn new(ids: Ids, now: i64, livemode: bool, connected: Option<String>) -> Self {
        Self {
            now,
            ids,
            livemode,
            connected,
            customers: Objects::new(),
            payment_methods: Objects::new(),
            sessions: Objects::new(),
            intents: Objects::new(),
            charges: Objects::new(),
            refunds: Objects::new(),
            disputes: Objects::new(),
            warnings: Objects::new(),
            reviews: Objects::new(),
            transfers: Objects::new(),
            application_fees: Objects::new(),
            events: Vec::new(),
        }
    }

    /// The object with this id.
    #[must_use]
    pub fn get<T: Object>(&self, id: &Id<T>) -> &T {
        &T::all(self)[id.as_str()]
    }

    /// The object of this kind whose id is this text, if there is one.
    #[must_use]
    pub fn find<T: Object>(&self, id: &str) -> Option<&T> {
        T::all(self).get(id)
    }

    /// The objects of one kind in the order in which they were created; reversed, as Stripe lists them.
    pub fn list<T: Object>(&self) -> impl DoubleEndedIterator<Item = &T> {
        T::all(self).values()
    }

    /// The object as Stripe's JSON, as it is now.
    #[must_use]
    pub fn show<T: Object>(&self, id: &Id<T>) -> Value {
        self.get(id).render(self)
    }

    /// The entries of the balance: of charges first, then of refunds and disputes.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        render::lines(self)
    }

    /// The entry of the balance with this id as Stripe's JSON.
    #[must_use]
    pub fn show_entry(&self, id: &str) -> Option<Value> {
        self.lines().find(|line| line.id() == id).map(|line| line.render(self))
    }

    /// The events so far, in the order in which they happened.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// A request that is made now, with an idempotency key as Stripe's SDKs make them.
    pub fn request(&mut self) -> Cause {
        Cause::Request { id: self.ids.mint("req_"), idempotency_key: Some(self.ids.key()) }
    }

    /// A new customer.
    pub fn create_customer(&mut self, buyer: &'static Buyer) -> Id<Customer> {
        let id = self.mint("cus_");
        self.customers.insert(id.to_string(), Customer { buyer });
        id
    }

    /// A new payment method.
    pub fn create_payment_method(&mut self, method: Method) -> Id<PaymentMethod> {
        let id = self.mint("pm_1");
        self.payment_methods.insert(id.to_string(), PaymentMethod { method });
        id
    }

    /// What a charge was paid with.
    #[must_use]
    pub fn paid_with(&self, charge: &Id<Charge>) -> Method {
        self.method_of(&self.get(charge).purchase)
    }

    fn method_of(&self, purchase: &Purchase) -> Method {
        self.payment_methods[purchase.payment_method.as_str()].method
    }

    fn buyer_of(&self, purchase: &Purchase) -> &'static Buyer {
        self.customers[purchase.customer.as_str()].buyer
    }

    fn mint<T>(&mut self, prefix: &str) -> Id<T> {
        Id::new(self.ids.mint(prefix))
    }

    fn get_mut<T: Object>(&mut self, id: &Id<T>) -> &mut T {
        &mut T::all_mut(self)[id.as_str()]
    }

    fn insert<T: Object>(&mut self, object: T) -> Id<T> {
        let id = object.id().clone();
        T::all_mut(self).insert(id.to_string(), object);
        id
    }

    /// Makes one event of an object as it is now.
    fn emit<T: Object>(&mut self, id: &Id<T>, cause: &Cause, kind: &'static str) {
        self.change(id, cause, &[kind], |_| ());
    }

    /// Changes an object, and makes an event of each of these types of the change.
    fn change<T: Object>(&mut self, id: &Id<T>, cause: &Cause, kinds: &[&'static str], change: impl FnOnce(&mut T)) {
        let before = self.show(id);
        change(self.get_mut(id));
        let after = self.show(id);
        for kind in kinds {
            let id = self.ids.mint("evt_3");
            let envelope = render::Envelope { id: &id, kind, created: self.now, cause };
            // Stripe sends its bodies indented.
            let body = format!("{:#}", render::event(self, &envelope, &before, &after));
            self.events.push(Event { id, r#type: (*kind).to_owned(), created: self.now, body });
        }
    }
}

//! The recorded history of orders, and of payments while they are unlinked. Pure.
//!
//! Not here: deriving the state of a payment (`payment.rs`) or an order (`order.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::order::{Order, OrderKey, Tally};
use super::payment::{Balance, Payment, State};
use super::snapshot::Scope;

/// The subject of a history row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A payment, while it is unlinked.
    Payment(String),
    /// An order.
    Order(OrderKey),
}

/// The standing of an order or a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Account and mode.
    pub scope: Scope,
    /// Lower-case ISO code; none while not known.
    pub currency: Option<String>,
    /// The first state that fits.
    pub state: State,
    /// The sums.
    pub balance: Balance,
}

/// The standing of a payment and what it counts towards, as its row shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentStanding {
    /// Objects that name neither charge nor intent: neither counted nor shown.
    pub orphan: bool,
    /// The order it counts towards; none while it is unlinked.
    pub order_id: Option<String>,
    /// Its standing.
    pub standing: Standing,
}

/// A change of standing. Both sides are never the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order or payment that changed.
    pub subject: Subject,
    /// None: first entry of the subject.
    pub from: Option<Standing>,
    /// None: the subject ended, since it was linked, merged or moved.
    pub to: Option<Standing>,
}

impl PaymentStanding {
    /// The order it counts towards.
    #[must_use]
    pub fn order_key(&self) -> Option<OrderKey> {
        let Standing { scope, currency, .. } = &self.standing;
        Some(OrderKey {
            order_id: self.order_id.clone().filter(|_| !self.orphan)?,
            account: scope.account.clone(),
            livemode: scope.livemode,
            currency: currency.clone(),
        })
    }

    /// What it adds to its order.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let Standing { balance, state, .. } = &self.standing;
        Tally { returned: balance.returned(), balance: balance.clone(), states: [*state].into() }
    }

    /// Has a history of its own: a payment that is for no order yet.
    #[must_use]
    pub fn is_unlinked(&self) -> bool {
        !self.orphan && self.order_id.is_none()
    }

    /// The subject under which changes of this payment are recorded.
    #[must_use]
    pub fn subject(&self, payment_id: &str) -> Option<Subject> {
        let unlinked = || self.is_unlinked().then(|| Subject::Payment(payment_id.to_owned()));
        self.order_key().map(Subject::Order).or_else(unlinked)
    }
}

impl From<&Payment> for PaymentStanding {
    fn from(payment: &Payment) -> Self {
        let Payment { orphan, order_id, scope, currency, state, balance, .. } = payment;
        let standing =
            Standing { scope: scope.clone(), currency: currency.clone(), state: *state, balance: balance.clone() };
        Self { orphan: *orphan, order_id: order_id.clone(), standing }
    }
}

impl From<&Order> for Standing {
    fn from(order: &Order) -> Self {
        let scope = Scope { account: order.key.account.clone(), livemode: order.key.livemode };
        Self { scope, currency: order.key.currency.clone(), state: order.state, balance: order.balance.clone() }
    }
}

/// Compares the standing of each subject with the last recorded one, and updates `recorded`. Subjects that ended come
/// first, so that whoever mirrors the history ends with the current state.
#[must_use]
pub fn changes(
    recorded: &mut BTreeMap<Subject, Standing>,
    subjects: BTreeSet<Subject>,
    now: impl Fn(&Subject) -> Option<Standing>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for subject in subjects {
        let to = now(&subject);
        let from = match &to {
            Some(standing) => recorded.insert(subject.clone(), standing.clone()),
            None => recorded.remove(&subject),
        };
        if from != to {
            changes.push(Change { subject, from, to });
        }
    }
    changes.sort_by_key(|change| change.to.is_some());
    changes
}

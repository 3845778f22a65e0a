//! An order: the sums of its payments, and the first state that fits them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::payment::{Balance, Payment, State};

/// What identifies an order. Account, mode and currency are part of it: amounts of two currencies do not add up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey {
    /// The merchant's reference.
    pub order_id: String,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Lower-case ISO code; none while not known.
    pub currency: Option<String>,
}

/// An order as services see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Which order.
    #[serde(flatten)]
    pub key: OrderKey,
    /// The first state that fits.
    pub state: State,
    /// The sums over its payments.
    #[serde(flatten)]
    pub balance: Balance,
}

impl Payment {
    /// The order this payment counts towards; none while it is unlinked, and for an orphan.
    #[must_use]
    pub fn order_key(&self) -> Option<OrderKey> {
        if self.orphan {
            return None;
        }
        Some(OrderKey {
            order_id: self.order_id.clone()?,
            account: self.scope.account.clone(),
            livemode: self.scope.livemode,
            currency: self.currency.clone(),
        })
    }
}

/// The totals of some payments of one order. Tallies can be added, so that adding a payment to an order with very
/// many does not need them all loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The sums and flags.
    pub balance: Balance,
    /// Refunded and lost, capped for each payment at what was paid: the surplus of one must not hide what is left of
    /// another.
    pub returned: i64,
    /// The states that occur.
    pub states: BTreeSet<State>,
}

impl Tally {
    /// The tally of one payment.
    #[must_use]
    pub fn of(payment: &Payment) -> Self {
        let balance = payment.balance.clone();
        Self { returned: balance.returned(), balance, states: [payment.state].into() }
    }

    /// The sum of two tallies.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        let (mine, theirs) = (&mut self.balance, other.balance);
        mine.amount_paid = match (mine.amount_paid, theirs.amount_paid) {
            (Some(mine), Some(theirs)) => Some(mine.saturating_add(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        mine.amount_refunded = mine.amount_refunded.saturating_add(theirs.amount_refunded);
        mine.amount_disputed = mine.amount_disputed.saturating_add(theirs.amount_disputed);
        mine.amount_lost = mine.amount_lost.saturating_add(theirs.amount_lost);
        mine.open_disputes = mine.open_disputes.saturating_add(theirs.open_disputes);
        mine.hold |= theirs.hold;
        mine.evidence_due_by = mine.evidence_due_by.into_iter().chain(theirs.evidence_due_by).min();
        self.returned = self.returned.saturating_add(other.returned);
        self.states.extend(other.states);
        self
    }
}

/// Derives an order from the tally of all its payments.
#[must_use]
pub fn order(key: &OrderKey, tally: Tally) -> Order {
    let state = if tally.states.contains(&State::Disputed) {
        State::Disputed
    } else if tally.states.contains(&State::Inquiry) {
        State::Inquiry
    } else {
        tally.balance.money_state(tally.returned).unwrap_or_else(|| best_attempt(&tally.states))
    };
    Order { key: key.clone(), state, balance: tally.balance }
}

/// The state while nothing was paid: the most promising of the payments' own states.
fn best_attempt(states: &BTreeSet<State>) -> State {
    const HOPE: [State; 5] = [State::Authorized, State::Pending, State::Failed, State::Canceled, State::Unknown];
    HOPE.into_iter().find(|hope| states.contains(hope)).unwrap_or(State::Unknown)
}

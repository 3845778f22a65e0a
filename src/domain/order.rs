//! An order: the sums of its payments, and the first state that fits them.

use serde::Serialize;

use super::money::sum;
use super::payment::{Balance, Payment, State};

/// Orders are told apart by account, mode and currency too: amounts of two currencies do not add up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// The order this payment counts towards; none while it is unlinked, and for what is no payment.
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

/// Derives an order from all its payments; none when it has none.
#[must_use]
pub fn order(key: &OrderKey, payments: &[&Payment]) -> Option<Order> {
    if payments.is_empty() {
        return None;
    }
    let balance = total(payments);
    let state = if payments.iter().any(|p| p.state == State::Disputed) {
        State::Disputed
    } else if payments.iter().any(|p| p.state == State::Inquiry) {
        State::Inquiry
    } else {
        balance.money_state().unwrap_or_else(|| best_attempt(payments))
    };
    Some(Order { key: key.clone(), state, balance })
}

fn total(payments: &[&Payment]) -> Balance {
    let balances = || payments.iter().map(|p| &p.balance);
    let known = || balances().filter_map(|b| b.amount_paid);
    Balance {
        amount_paid: known().next().map(|_| sum(known())),
        amount_refunded: sum(balances().map(|b| b.amount_refunded)),
        amount_disputed: sum(balances().map(|b| b.amount_disputed)),
        amount_lost: sum(balances().map(|b| b.amount_lost)),
        open_disputes: balances().fold(0, |sum, b| sum.saturating_add(b.open_disputes)),
        hold: balances().any(|b| b.hold),
        evidence_due_by: balances().filter_map(|b| b.evidence_due_by).min(),
    }
}

/// Nothing was paid: the most hopeful of the payments' own states.
fn best_attempt(payments: &[&Payment]) -> State {
    const HOPE: [State; 5] = [State::Authorized, State::Pending, State::Failed, State::Canceled, State::Unknown];
    HOPE.into_iter().find(|hope| payments.iter().any(|p| p.state == *hope)).unwrap_or(State::Unknown)
}

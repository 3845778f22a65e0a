//! Orders: the sums of their payments, and the states that follow from money.

use std::collections::BTreeMap;

use super::{OrderTruthKey, PaymentTruth, Sums};

/// From best to worst: what an order comes to of which nothing was paid.
const ATTEMPTS: &[&str] = &["authorized", "pending", "failed", "canceled", "unknown"];

pub(super) fn of(payments: &BTreeMap<String, PaymentTruth>) -> BTreeMap<OrderTruthKey, Sums> {
    let mut members: BTreeMap<OrderTruthKey, Vec<&Sums>> = BTreeMap::new();
    for payment in payments.values() {
        let Some(order_id) = payment.order_id.clone() else { continue };
        let (account, livemode, currency) = (payment.account.clone(), payment.livemode, payment.currency.clone());
        members.entry(OrderTruthKey { order_id, account, livemode, currency }).or_default().push(&payment.sums);
    }
    members.into_iter().map(|(key, payments)| (key, total(&payments))).collect()
}

fn total(payments: &[&Sums]) -> Sums {
    let mut sums = Sums {
        state: String::new(),
        paid: payments.iter().filter_map(|p| p.paid).reduce(|a, b| a + b),
        refunded: payments.iter().map(|p| p.refunded).sum(),
        disputed: payments.iter().map(|p| p.disputed).sum(),
        lost: payments.iter().map(|p| p.lost).sum(),
        hold: payments.iter().any(|p| p.hold),
        open_disputes: payments.iter().map(|p| p.open_disputes).sum(),
        evidence_due_by: payments.iter().filter_map(|p| p.evidence_due_by).min(),
    };
    // What went back of one payment beyond what was paid of it is no other payment's.
    let returned = payments.iter().map(|p| p.returned()).sum();
    let has = |state: &&str| payments.iter().any(|p| p.state == **state);
    let open = ["disputed", "inquiry"].into_iter().find(has);
    let attempt = || ATTEMPTS.iter().copied().find(has).unwrap_or("unknown");
    sums.state = open.or_else(|| money_state(&sums, returned)).unwrap_or_else(attempt).to_owned();
    sums
}

impl Sums {
    /// What went back or was lost, at most what was paid.
    pub(super) fn returned(&self) -> i64 {
        (self.refunded + self.lost).min(self.paid.unwrap_or(0))
    }
}

/// The first state that fits what was paid, went back and was lost; none when nothing was.
pub(super) fn money_state(sums: &Sums, returned: i64) -> Option<&'static str> {
    let paid = sums.paid.unwrap_or(0);
    let all = paid > 0 && returned >= paid;
    match (sums.lost > 0, sums.refunded > 0) {
        (true, _) if all => Some("charged_back"),
        (true, _) => Some("partially_charged_back"),
        (false, true) if all => Some("refunded"),
        (false, true) => Some("partially_refunded"),
        (false, false) => (paid > 0).then_some("paid"),
    }
}

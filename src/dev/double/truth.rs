//! The true amounts and open cases of each payment, from the double's own objects. Tests compare them with the state that the
//! service built from events and lists. It uses no rule of the core.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use super::world::{PLATFORM, World};
use crate::dev::model::objects::{Charge, Dispute, Intent, Refund, Review, Warning};
use crate::dev::model::{Account, Id};

/// One payment: an intent with its charges, or a charge without intent. Amounts are in minor units of its currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The connected account; none is the platform's own.
    pub account: Option<String>,
    /// Currency code in lower case.
    pub currency: String,
    /// The intent's status; none of a charge without intent.
    pub status: Option<&'static str>,
    /// Captured.
    pub captured: i64,
    /// Whether an authorization waits for its capture.
    pub is_held: bool,
    /// Refunded of the captured money: refunds that succeeded, are pending or require action.
    pub refunded: i64,
    /// Withdrawn by closed disputes and not reinstated, at most captured less refunded.
    pub lost: i64,
    /// The sum of the open chargebacks.
    pub disputed: i64,
    /// Open chargebacks, by id.
    pub chargebacks: Vec<String>,
    /// Open inquiries, by id.
    pub inquiries: Vec<String>,
    /// Early fraud warnings that are actionable, by id.
    pub warnings: Vec<String>,
    /// Open reviews, by id.
    pub reviews: Vec<String>,
    /// The status of each refund, by id, and whether it returns captured money.
    pub refunds: BTreeMap<String, (&'static str, Money)>,
    /// The status of each dispute, by id.
    pub disputes: BTreeMap<String, &'static str>,
}

/// What a refund is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Money {
    /// It returns captured money.
    Captured,
    /// It stands for authorized money that was never captured.
    Released,
}

/// The truth of every payment of every account, by intent, or by charge where there is none.
pub(super) fn all(world: &World) -> BTreeMap<String, Truth> {
    let mut found = BTreeMap::new();
    for (id, books) in &world.books {
        let connected = (id != PLATFORM).then_some(id);
        found.extend(of(&books.account).into_iter().map(|(intent, truth)| {
            let account = connected.cloned();
            (intent.to_owned(), Truth { account, ..truth })
        }));
    }
    found
}

fn of(account: &Account) -> IndexMap<&str, Truth> {
    let mut payments: IndexMap<&str, Truth> = IndexMap::new();
    for Intent { id, purchase, status, .. } in account.list() {
        let (currency, status) = (purchase.currency.clone(), Some(*status));
        payments.insert(id.as_str(), Truth { currency, status, ..Truth::default() });
    }
    for charge in account.list::<Charge>() {
        let currency = charge.purchase.currency.clone();
        let new = || Truth { currency, ..Truth::default() };
        let payment = payments.entry(payment_of(charge)).or_insert_with(new);
        payment.is_held |= charge.is_held();
        if charge.captured && charge.status == "succeeded" {
            payment.captured += charge.amount_captured;
        }
    }
    let payment = |charge| payment_of(account.get(charge));
    for refund in account.list::<Refund>() {
        payments[payment(&refund.charge)].add_refund(refund);
    }
    for dispute in account.list::<Dispute>() {
        payments[payment(&dispute.charge)].add_dispute(dispute);
    }
    for warning in account.list::<Warning>().filter(|warning| warning.actionable) {
        payments[payment(&warning.charge)].warnings.push(warning.id.to_string());
    }
    for review in account.list::<Review>().filter(|review| review.closed_reason.is_none()) {
        payments[payment(&review.charge)].reviews.push(review.id.to_string());
    }
    for truth in payments.values_mut() {
        truth.lost = truth.lost.clamp(0, (truth.captured - truth.refunded).max(0));
    }
    payments
}

fn payment_of(charge: &Charge) -> &str {
    charge.payment_intent.as_ref().map_or(charge.id.as_str(), Id::as_str)
}

impl Truth {
    fn add_refund(&mut self, refund: &Refund) {
        let money = if refund.is_release { Money::Released } else { Money::Captured };
        self.refunds.insert(refund.id.to_string(), (refund.status, money));
        if money == Money::Captured && ["succeeded", "pending", "requires_action"].contains(&refund.status) {
            self.refunded += refund.amount;
        }
    }

    fn add_dispute(&mut self, dispute: &Dispute) {
        let id = dispute.id.to_string();
        self.disputes.insert(id.clone(), dispute.status);
        match dispute.status {
            "needs_response" | "under_review" | "appeal_needs_response" | "appeal_under_review" => {
                self.disputed += dispute.amount;
                self.chargebacks.push(id);
            }
            "warning_needs_response" | "warning_under_review" => self.inquiries.push(id),
            _ => self.lost -= dispute.entries.iter().map(|entry| entry.amount).sum::<i64>(),
        }
    }
}

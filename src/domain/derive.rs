//! Everything that is derived from one payment's facts: what services see, and the desired follow-ups.

use serde::Serialize;

use super::desired::{Desired, desired};
use super::facts::{Child, Facts};
use super::marks::Marks;
use super::payment::{Payment, payment};
use super::phase::{Outcome, Phase};
use super::snapshot::{Dispute, Refund, Review, Warning};

/// A refund as services see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundState {
    /// Stripe's id.
    pub refund_id: String,
    /// The row of the payment it belongs to.
    pub payment_id: String,
    /// The charge it names, else the payment's.
    pub charge_id: Option<String>,
    /// It returns no captured money.
    pub is_release: bool,
    /// The best snapshot.
    #[serde(flatten)]
    pub refund: Refund,
}

/// A dispute as services see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DisputeState {
    /// Stripe's id.
    pub dispute_id: String,
    /// The row of the payment it belongs to.
    pub payment_id: String,
    /// The charge it names, else the payment's.
    pub charge_id: Option<String>,
    /// The best snapshot; `payment_method` and `card_brand` also from the charge.
    #[serde(flatten)]
    pub dispute: Dispute,
    /// See [`Phase`].
    pub phase: Phase,
    /// None while open.
    pub outcome: Option<Outcome>,
    /// The deadline for evidence; none when not known or none is allowed.
    pub evidence_due_by: Option<i64>,
    /// Evidence is awaited, and can be submitted.
    pub can_respond: bool,
    /// Evidence was submitted since it became a chargeback or a compliance case, by the merchant or by us.
    pub countered: bool,
    /// Lost for good, in the dispute's currency.
    pub amount_lost: i64,
    /// Withdrawn from the balance, positive, in the settlement currency.
    pub amount_withdrawn: i64,
    /// Reinstated on the balance.
    pub amount_reinstated: i64,
    /// The dispute's fee.
    pub fee: i64,
    /// The currency of these three amounts.
    pub settlement_currency: Option<String>,
}

/// An early fraud warning as services see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WarningState {
    /// Stripe's id.
    pub warning_id: String,
    /// The row of the payment it belongs to.
    pub payment_id: String,
    /// The charge it names, else the payment's.
    pub charge_id: Option<String>,
    /// The card network of that charge.
    pub card_brand: Option<String>,
    /// The best snapshot; `actionable` also takes later disputes, refunds and dismissals into account.
    #[serde(flatten)]
    pub warning: Warning,
}

/// A Radar review as services see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReviewState {
    /// Stripe's id.
    pub review_id: String,
    /// The row of the payment it belongs to.
    pub payment_id: String,
    /// The charge it names, else the payment's.
    pub charge_id: Option<String>,
    /// The best snapshot.
    #[serde(flatten)]
    pub review: Review,
}

/// Everything derived from one payment's facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The payment itself.
    pub payment: Payment,
    /// Its refunds, by id.
    pub refunds: Vec<RefundState>,
    /// Its disputes, by id.
    pub disputes: Vec<DisputeState>,
    /// Its early fraud warnings, by id.
    pub warnings: Vec<WarningState>,
    /// Its Radar reviews, by id.
    pub reviews: Vec<ReviewState>,
    /// The desired follow-ups.
    pub desired: Vec<Desired>,
}

/// Derives a payment from its facts. `payment_id` is the key that [`Facts::by_payment`] gave.
#[must_use]
pub fn derive(payment_id: &str, facts: &Facts) -> Derived {
    derive_with(payment_id, facts, &Marks::default())
}

/// [`derive()`] with other marks for deadline warnings.
#[must_use]
pub fn derive_with(payment_id: &str, facts: &Facts, marks: &Marks) -> Derived {
    let payment = payment(payment_id, facts);
    let (losses, releases) = (facts.losses(), facts.releases());
    let dispute = |id: &String| dispute_state(&payment, id, facts, losses[id.as_str()]);
    Derived {
        refunds: facts
            .refunds
            .keys()
            .map(|id| refund_state(payment_id, id, releases.contains(id.as_str()), facts))
            .collect(),
        disputes: facts.disputes.keys().map(dispute).collect(),
        warnings: facts.warnings.keys().map(|id| warning_state(&payment, id, facts)).collect(),
        reviews: facts.reviews.iter().map(|(id, review)| review_state(&payment, id, review)).collect(),
        desired: desired(&payment, facts, marks),
        payment,
    }
}

fn refund_state(payment_id: &str, refund_id: &str, is_release: bool, facts: &Facts) -> RefundState {
    RefundState {
        refund_id: refund_id.to_owned(),
        payment_id: payment_id.to_owned(),
        charge_id: facts.charge_of_refund(refund_id).map(str::to_owned),
        is_release,
        refund: facts.refunds[refund_id].best.value.clone(),
    }
}

fn dispute_state(payment: &Payment, dispute_id: &str, facts: &Facts, amount_lost: i64) -> DisputeState {
    let known = &facts.disputes[dispute_id];
    let settlement = known.settlement();
    let named = known.child.charge.as_ref().map(|link| link.value.clone());
    let payment_method = facts.payment_method(known).map(str::to_owned);
    let card_brand = facts.card_brand_of_dispute(known).map(str::to_owned);
    DisputeState {
        dispute_id: dispute_id.to_owned(),
        payment_id: payment.payment_id.clone(),
        charge_id: named.or_else(|| payment.charge_id.clone()),
        phase: known.seen().phase(),
        outcome: known.seen().outcome(),
        evidence_due_by: known.due_by(),
        can_respond: facts.awaits_evidence(known),
        countered: known.is_countered(),
        amount_lost,
        amount_withdrawn: settlement.withdrawn,
        amount_reinstated: settlement.reinstated,
        fee: settlement.fee,
        settlement_currency: settlement.currency,
        dispute: Dispute { payment_method, card_brand, ..known.seen().clone() },
    }
}

fn warning_state(payment: &Payment, warning_id: &str, facts: &Facts) -> WarningState {
    let warning = &facts.warnings[warning_id];
    let named = warning.charge.as_ref().map(|link| link.value.clone());
    WarningState {
        warning_id: warning_id.to_owned(),
        payment_id: payment.payment_id.clone(),
        charge_id: named.or_else(|| payment.charge_id.clone()),
        card_brand: facts.card_brand(warning.charge.as_ref()).map(str::to_owned),
        warning: Warning { actionable: Some(facts.is_actionable(warning_id)), ..warning.best.value.clone() },
    }
}

fn review_state(payment: &Payment, review_id: &str, facts: &Child<Review>) -> ReviewState {
    let named = facts.charge.as_ref().map(|link| link.value.clone());
    ReviewState {
        review_id: review_id.to_owned(),
        payment_id: payment.payment_id.clone(),
        charge_id: named.or_else(|| payment.charge_id.clone()),
        review: facts.best.value.clone(),
    }
}

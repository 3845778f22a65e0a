//! Captured money that can be refunded, by the charge that holds it.
//!
//! Derives what Stripe would let be returned. Not here: what was requested and not yet seen, which is no fact.

use serde::{Deserialize, Serialize};

use super::facts::{DisputeFacts, Facts};
use super::money::{Source, sum};

/// The captured money of one charge; while a charge was not seen, what its PaymentIntent received. In minor units of the
/// payment's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The charge's id, or the intent's.
    pub object_id: String,
    /// When the charge was made, in unix seconds; none while it was not seen.
    #[serde(default)]
    pub created: Option<i64>,
    /// The card network; none for other payment methods, and while the charge was not seen.
    #[serde(default)]
    pub card_brand: Option<String>,
    /// Captured.
    pub amount_captured: i64,
    /// Refunded, pending refunds included.
    pub amount_refunded: i64,
    /// Of that, what no known refund explains.
    pub amount_unexplained: i64,
    /// Lost in disputes.
    pub amount_lost: i64,
    /// A chargeback is open: Stripe refuses refunds.
    pub charged_back: bool,
    /// Part of it went to a connected account.
    pub has_transfer: bool,
    /// The platform took an application fee.
    pub has_fee: bool,
}

/// All captured money of a payment.
pub(super) fn captures(facts: &Facts) -> Vec<Capture> {
    let unexplained = facts.unexplained();
    let charges = facts.captured_charges().map(|(id, best)| {
        let charge = &best.value;
        let of_charge = |dispute: &DisputeFacts| facts.charge_of_dispute(dispute) == Some(id);
        Capture {
            object_id: id.to_owned(),
            created: Some(charge.created),
            card_brand: charge.card_brand.clone(),
            amount_captured: charge.amount_captured,
            amount_refunded: facts.amount_refunded_of(id).min(charge.amount_captured),
            amount_unexplained: sum(unexplained.iter().filter(|u| u.charge_id == id).map(|u| u.amount)),
            amount_lost: facts.lost_where(of_charge),
            charged_back: facts.disputes.values().any(|d| of_charge(d) && d.seen().is_open_chargeback()),
            has_transfer: charge.has_transfer,
            has_fee: charge.has_fee,
        }
    });
    charges.chain(unseen(facts)).collect()
}

/// What an intent received beyond the charges seen.
fn unseen(facts: &Facts) -> Option<Capture> {
    let captured = sum(facts.captured_charges().map(|(_, best)| best.value.amount_captured));
    let (id, intent) = facts.intents.iter().next()?;
    let intent = &intent.best.value;
    let of_unseen = |dispute: &DisputeFacts| facts.charge_of_dispute(dispute).is_none_or(|id| facts.seen(id).is_none());
    let refunds = facts.refunds.values().filter(|refund| facts.source(refund) == Source::Unseen);
    let live = refunds.map(|refund| &refund.best.value).filter(|refund| refund.is_live());
    let amount_captured = intent.amount_received.saturating_sub(captured);
    (amount_captured > 0).then(|| Capture {
        object_id: id.clone(),
        created: None,
        card_brand: None,
        amount_captured,
        amount_refunded: sum(live.filter(|refund| facts.counts(&refund.currency)).map(|refund| refund.amount)),
        amount_unexplained: 0,
        amount_lost: facts.lost_where(of_unseen),
        charged_back: facts.disputes.values().any(|d| of_unseen(d) && d.seen().is_open_chargeback()),
        has_transfer: intent.has_transfer,
        has_fee: intent.has_fee,
    })
}

impl Facts {
    /// The charge a dispute is of: the one it names, else the payment's main charge.
    fn charge_of_dispute<'a>(&'a self, dispute: &'a DisputeFacts) -> Option<&'a str> {
        let named = dispute.child.charge.as_ref().map(|link| link.value.as_str());
        named.or_else(|| self.main_charge().map(|(id, _)| id))
    }

    /// What disputes of this kind lost, in the payment's currency.
    fn lost_where(&self, is_counted: impl Fn(&DisputeFacts) -> bool) -> i64 {
        let losses = self.losses();
        let counted = self.disputes.iter().filter(|(_, d)| is_counted(d) && self.counts(&d.seen().currency));
        sum(counted.map(|(id, _)| losses[id.as_str()]))
    }
}

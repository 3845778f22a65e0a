//! The verbs of Connect: what a captured charge transfers and what the platform keeps of it, and how refunds undo both.

use super::id::Id;
use super::objects::{ApplicationFee, Charge, Refund, Share, Transfer};
use super::{Account, Cause};

impl Account {
    /// Whether this is a connected account: its charges are direct ones, of which the platform may keep a fee.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// Shares what was captured, as the purchase says. The charge's own event follows and shows it.
    pub(super) fn share_out(&mut self, charge: &Id<Charge>, captured: i64) {
        let Share { destination, transfer_amount, application_fee } = self.get(charge).purchase.share.clone();
        if let Some(destination) = destination {
            let (id, amount) = (self.mint("tr_3"), transfer_amount.unwrap_or(captured).min(captured));
            let (charge_id, created) = (charge.clone(), self.now);
            let transfer =
                self.insert(Transfer { id, charge: charge_id, created, destination, amount, amount_reversed: 0 });
            self.get_mut(charge).transfer = Some(transfer.clone());
            self.emit(&transfer, &Cause::Stripe, "transfer.created");
        }
        if let Some(fee) = application_fee {
            let (id, amount) = (self.mint("fee_1"), fee.min(captured));
            let (charge_id, created) = (charge.clone(), self.now);
            let fee = self.insert(ApplicationFee { id, charge: charge_id, created, amount, amount_refunded: 0 });
            self.get_mut(charge).application_fee = Some(fee.clone());
            self.emit(&fee, &Cause::Stripe, "application_fee.created");
        }
    }

    /// Takes back the refund's share of the charge's transfer. The refund's own event follows and shows it.
    pub(super) fn reverse_transfer(&mut self, by: &Cause, refund: &Id<Refund>) {
        let Refund { charge, amount, .. } = self.get(refund).clone();
        let Charge { transfer: Some(transfer), amount_captured, .. } = self.get(&charge).clone() else { return };
        let reversal = self.ids.mint("trr_1");
        self.get_mut(refund).transfer_reversal = Some(reversal);
        self.change(&transfer, by, &["transfer.reversed"], |transfer| {
            let left = transfer.amount - transfer.amount_reversed;
            transfer.amount_reversed += share_of(transfer.amount, amount, amount_captured).min(left);
        });
    }

    /// Gives back the refund's share of the platform's fee.
    pub(super) fn refund_fee(&mut self, by: &Cause, refund: &Id<Refund>) {
        let Refund { charge, amount, .. } = self.get(refund).clone();
        let Charge { application_fee: Some(fee), amount_captured, .. } = self.get(&charge).clone() else { return };
        self.change(&fee, by, &["application_fee.refunded"], |fee| {
            let left = fee.amount - fee.amount_refunded;
            fee.amount_refunded += share_of(fee.amount, amount, amount_captured).min(left);
        });
    }
}

/// The part of `whole` that belongs to `part` of `all`, rounded down.
fn share_of(whole: i64, part: i64, all: i64) -> i64 {
    whole * part / all.max(1)
}

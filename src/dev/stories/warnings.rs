//! The verbs of early fraud warnings and Radar reviews: what others think of a payment. No money moves.

use serde_json::{Value, json};

use super::life::{Cause, ChargeNo, Life};

/// A warning that was given, to be settled later.
#[derive(Debug)]
pub(super) struct Warning {
    object: Value,
}

/// A review that was opened, to be closed later.
#[derive(Debug)]
pub(super) struct Review {
    object: Value,
}

impl Life {
    /// The issuer reports the payment as fraud; it is not disputed yet.
    pub(super) fn warn(&mut self, charge: ChargeNo) -> Warning {
        let id = self.ids.mint("issfr_1");
        let object = json!({
            "id": id,
            "object": "radar.early_fraud_warning",
            "actionable": true,
            "charge": self.charge_id(charge),
            "created": self.now,
            "fraud_type": "unauthorized_use_of_card",
            "livemode": self.scene.cast.livemode,
            "payment_intent": self.intent.id,
        });
        self.emit(&Cause::Stripe, "radar.early_fraud_warning.created", &object);
        Warning { object }
    }

    /// The warning calls for nothing any more: the payment was refunded in full, or disputed.
    pub(super) fn settle(&mut self, mut warning: Warning) {
        warning.object["actionable"] = json!(false);
        self.emit(&Cause::Stripe, "radar.early_fraud_warning.updated", &warning.object);
    }

    /// A Radar rule wants somebody to look at the payment.
    pub(super) fn open_review(&mut self, charge: ChargeNo) -> Review {
        let id = self.ids.mint("prv_1");
        let object = json!({
            "id": id,
            "object": "review",
            "billing_zip": self.scene.buyer.postal_code,
            "charge": self.charge_id(charge),
            "closed_reason": null,
            "created": self.now,
            "ip_address": null,
            "ip_address_location": null,
            "livemode": self.scene.cast.livemode,
            "open": true,
            "opened_reason": "rule",
            "payment_intent": self.intent.id,
            "reason": "rule",
            "session": null,
        });
        self.emit(&Cause::Stripe, "review.opened", &object);
        Review { object }
    }

    /// Somebody looked at it and found it good.
    pub(super) fn approve(&mut self, review: Review) {
        let request = self.request();
        self.close(&request, review, "approved");
    }

    /// A dispute of the payment makes the review pointless: Stripe closes it.
    pub(super) fn overtake(&mut self, review: Review) {
        self.close(&Cause::Stripe, review, "disputed");
    }

    fn close(&mut self, cause: &Cause, mut review: Review, reason: &str) {
        review.object["open"] = json!(false);
        review.object["closed_reason"] = json!(reason);
        review.object["reason"] = json!(reason);
        self.emit(cause, "review.closed", &review.object);
    }

    fn charge_id(&self, charge: ChargeNo) -> &str {
        &self.charges[charge.0].id
    }
}

//! Stripe's objects on the wire, in the shape of the life's API version.
//!
//! Says what Stripe would say; what an event truly showed is returned beside it.

use serde_json::{Map, Value, json};

use super::objects::{Charge, Dispute, Intent, Link, Refund, Review, Session, Sight, Warning, What};
use super::plan::{Links, Nested, Shape};
use super::world::Pay;

/// An object on the wire and what it shows.
pub(super) type Shown = (Value, Vec<Sight>);

/// Renders the objects of one payment.
pub(super) struct Renderer<'a> {
    pub shape: &'a Shape,
    pub pay: &'a Pay,
    pub payment: usize,
    /// Children name no intent in this event.
    pub faded: bool,
}

impl Renderer<'_> {
    pub(super) fn intent(&self, intent: &Intent) -> Shown {
        let latest = self.pay.charges.last().map(|charge| charge.id.as_str());
        let mut body = json!({
            "id": intent.id, "object": "payment_intent", "amount": intent.amount, "currency": intent.currency,
            "amount_received": intent.received, "status": intent.status, "livemode": self.livemode(),
            "last_payment_error": intent.last_attempt_failed.then(|| json!({"code": "card_declined"})),
            "latest_charge": latest,
            "metadata": metadata(intent.order.as_deref()),
        });
        let mut shows = vec![self.sight(true, latest, What::Intent(intent.clone()))];
        if self.shape.nested_charges {
            let charges: Vec<Shown> = self.pay.charges.iter().rev().map(|charge| self.charge(charge)).collect();
            let (data, nested): (Vec<Value>, Vec<Vec<Sight>>) = charges.into_iter().unzip();
            body["charges"] = json!({"object": "list", "has_more": false, "data": data});
            shows.extend(nested.into_iter().flatten());
        }
        (body, shows)
    }

    pub(super) fn charge(&self, charge: &Charge) -> Shown {
        let (shown, captured) = (charge.shown(), charge.shown_captured());
        let mut body = json!({
            "id": charge.id, "object": "charge", "amount": charge.amount, "currency": charge.currency,
            "amount_refunded": shown, "captured": captured > 0, "paid": charge.status == "succeeded",
            "refunded": charge.shown_refunded(), "created": charge.created,
            "payment_intent": self.pay.intent_id(), "livemode": self.livemode(),
            "metadata": metadata(charge.order.as_deref()),
        });
        if self.shape.amount_captured {
            body["amount_captured"] = json!(captured);
        }
        if self.shape.expands_balance && charge.settled && charge.status == "succeeded" {
            // Of what the capture released a second one gives back what this one took.
            let gross = charge.captured + charge.released;
            body["balance_transaction"] = json!({"id": format!("txn_{}", charge.id), "object": "balance_transaction",
                "amount": gross, "currency": charge.currency, "fee": 0, "created": charge.captured_at});
        }
        if self.shape.charge_status {
            body["status"] = json!(charge.status);
        }
        let mut shows = vec![self.sight(!self.shape.direct, Some(&charge.id), What::Charge(charge.clone()))];
        let nested: Vec<&Refund> =
            self.pay.refunds.iter().filter(|refund| refund.charge.as_deref() == Some(&charge.id)).collect();
        if let Some(list) = self.nested(&nested) {
            body["refunds"] = list;
            let of_charge = |sight| Sight { charge: Some(charge.id.clone()), ..sight };
            shows.extend(nested.into_iter().flat_map(|refund| self.refund(refund).1).map(of_charge));
        }
        (body, shows)
    }

    fn nested(&self, refunds: &[&Refund]) -> Option<Value> {
        let mut data: Vec<Value> = refunds.iter().rev().map(|refund| self.refund(refund).0).collect();
        match self.shape.nested_refunds {
            Nested::Absent => None,
            Nested::List => Some(json!({"object": "list", "has_more": false, "data": data})),
            Nested::BareArray => Some(json!(data)),
            Nested::WithoutStatus => {
                data.iter_mut().filter_map(Value::as_object_mut).for_each(|refund| drop(refund.remove("status")));
                Some(json!(data))
            }
        }
    }

    pub(super) fn refund(&self, refund: &Refund) -> Shown {
        let mut body = json!({
            "id": refund.id, "object": "refund", "amount": refund.amount, "currency": refund.currency,
            "status": refund.status, "created": refund.created, "metadata": if refund.bare { json!({}) } else { self.noise() },
            "reason": refund.reason,
        });
        let charge = refund.charge.as_deref();
        let names_intent = self.link(&mut body, charge, self.shape.refund_links);
        if !refund.is_live() {
            body["failure_reason"] = json!("unknown");
        }
        let named = charge.filter(|_| self.shape.refund_links != Links::Intent);
        let mut sight = self.sight(names_intent, named, What::Refund(refund.clone()));
        sight.payment = charge.map(|_| self.payment);
        (body, vec![sight])
    }

    pub(super) fn dispute(&self, dispute: &Dispute) -> Shown {
        let entries: Vec<Value> = (dispute.entries.iter())
            .map(|e| {
                json!({"id": e.id, "object": "balance_transaction", "amount": e.amount, "fee": e.fee,
                       "net": e.amount - e.fee, "currency": e.currency, "created": e.created, "type": "adjustment",
                       "exchange_rate": e.rate.filter(|_| self.shape.rates).map(decimal)})
            })
            .collect();
        let mut body = json!({
            "id": dispute.id, "object": "dispute", "amount": dispute.amount, "currency": dispute.currency,
            "status": dispute.status, "reason": "fraudulent", "created": dispute.created,
            "balance_transactions": entries, "is_charge_refundable": dispute.is_inquiry(),
            "livemode": self.livemode(), "metadata": self.noise(),
            "evidence_details": {"due_by": dispute.due_by, "has_evidence": dispute.staged, "past_due": false,
                                 "submission_count": dispute.submissions},
        });
        if self.shape.case_types {
            body["payment_method_details"] = match self.shape.method {
                "card" => json!({"type": "card", "card": {"case_type": case_type(dispute)}}),
                other => json!({"type": other}),
            };
        }
        let names_intent = self.link(&mut body, Some(&dispute.charge), self.shape.dispute_links);
        (body, vec![self.sight(names_intent, Some(&dispute.charge), What::Dispute(dispute.clone()))])
    }

    pub(super) fn session(&self, session: &Session) -> Shown {
        let body = json!({
            "id": session.id, "object": "checkout.session", "mode": "payment", "currency": session.currency,
            "payment_intent": session.intent, "payment_status": if session.paid { "paid" } else { "unpaid" },
            "client_reference_id": session.client, "metadata": metadata(session.order.as_deref()),
            "payment_link": session.payment_link.then_some("plink_1"), "livemode": self.livemode(),
        });
        let mut sight = self.sight(true, None, What::Session(session.clone()));
        sight.payment = session.intent.as_ref().map(|_| self.payment);
        (body, vec![sight])
    }

    pub(super) fn warning(&self, warning: &Warning) -> Shown {
        let mut body = json!({
            "id": warning.id, "object": "radar.early_fraud_warning", "actionable": warning.actionable,
            "fraud_type": "misc", "created": warning.created, "livemode": self.livemode(),
        });
        let names_intent = self.link(&mut body, Some(&warning.charge), self.shape.dispute_links);
        (body, vec![self.sight(names_intent, Some(&warning.charge), What::Warning(warning.clone()))])
    }

    pub(super) fn review(&self, review: &Review) -> Shown {
        let mut body = json!({
            "id": review.id, "object": "review", "open": review.open, "reason": review.reason,
            "opened_reason": "rule", "closed_reason": (!review.open).then_some(review.reason),
            "created": review.created, "livemode": self.livemode(),
        });
        let names_intent = self.link(&mut body, Some(&review.charge), self.shape.dispute_links);
        (body, vec![self.sight(names_intent, Some(&review.charge), What::Review(review.clone()))])
    }

    pub(super) fn order_link(&self, link: &Link, microsecond: usize) -> Shown {
        let body = json!({
            "object": "clawback.link", "id": link.id, "order_id": link.order, "microsecond": microsecond,
        });
        (body, vec![self.sight(false, None, What::Link(link.clone()))])
    }

    fn livemode(&self) -> bool {
        self.shape.scope(self.payment).1
    }

    /// Writes the links of a child; says whether the intent is named.
    fn link(&self, body: &mut Value, charge: Option<&str>, links: Links) -> bool {
        let intent = charge.and(self.pay.intent_id());
        let links = if self.faded && links == Links::Both { Links::Charge } else { links };
        body["charge"] = json!(charge.filter(|_| links != Links::Intent));
        body["payment_intent"] = json!(intent.filter(|_| links != Links::Charge));
        intent.is_some() && links != Links::Charge
    }

    fn noise(&self) -> Value {
        metadata(self.shape.noise.then_some("another-order"))
    }

    fn sight(&self, names_intent: bool, charge: Option<&str>, what: What) -> Sight {
        Sight { payment: Some(self.payment), names_intent, charge: charge.map(str::to_owned), what }
    }
}

fn metadata(order: Option<&str>) -> Value {
    let mut map = Map::new();
    map.insert("unrelated".to_owned(), json!("x"));
    if let Some(order) = order {
        map.insert("order_id".to_owned(), json!(order));
    }
    Value::Object(map)
}

/// So many percent as a rate, in as few digits as it takes.
#[expect(clippy::cast_precision_loss, reason = "a rate of a few digits")]
fn decimal(percent: i64) -> f64 {
    percent as f64 / 100.0
}

fn case_type(dispute: &Dispute) -> &'static str {
    match dispute.status {
        "prevented" => "resolution",
        _ if dispute.compliance => "compliance",
        _ if dispute.is_inquiry() => "inquiry",
        _ => "chargeback",
    }
}

//! Which payment each object belongs to.
//!
//! A payment is a payment intent, or a charge that has none. A child belongs to the payment of its charge or intent.
//! The owner is a function of the joined facts and never stored in them: when a link arrives, an object moves by
//! itself, with everything that belongs to it.

use std::collections::BTreeMap;

use super::facts::{Child, Facts};

impl Facts {
    /// Splits into one `Facts` per payment, by the payment's id. An object that names neither charge
    /// nor intent stands alone under its own id.
    #[must_use]
    pub fn by_payment(self) -> BTreeMap<String, Self> {
        let home = Homes(
            self.charges.iter().filter_map(|(id, c)| Some((id.clone(), c.intent.as_ref()?.value.clone()))).collect(),
        );
        let mut payments: BTreeMap<String, Self> = BTreeMap::new();
        for (id, dismissal) in self.dismissals {
            let warning = self.warnings.get(&id);
            let payment = warning.map_or_else(|| id.clone(), |warning| home.of_child(&id, warning));
            payments.entry(payment).or_default().dismissals.insert(id, dismissal);
        }
        for (id, intent) in self.intents {
            payments.entry(id.clone()).or_default().intents.insert(id, intent);
        }
        for (id, charge) in self.charges {
            payments.entry(home.of_charge(&id)).or_default().charges.insert(id, charge);
        }
        for (id, refund) in self.refunds {
            payments.entry(home.of_child(&id, &refund)).or_default().refunds.insert(id, refund);
        }
        for (id, dispute) in self.disputes {
            payments.entry(home.of_child(&id, &dispute.child)).or_default().disputes.insert(id, dispute);
        }
        for (id, session) in self.sessions {
            payments.entry(home.of_child(&id, &session.child)).or_default().sessions.insert(id, session);
        }
        for (id, warning) in self.warnings {
            payments.entry(home.of_child(&id, &warning)).or_default().warnings.insert(id, warning);
        }
        for (id, review) in self.reviews {
            payments.entry(home.of_child(&id, &review)).or_default().reviews.insert(id, review);
        }
        for (id, link) in self.order_links {
            payments.entry(home.of_charge(&id)).or_default().order_links.insert(id, link);
        }
        payments
    }

    /// Whether no object here is or names a charge or an intent. A link that somebody made from a payment to an order
    /// does not count.
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        self.intents.is_empty() && self.charges.is_empty() && self.links().next().is_none()
    }
}

/// The intent of each charge that has one.
struct Homes(BTreeMap<String, String>);

impl Homes {
    fn of_charge(&self, charge: &str) -> String {
        self.0.get(charge).map_or(charge, String::as_str).to_owned()
    }

    fn of_child<T>(&self, id: &str, child: &Child<T>) -> String {
        match (&child.intent, &child.charge) {
            (Some(intent), _) => intent.value.clone(),
            (None, Some(charge)) => self.of_charge(&charge.value),
            (None, None) => id.to_owned(),
        }
    }
}

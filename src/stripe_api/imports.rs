//! Whole lists by time of creation: what the state of an account is built from without its webhooks.

use super::client::Calls;
use super::pages::Pages;
use super::params::Params;
use super::path::Path;

/// When objects were created, in unix seconds; each end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// The first second.
    pub from: Option<i64>,
    /// The second after the last.
    pub before: Option<i64>,
}

impl Created {
    pub(super) fn params(self) -> Params {
        Params::new().set_some("created[gte]", self.from).set_some("created[lt]", self.before)
    }
}

impl Calls {
    /// Charges, each with its balance transaction.
    #[must_use]
    pub fn charges(&self, created: Created) -> Pages {
        let params = created.params().list("expand", ["data.balance_transaction"]);
        Pages::new(self, Path::of("/v1/charges"), params)
    }

    /// Payment intents.
    #[must_use]
    pub fn payment_intents(&self, created: Created) -> Pages {
        Pages::new(self, Path::of("/v1/payment_intents"), created.params())
    }

    /// Checkout sessions.
    #[must_use]
    pub fn checkout_sessions(&self, created: Created) -> Pages {
        Pages::new(self, Path::of("/v1/checkout/sessions"), created.params())
    }

    /// Refunds of all charges.
    #[must_use]
    pub fn refunds(&self, created: Created) -> Pages {
        Pages::new(self, Path::of("/v1/refunds"), created.params())
    }

    /// Disputes of all charges.
    #[must_use]
    pub fn disputes(&self, created: Created) -> Pages {
        Pages::new(self, Path::of("/v1/disputes"), created.params())
    }

    /// Early fraud warnings.
    #[must_use]
    pub fn early_fraud_warnings(&self, created: Created) -> Pages {
        Pages::new(self, Path::of("/v1/radar/early_fraud_warnings"), created.params())
    }

    /// Reviews that are open: Stripe lists no others.
    #[must_use]
    pub fn reviews(&self, created: Created) -> Pages {
        Pages::new(self, Path::of("/v1/reviews"), created.params())
    }

    /// Balance transactions, each with the object that it stems from.
    #[must_use]
    pub fn balance_transactions(&self, created: Created) -> Pages {
        let params = created.params().list("expand", ["data.source"]);
        Pages::new(self, Path::of("/v1/balance_transactions"), params)
    }
}

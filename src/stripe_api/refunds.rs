//! Refunds.

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::key::IdempotencyKey;
use super::pages::Pages;
use super::params::Params;
use super::path::Path;
use super::request::Request;

const REFUNDS: &str = "/v1/refunds";

/// What refunds or disputes are listed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// A charge.
    Charge(&'a str),
    /// A payment intent, with all its charges.
    PaymentIntent(&'a str),
}

impl Of<'_> {
    pub(super) fn params(self) -> Params {
        match self {
            Self::Charge(id) => Params::new().set("charge", id),
            Self::PaymentIntent(id) => Params::new().set("payment_intent", id),
        }
    }
}

impl Calls {
    /// Creates a refund. The parameters must be those that were stored with the key.
    ///
    /// # Errors
    /// [`Error`]; after [`Error::Unknown`] the refund may exist.
    pub async fn create_refund(&self, params: Params, key: &IdempotencyKey) -> Result<Answer, Error> {
        self.send(&Request::post(Path::of(REFUNDS), params, key)).await
    }

    /// A refund.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retrieve_refund(&self, id: &str) -> Result<Answer, Error> {
        self.send(&Request::get(Path::object(REFUNDS, id, None)?, Params::new())).await
    }

    /// Cancels a refund that requires action. Stripe refuses it for others, card refunds among them.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn cancel_refund(&self, id: &str, key: &IdempotencyKey) -> Result<Answer, Error> {
        self.send(&Request::post(Path::object(REFUNDS, id, Some("cancel"))?, Params::new(), key)).await
    }

    /// The refunds of a charge or payment intent.
    #[must_use]
    pub fn refunds_of(&self, of: Of<'_>) -> Pages {
        Pages::new(self, Path::of(REFUNDS), of.params())
    }
}

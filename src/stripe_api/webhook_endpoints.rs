//! Webhook endpoints, as they are set up at Stripe.

use super::client::Calls;
use super::pages::Pages;
use super::params::Params;
use super::path::Path;

impl Calls {
    /// The endpoints of the account.
    #[must_use]
    pub fn webhook_endpoints(&self) -> Pages {
        Pages::new(self, Path::of("/v1/webhook_endpoints"), Params::new())
    }
}

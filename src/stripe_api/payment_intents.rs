//! Payment intents.

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::params::Params;
use super::path::Path;
use super::request::Request;

impl Calls {
    /// A payment intent. `expand` names what comes with it, such as `latest_charge`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retrieve_payment_intent(&self, id: &str, expand: &[&str]) -> Result<Answer, Error> {
        let path = Path::object("/v1/payment_intents", id, None)?;
        self.send(&Request::get(path, Params::new().list("expand", expand))).await
    }
}

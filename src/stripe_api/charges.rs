//! Charges.

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::params::Params;
use super::path::Path;
use super::request::Request;

impl Calls {
    /// A charge. `expand` names what comes with it: `refunds` (the newest ten), `balance_transaction`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retrieve_charge(&self, id: &str, expand: &[&str]) -> Result<Answer, Error> {
        let path = Path::object("/v1/charges", id, None)?;
        self.send(&Request::get(path, Params::new().list("expand", expand))).await
    }
}

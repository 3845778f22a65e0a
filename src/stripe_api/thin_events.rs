//! Thin events, and the objects that they point to.

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::params::Params;
use super::path::Path;
use super::request::Request;

impl Calls {
    /// A thin event.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retrieve_thin_event(&self, id: &str) -> Result<Answer, Error> {
        self.send(&Request::get(Path::object("/v2/core/events", id, None)?, Params::new())).await
    }

    /// The object that a thin event points to by its `related_object.url`. The scope must be the event's.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Malformed`] when the URL is anything but a plain path below `/v1/` or `/v2/`.
    pub async fn retrieve_related(&self, url: &str) -> Result<Answer, Error> {
        self.send(&Request::get(Path::related(url)?, Params::new())).await
    }
}

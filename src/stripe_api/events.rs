//! Events: the list of the last 30 days, and single ones.

use super::answer::Answer;
use super::client::Calls;
use super::error::Error;
use super::imports::Created;
use super::pages::Pages;
use super::params::Params;
use super::path::Path;
use super::request::Request;

const EVENTS: &str = "/v1/events";

/// Which events are listed. Without any, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter<'a> {
    /// Their types, up to twenty as Stripe takes them.
    pub types: &'a [&'a str],
    /// When they were created.
    pub created: Created,
}

impl Calls {
    /// An event, as long as Stripe keeps it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn retrieve_event(&self, id: &str) -> Result<Answer, Error> {
        self.send(&Request::get(Path::object(EVENTS, id, None)?, Params::new())).await
    }

    /// Events, rendered in the API version that each was created with.
    #[must_use]
    pub fn events(&self, filter: &EventFilter<'_>) -> Pages {
        Pages::new(self, Path::of(EVENTS), filter.created.params().list("types", filter.types))
    }
}

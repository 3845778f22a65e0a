//! Sends signed events over HTTP, as Stripe would.

use std::error::Error;

use anyhow::{anyhow, bail};
use reqwest::{Client, StatusCode, Url};

use super::stories::StoryEvent;
use crate::app::unix_now;
use crate::stripe::signature::{self, Secret};

/// A receiver and what it expects events to be signed with.
pub(crate) struct Receiver<'a> {
    pub client: Client,
    pub url: &'a Url,
    pub secret: &'a Secret,
}

impl Receiver<'_> {
    /// Delivers one event.
    ///
    /// # Errors
    /// When there is no answer, or another one than 2xx.
    pub(super) async fn deliver(&self, event: &StoryEvent) -> anyhow::Result<StatusCode> {
        let header = signature::sign(self.secret, unix_now(), event.body.as_bytes());
        let request = self.client.post(self.url.clone()).header("Stripe-Signature", header).body(event.body.clone());
        let answer = request.send().await.map_err(|error| self.no_answer(&error))?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{} answered {status} to {}: {}", self.url, event.id, answer.text().await.unwrap_or_default());
        }
        Ok(status)
    }

    /// Which address did not answer, the one cause that says why, and what to do.
    fn no_answer(&self, error: &reqwest::Error) -> anyhow::Error {
        let (host, port) = (self.url.host_str().unwrap_or_default(), self.url.port_or_known_default().unwrap_or(80));
        let address = format!("{host}:{port}");
        if error.is_timeout() {
            return anyhow!("{address} did not answer in time: check that it is the receiver's address");
        }
        let mut cause: &dyn Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let cause = cause.to_string();
        let cause = cause.split(" (os error").next().unwrap_or_default();
        if error.is_connect() {
            anyhow!("cannot connect to {address}: {cause}; start a receiver with `clawback dev`, or set --url")
        } else {
            anyhow!("no answer from {address}: {cause}")
        }
    }
}

//! Sends signed events over HTTP, as Stripe would.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, StatusCode};

use super::sign::unix_now;
use crate::stories::StoryEvent;
use crate::stripe::signature::{self, Secret};

/// A client that gives up after `limit`. It goes straight to a receiver of one's own: a proxy of the environment is
/// for what lies outside, and would not reach loopback.
pub(super) fn client(limit: Duration) -> anyhow::Result<Client> {
    // Nothing happens when it was installed before.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().timeout(limit).no_proxy().build().context("cannot make an HTTP client")
}

/// A receiver and what it expects events to be signed with.
pub(super) struct Receiver<'a> {
    pub client: Client,
    pub url: &'a str,
    pub secret: &'a Secret,
}

impl Receiver<'_> {
    /// Delivers one event.
    ///
    /// # Errors
    /// When there is no answer, or another one than 2xx.
    pub(super) async fn deliver(&self, event: &StoryEvent) -> anyhow::Result<StatusCode> {
        let header = signature::sign(self.secret, unix_now(), event.body.as_bytes());
        let request = self.client.post(self.url).header("Stripe-Signature", header).body(event.body.clone());
        let answer = request.send().await.with_context(|| format!("no answer from {} to {}", self.url, event.id))?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{} answered {status} to {}: {}", self.url, event.id, answer.text().await.unwrap_or_default());
        }
        Ok(status)
    }
}

//! Sends signed events over HTTP, as Stripe would.

use anyhow::{Context, bail};
use reqwest::{Client, StatusCode};

use super::stories::StoryEvent;
use crate::app::unix_now;
use crate::stripe::signature::{self, Secret};

/// A receiver and what it expects events to be signed with.
pub(crate) struct Receiver<'a> {
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

//! Settings of notices: the webhook they are posted to, and when the daily one is.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{Misconfigured, secret};
use crate::notices::Webhook;

/// Where notices are posted. Without a URL there are none.
#[derive(Clone, Debug, Args)]
pub struct Notify {
    /// Slack-compatible incoming webhook to post reminders of deadlines and failed refunds to [default: none]
    #[arg(long, env = "CLAWBACK_NOTIFY_URL", hide_env_values = true)]
    pub notify_url: Option<SecretString>,
    /// A file that contains it
    #[arg(long, env = "CLAWBACK_NOTIFY_URL_FILE")]
    pub notify_url_file: Option<PathBuf>,
}

impl Notify {
    /// The webhook; none when none is set.
    ///
    /// # Errors
    /// [`Misconfigured`] when the file cannot be read or the URL is malformed or neither https nor on this machine.
    pub fn webhook(&self) -> Result<Option<Webhook>, Misconfigured> {
        let given = secret(&self.notify_url, &self.notify_url_file)?;
        let text = given.as_ref().map(|url| url.expose_secret().trim()).filter(|text| !text.is_empty());
        let webhook = text.map(Webhook::parse).transpose();
        webhook.map_err(|error| Misconfigured(format!("CLAWBACK_NOTIFY_URL: {error}")))
    }
}

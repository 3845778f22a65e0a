//! The webhook that notices are posted to. Its URL is a secret: whoever knows it can post.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::json;

/// Time limit of a post.
const TIME: Duration = Duration::from_secs(10);

/// Why a webhook was refused. Quotes nothing of its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is no URL.
    #[error("expected a URL such as https://hooks.slack.com/services/…")]
    Malformed,
    /// What is posted could be read on the way.
    #[error("expected https: only a receiver on this machine may be reached without TLS")]
    Exposed,
    /// No client could be made.
    #[error("cannot set up TLS")]
    Tls,
}

/// A Slack-compatible incoming webhook.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    http: Client,
}

impl Webhook {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`WebhookError`] when it is malformed, or neither https nor on this machine.
    pub fn parse(text: &str) -> Result<Self, WebhookError> {
        let url: Url = text.trim().parse().map_err(|_| WebhookError::Malformed)?;
        let host = url.host_str().ok_or(WebhookError::Malformed)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(WebhookError::Exposed),
            _ => return Err(WebhookError::Malformed),
        }
        // Fails when one is installed already, which is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder().timeout(TIME).redirect(Policy::none());
        // The proxy of the environment would not reach this machine.
        let http = if loopback { http.no_proxy() } else { http };
        Ok(Self { url, http: http.build().map_err(|_| WebhookError::Tls)? })
    }

    /// Posts a message. The error says why it was not taken, without the URL.
    pub(super) async fn post(&self, text: &str) -> Result<(), String> {
        let body = json!({ "text": text }).to_string();
        let request = self.http.post(self.url.clone()).header("Content-Type", "application/json").body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the webhook answered {}", answer.status())),
            Err(error) if error.is_timeout() => Err(format!("the webhook did not answer within {} s", TIME.as_secs())),
            Err(error) => Err(format!("the webhook cannot be reached: {}", root_cause(&error))),
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(…)")
    }
}

/// The innermost reason, which names no URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Webhook, WebhookError};

    #[test]
    fn a_webhook_is_reached_with_tls_or_on_this_machine_and_never_shown() {
        for url in ["https://hooks.example/secret", "http://127.0.0.1:1/secret", "http://[::1]:1/", "http://localhost/"]
        {
            let webhook = Webhook::parse(url).expect(url);
            assert_eq!(format!("{webhook:?}"), "Webhook(…)");
        }
        for (url, error) in [
            ("http://hooks.example/secret", WebhookError::Exposed),
            ("ftp://hooks.example/secret", WebhookError::Malformed),
            ("hooks.example", WebhookError::Malformed),
            ("", WebhookError::Malformed),
        ] {
            assert_eq!(Webhook::parse(url).err(), Some(error), "{url}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}

//! An HTTP client for receivers on this machine.

use std::time::Duration;

use anyhow::Context;
use reqwest::Client;

/// A client that gives up after `limit`. It goes straight to a receiver of one's own: a proxy of the environment is
/// for what lies outside, and would not reach loopback.
pub(crate) fn client(limit: Duration) -> anyhow::Result<Client> {
    // Nothing happens when it was installed before.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().timeout(limit).no_proxy().build().context("cannot make an HTTP client")
}

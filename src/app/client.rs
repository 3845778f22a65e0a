//! An HTTP client for receivers on this machine.

use std::time::Duration;

use anyhow::Context;
use reqwest::Client;

/// A client with this time-out. It ignores the proxy of the environment, which would not reach loopback.
pub(crate) fn client(limit: Duration) -> anyhow::Result<Client> {
    // Fails when one is installed already, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().timeout(limit).no_proxy().build().context("cannot make an HTTP client")
}

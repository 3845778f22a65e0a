//! The operators' console as a part of the service. Not here: its pages ([`crate::console`]).

use std::path::Path;

use axum::Extension;
use tokio_util::sync::CancellationToken;

use super::config::Listen;
use super::sockets::{bind, bind_unix};
use crate::console;
use crate::console::settings::{Entry, Settings};
use crate::evidence::Policy;
use crate::http::server::{self, Listener};
use crate::intake::Availability;

/// A console that is configured and not started.
#[derive(Debug)]
pub struct Console {
    /// Where it listens.
    pub listener: Listener,
    /// How it is reached, and who may enter.
    pub settings: Settings,
}

impl Console {
    /// Binds the socket of a console.
    pub(crate) async fn bind(listen: &Listen, settings: Settings) -> anyhow::Result<Self> {
        const VARIABLE: &str = "CLAWBACK_CONSOLE_LISTEN";
        let listener = match listen {
            Listen::Tcp(address) => bind(*address, VARIABLE)?.into(),
            Listen::Unix(path) => bind_unix(path, VARIABLE).await?.into(),
        };
        Ok(Self { listener, settings })
    }

    /// Serves until `stop` is cancelled, as [`server::serve`] does. `policy`: what drafts of evidence are filled in from.
    pub(super) async fn run(self, policy: Policy, intake: Availability, stop: CancellationToken) {
        let router = console::router(self.settings, policy).layer(Extension(intake));
        server::serve(self.listener, router, stop).await;
    }

    /// Logs where it is and who may enter.
    pub(super) fn log_start(&self) {
        let Settings { url, users, entry, is_read_only, .. } = &self.settings;
        let listen = place(&self.listener);
        let entry = match entry {
            Entry::Password => "password",
            Entry::Proxy { header, .. } => header.as_str(),
            Entry::Token { .. } => "one-time link",
        };
        tracing::info!(
            console.listen = listen,
            console.url = %url,
            console.users = users.count(),
            console.entry = entry,
            console.read_only = is_read_only,
            "console listening on {listen}, at {url}, log-in by {entry}{}",
            if *is_read_only { ", read-only" } else { "" },
        );
    }
}

/// The address or path, for the log.
fn place(listener: &Listener) -> String {
    match listener {
        Listener::Tcp(listener) => listener.local_addr().map_or_else(|error| error.to_string(), |at| at.to_string()),
        Listener::Unix(listener) => {
            let address = listener.local_addr().ok();
            let path = address.as_ref().and_then(|address| address.as_pathname());
            format!("unix:{}", path.unwrap_or(Path::new("")).display())
        }
    }
}

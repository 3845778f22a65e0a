//! Signing secrets and API keys in files are read again on SIGHUP, so that a rotation needs no restart.
//!
//! All of them are replaced or none: one that cannot be read leaves the former ones in use. Not here: the password of the
//! database, for which the service is restarted, and the console's users, whose file is watched.

use std::sync::Arc;

use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::acting::Acting;
use super::config::{Misconfigured, Signing, StripeApi};
use crate::store::session::{self, within};
use crate::stripe::signature::{Modes, Secrets};
use crate::terminal::error_chain::error_chain;

/// Where the secrets come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The secrets that events are signed with.
    pub signing: Signing,
    /// The keys of Stripe's API.
    pub stripe_api: StripeApi,
}

impl Sources {
    /// Whether there is a file to read again.
    fn has_files(&self) -> bool {
        let Self { signing, stripe_api } = self;
        let files = [
            &signing.webhook_secrets_file,
            &signing.webhook_secret_file,
            &stripe_api.api_keys_file,
            &stripe_api.api_key_file,
        ];
        files.into_iter().any(Option::is_some)
    }
}

/// What is replaced.
#[derive(Debug)]
pub(super) struct InUse {
    pub secrets: watch::Sender<Arc<Secrets>>,
    pub acting: Acting,
    pub database: PgConnectOptions,
}

/// Reads the secrets again on each signal, until `stop` is cancelled.
pub(super) async fn run(sources: Sources, in_use: InUse, mut asked: Signal, stop: CancellationToken) {
    while let Some(Some(())) = stop.run_until_cancelled(asked.recv()).await {
        if !sources.has_files() {
            tracing::warn!("no secret comes from a file: variables and arguments change by a restart");
            continue;
        }
        match read(&sources, &in_use) {
            Ok(what) => {
                tracing::info!("secrets read again: {what}");
                try_refused_keys_again(&in_use).await;
            }
            Err(error) => tracing::error!("secrets not read again, the former ones stay in use: {error}"),
        }
    }
}

/// Replaces the secrets, and counts them.
fn read(sources: &Sources, in_use: &InUse) -> Result<String, Misconfigured> {
    let (secrets, settings) = Misconfigured::both(sources.signing.secrets(), sources.stripe_api.settings())?;
    in_use.acting.use_keys(settings.keys)?;
    let what = counted(&secrets);
    in_use.secrets.send_replace(Arc::new(secrets));
    Ok(what)
}

fn counted(secrets: &Secrets) -> String {
    let of = |modes: Modes| secrets.iter().filter(|secret| secret.modes() == modes).count();
    let (any, live, test) = (of(Modes::Both), of(Modes::Live), of(Modes::Test));
    format!("signing secrets: {any} for any mode, {live} for live mode, {test} for test mode")
}

/// Accounts that wait because Stripe refused the former key need not wait for the end of their pause.
async fn try_refused_keys_again(in_use: &InUse) {
    let begun = async {
        let mut conn = session::open(&in_use.database).await?;
        in_use.acting.begin(&mut conn).await?;
        conn.close().await
    };
    if let Err(error) = within(begun).await {
        tracing::warn!("accounts whose key was refused wait until their pause is over: {}", error_chain(&error));
    }
}

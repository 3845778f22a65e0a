//! Configuration: flags, each with an environment variable, and secrets from files.
//!
//! A missing or malformed setting is a [`Misconfigured`]: one line that names it and says how to fix it, without any
//! secret.

mod console;
mod notify;
pub(crate) mod retention;
mod stripe_api;
mod url;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::desk::Limit;
use crate::domain::Marks;
use crate::evidence::Policy;
use crate::stripe::signature::Secrets;

pub use self::console::{Console, Listen};
pub use self::notify::Notify;
pub use self::retention::Retention;
pub use self::stripe_api::StripeApi;

/// A year, in seconds.
const YEAR: i64 = 365 * 86_400;

/// A setting that is missing or malformed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub(crate) String);

impl Misconfigured {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// Both values, or everything that is wrong with either.
    pub(crate) fn both<A, B>(a: Result<A, Self>, b: Result<B, Self>) -> Result<(A, B), Self> {
        match (a, b) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(a), Err(b)) => Err(Self(format!("{a}; {b}"))),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }
}

/// The database.
#[derive(Clone, Debug, Args)]
pub struct Database {
    /// Postgres 14 or newer, as postgres://user:password@host/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true, help_heading = "Connection")]
    pub database_url: Option<SecretString>,
    /// A file that contains it
    #[arg(long, env = "DATABASE_URL_FILE", global = true, help_heading = "Connection")]
    pub database_url_file: Option<PathBuf>,
}

/// The secrets that events are signed with.
#[derive(Clone, Debug, Args)]
pub struct Signing {
    /// One or more whsec_… secrets, separated by commas or white space; live:whsec_… and test:whsec_…
    /// accept only events of that mode
    #[arg(long, env = "STRIPE_WEBHOOK_SECRETS", hide_env_values = true)]
    pub webhook_secrets: Option<SecretString>,
    /// A file that contains them
    #[arg(long, env = "STRIPE_WEBHOOK_SECRETS_FILE")]
    pub webhook_secrets_file: Option<PathBuf>,
    /// The same as --webhook-secrets, for a single secret
    #[arg(long, env = "STRIPE_WEBHOOK_SECRET", hide_env_values = true)]
    pub webhook_secret: Option<SecretString>,
    /// A file that contains it
    #[arg(long, env = "STRIPE_WEBHOOK_SECRET_FILE")]
    pub webhook_secret_file: Option<PathBuf>,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

/// The settings of `serve` and `dev`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// The database.
    #[command(flatten)]
    pub database: Database,
    /// The secrets that events are signed with.
    #[command(flatten)]
    pub signing: Signing,
    /// The keys of Stripe's API.
    #[command(flatten)]
    pub stripe_api: StripeApi,
    /// Where notices are posted.
    #[command(flatten)]
    pub notify: Notify,
    /// Hour of the daily notice, in UTC
    #[arg(long, env = "CLAWBACK_NOTIFY_HOUR", default_value_t = 7, value_parser = clap::value_parser!(u8).range(0..=23))]
    pub notify_hour: u8,
    /// What is removed once it is old enough.
    #[command(flatten)]
    pub retention: Retention,
    /// What a refund does with the transfer of a Connect charge: reverse or keep it [default: refuse such refunds]
    #[arg(long, env = "CLAWBACK_REFUND_TRANSFERS", value_parser = ["reverse", "keep"])]
    pub refund_transfers: Option<String>,
    /// What a refund does with the application fee of a Connect charge: refund or keep it [default: refuse such refunds]
    #[arg(long, env = "CLAWBACK_REFUND_FEES", value_parser = ["refund", "keep"])]
    pub refund_fees: Option<String>,
    /// Address for webhooks and probes [default: 0.0.0.0:8080; dev: 127.0.0.1:8080]
    #[arg(long, env = "CLAWBACK_LISTEN", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Address for metrics: never the public one [default: 127.0.0.1:9090]
    #[arg(long, env = "CLAWBACK_ADMIN_LISTEN", value_parser = address)]
    pub admin_listen: Option<SocketAddr>,
    /// Metadata key that holds the merchant's order reference
    #[arg(long, env = "CLAWBACK_ORDER_KEY", default_value = "order_id", value_parser = order_key)]
    pub order_key: String,
    /// Confirm that the order key differs from before: every payment is rebuilt
    #[arg(long, env = "CLAWBACK_ORDER_KEY_CHANGED", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub order_key_changed: bool,
    /// How long before the deadline for evidence reminders are enqueued
    #[arg(long, env = "CLAWBACK_EVIDENCE_MARKS", default_value = "7d,72h,24h", value_parser = evidence_marks)]
    pub evidence_marks: Marks,
    /// Submit a complete draft this long before the deadline for evidence, such as 12h [default: never]
    #[arg(long, env = "CLAWBACK_AUTO_SUBMIT", value_name = "DURATION", value_parser = auto_submit)]
    pub auto_submit: Option<Duration>,
    /// Accept chargebacks of these reasons below these amounts, in minor units of the settlement currency, such as
    /// duplicate=1000eur,general=500eur; announced a day before, and cancelled by any change of the draft
    #[arg(long, env = "CLAWBACK_AUTO_ACCEPT_BELOW", value_name = "LIMITS", value_delimiter = ',', value_parser = Limit::parse)]
    pub auto_accept_below: Vec<Limit>,
    /// The policy file for drafts of evidence: metadata keys, policy texts and documents, and who signs the letter
    #[arg(long, env = "CLAWBACK_EVIDENCE_POLICY", value_name = "FILE")]
    pub evidence_policy: Option<PathBuf>,
    /// Begin a draft when a dispute arrives, filled in with what is known
    #[arg(long, env = "CLAWBACK_AUTO_DRAFT", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub auto_draft: bool,
    /// Maximum age of a signature, and how far in the future it may be
    #[arg(long, env = "CLAWBACK_TOLERANCE", default_value = "300s", value_parser = tolerance)]
    pub tolerance: Duration,
    /// Maximum request body size
    #[arg(long, env = "CLAWBACK_MAX_BODY", default_value = "1MiB", value_parser = max_body)]
    pub max_body: usize,
    /// Run pending migrations first
    #[arg(long, env = "CLAWBACK_MIGRATE", default_value_t = true, action = clap::ArgAction::Set)]
    pub migrate: bool,
    /// Log format [default: pretty on a terminal, else json]
    #[arg(long, env = "CLAWBACK_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl Database {
    /// The connection options.
    ///
    /// # Errors
    /// [`Misconfigured`] when the URL is missing or malformed.
    pub fn options(&self) -> Result<PgConnectOptions, Misconfigured> {
        let url = secret(&self.database_url, &self.database_url_file)?.ok_or_else(|| {
            Misconfigured("DATABASE_URL is missing: set it to postgres://user:password@host/database".to_owned())
        })?;
        Ok(url::read("DATABASE_URL", url.expose_secret().trim())?.application_name("clawback"))
    }
}

impl Signing {
    /// The secrets, as text; none when none is given.
    ///
    /// # Errors
    /// [`Misconfigured`] when a file cannot be read.
    pub fn given(&self) -> Result<Option<SecretString>, Misconfigured> {
        match secret(&self.webhook_secrets, &self.webhook_secrets_file)? {
            Some(secrets) => Ok(Some(secrets)),
            None => secret(&self.webhook_secret, &self.webhook_secret_file),
        }
    }

    /// The secrets.
    ///
    /// # Errors
    /// [`Misconfigured`] when there is none, or one that does not begin with `whsec_`.
    pub fn secrets(&self) -> Result<Secrets, Misconfigured> {
        let text = self.given()?.ok_or_else(|| {
            Misconfigured(
                "STRIPE_WEBHOOK_SECRETS is missing: set it to the endpoint's signing secret, whsec_…".to_owned(),
            )
        })?;
        Secrets::parse(text.expose_secret()).map_err(|error| Misconfigured(format!("STRIPE_WEBHOOK_SECRETS: {error}")))
    }
}

/// The policy for drafts of evidence, an empty one when none is configured. Paths in it are relative to the file.
pub(crate) fn evidence_policy(file: Option<&Path>) -> Result<Policy, Misconfigured> {
    let Some(file) = file else { return Ok(Policy::default()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| Misconfigured(format!("cannot read the evidence policy {}: {error}", file.display())))?;
    let mut policy = Policy::parse(&text)
        .map_err(|error| Misconfigured(format!("the evidence policy {}: {error}", file.display())))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    for standing in policy.refund_policy.iter_mut().chain(&mut policy.cancellation_policy) {
        standing.file = standing.file.take().map(|path| folder.join(path).to_string_lossy().into_owned());
    }
    Ok(policy)
}

/// A value given directly, else the content of a file. An empty variable counts as unset.
fn secret(value: &Option<SecretString>, file: &Option<PathBuf>) -> Result<Option<SecretString>, Misconfigured> {
    match (value.as_ref().filter(|value| !value.expose_secret().trim().is_empty()), file) {
        (Some(value), _) => Ok(Some(value.clone())),
        (None, Some(file)) => read(file).map(Some),
        (None, None) => Ok(None),
    }
}

/// An empty variable counts as unset.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn read(file: &Path) -> Result<SecretString, Misconfigured> {
    let text = std::fs::read_to_string(file);
    text.map(SecretString::from)
        .map_err(|error| Misconfigured(format!("cannot read the secret file {}: {error}", file.display())))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, such as 0.0.0.0:8080".to_owned())
}

fn order_key(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it must name the metadata key of your order reference, such as order_id".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) fn evidence_marks(text: &str) -> Result<Marks, String> {
    let mark = |word: &str| {
        let seconds = i64::try_from(word.parse::<humantime::Duration>().ok()?.as_secs()).ok()?;
        (60..=YEAR).contains(&seconds).then(|| (word.to_owned(), seconds))
    };
    let marks: Option<Vec<_>> = text.split(',').map(|word| mark(word.trim())).collect();
    match marks {
        Some(marks) if marks.iter().map(|(_, seconds)| seconds).collect::<HashSet<_>>().len() == marks.len() => {
            Ok(Marks::new(marks))
        }
        _ => Err("expected different durations between a minute and a year, such as 7d,72h,24h".to_owned()),
    }
}

fn auto_submit(text: &str) -> Result<Duration, String> {
    match text.parse::<humantime::Duration>() {
        Ok(before) if (3_600..=14 * 86_400).contains(&before.as_secs()) => Ok(before.into()),
        Ok(_) => Err("it must be between 1h and 14d".to_owned()),
        Err(_) => Err("expected a duration such as 12h".to_owned()),
    }
}

pub(crate) fn tolerance(text: &str) -> Result<Duration, String> {
    let given = if text.bytes().all(|b| b.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() };
    match given.parse::<humantime::Duration>() {
        Ok(duration) if duration.as_secs() >= 1 => Ok(duration.into()),
        Ok(_) => Err("it must be at least 1s: 0 would accept any age".to_owned()),
        Err(_) => Err("expected a duration such as 300s or 5m".to_owned()),
    }
}

fn max_body(text: &str) -> Result<usize, String> {
    match text.parse::<bytesize::ByteSize>().map(|size| usize::try_from(size.as_u64()).unwrap_or(usize::MAX)) {
        Ok(size) if (1024..=64 << 20).contains(&size) => Ok(size),
        Ok(_) => Err("it must be between 1KiB and 64MiB".to_owned()),
        Err(_) => Err("expected a size such as 1MiB".to_owned()),
    }
}

//! `clawback dev`: the service on a private Postgres, with a line for each event and what it changed.
//!
//! The signing secret is made up when none is given. Database and secret are thrown away at the end, unless a folder
//! is named that keeps them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::console::{self, Where};
use super::double::{self, Double};
use super::feed::Feed;
use super::local_postgres::{Durability, Folder, LocalPostgres, Options};
use crate::app::{self, Service};
use crate::app::{config, logging, migrate};
use crate::terminal::{self, say};

/// The service's own log must not drown the lines of the events, which tell of failed events already.
const LOG: &str = "warn,clawback::apply=off";

/// The key for the double.
const KEY: &str = "sk_test_dev";

#[derive(Debug, Args)]
#[command(
    mut_arg("database_url", |arg| arg.hide(true)),
    mut_arg("database_url_file", |arg| arg.hide(true)),
    mut_arg("migrate", |arg| arg.hide(true))
)]
pub(crate) struct Dev {
    /// Keep the database and the signing secret in this folder [default: delete them at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Run a double of Stripe's API beside the service, whose webhooks come here
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:12111", value_parser = double::loopback)]
    with_stripe: Option<SocketAddr>,
    /// Loopback address of the operators' console, or off
    #[arg(long, env = "CLAWBACK_CONSOLE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8081", value_parser = console::parse)]
    console: Where,
    /// Those of the database are not used: it is private.
    #[command(flatten)]
    serve: config::Serve,
}

pub(crate) async fn run(args: Dev) -> anyhow::Result<()> {
    let Dev { mut serve, data, with_stripe, console } = args;
    let _logs = logging::start_with(serve.log_format, LOG)?;
    let public = app::bind(serve.listen.unwrap_or(loopback(8080)), "CLAWBACK_LISTEN")?;
    let private = app::bind(serve.admin_listen.unwrap_or(loopback(0)), "CLAWBACK_ADMIN_LISTEN")?;
    let stripe = match with_stripe {
        Some(address) => Some(app::bind(address, "--with-stripe")?),
        None => None,
    };
    let console = console::bind(console).await?;
    let stop = app::asked_to_stop()?;
    let folder = data.as_deref().map(Folder::open).transpose()?;
    let secret = secret(&serve.signing, folder.as_ref())?;
    let kept = folder.as_ref().map(|folder| folder.path().to_owned());
    let postgres = LocalPostgres::start_in(folder, &Options::from_env(Durability::Durable)).await?;
    let url = postgres.url("postgres");
    serve.signing.webhook_secrets = Some(secret.clone());
    serve.database.database_url = Some(SecretString::from(url.clone()));
    if let Some(listener) = &stripe {
        act_on(&mut serve.stripe_api, listener.local_addr()?);
    }
    let mut service = Service::configured(&serve)?;
    let console = console.map(|listener| console::entered_by_link(listener, &service.database)).transpose()?;
    let (console, link) = console.unzip();
    service.console = console;
    let stripe = stripe.map(|listener| start_double(listener, &public, &secret)).transpose()?;
    let listeners = (&public, &private, stripe.as_ref().map(|(address, _)| *address));
    let (kept, link) = (kept.as_deref(), link.as_deref());
    let welcome = Welcome { listeners, console: link, secret: &secret, url: &url, kept }.text()?;
    let outcome = watch(service, public, private, stop, &welcome).await;
    if let Some((_, double)) = stripe {
        double.abort();
    }
    postgres.stop().await.context("the private Postgres did not stop")?;
    outcome
}

/// Serves a double of Stripe that sends its webhooks to the service. Its address, and its task.
fn start_double(
    listener: TcpListener,
    service: &TcpListener,
    secret: &SecretString,
) -> anyhow::Result<(SocketAddr, JoinHandle<std::io::Result<()>>)> {
    let (address, service) = (listener.local_addr()?, service.local_addr()?);
    let mut pieces = secret.expose_secret().split(|c: char| c == ',' || c.is_whitespace());
    let first = pieces.find(|piece| !piece.is_empty()).unwrap_or_default();
    let key = first.trim_start_matches("test:").trim_start_matches("live:");
    let double = Double::new(Uuid::new_v4().as_u64_pair().0)?;
    double.send_webhooks_to(&format!("http://{service}/webhooks/stripe"), key)?;
    Ok((address, tokio::spawn(double::serve(double, listener))))
}

/// All calls go to the double, with a key of its own: the payments there are not those of an account at Stripe.
fn act_on(stripe_api: &mut config::StripeApi, double: SocketAddr) {
    let base = format!("http://{double}");
    stripe_api.stripe_api_base = Some(base.clone());
    stripe_api.stripe_files_base = Some(base);
    stripe_api.api_keys = Some(SecretString::from(KEY));
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The secret that was given, else the one that the folder keeps, else a new one.
fn secret(given: &config::Signing, folder: Option<&Folder>) -> anyhow::Result<SecretString> {
    if let Some(secret) = given.given()? {
        return Ok(secret);
    }
    let new = format!("whsec_{}", Uuid::new_v4().simple());
    let secret = match folder {
        Some(folder) => folder.keep("signing-secret", new).context("cannot keep the signing secret")?,
        None => new,
    };
    Ok(SecretString::from(secret))
}

/// Runs the service until it is stopped, and prints what it does.
async fn watch(
    service: Service,
    public: TcpListener,
    private: TcpListener,
    stop: impl Future<Output = ()>,
    welcome: &str,
) -> anyhow::Result<()> {
    migrate::for_stories(&service.database).await.context("cannot migrate the private Postgres")?;
    let mut feed = Feed::start(&service.database).await?;
    let stop = async {
        stop.await;
        say!("stopping …");
    };
    terminal::print(format_args!("{welcome}"));
    let outcome = tokio::select! {
        outcome = service.run(public, private, stop) => outcome,
        never = feed.follow() => match never {},
    };
    let last = feed.print_new().await.context("cannot read the last events from the private Postgres");
    outcome.and(last)
}

/// How to make a dispute that the double knows, and how to answer it.
fn dispute_at(double: SocketAddr, database: &str) -> String {
    format!(
        "Make a dispute that you can respond to (the double does not know those of simulate), and set what `disputes` needs:\n  \
         curl http://{double}/v1/payment_intents -u {KEY}: -d amount=12000 -d currency=eur -d confirm=true \
         -d payment_method=pm_card_createDisputeProductNotReceived -d 'metadata[order_id]=o_1' \
         -d 'shipping[name]=Jane Doe' -d 'shipping[address][line1]=2 Side Street' -d 'shipping[address][city]=Berlin' \
         -d 'shipping[address][postal_code]=10115' -d 'shipping[address][country]=DE' \
         -d 'shipping[carrier]=DHL' -d 'shipping[tracking_number]=JD0146'\n  \
         export STRIPE_API_KEYS={KEY} STRIPE_API_BASE=http://{double} DATABASE_URL='{database}'\n"
    )
}

/// What is said at the start.
struct Welcome<'a> {
    /// The endpoint, the metrics, and the double of Stripe if there is one.
    listeners: (&'a TcpListener, &'a TcpListener, Option<SocketAddr>),
    /// The link that opens the console, unless it is off.
    console: Option<&'a str>,
    secret: &'a SecretString,
    url: &'a str,
    /// The folder that keeps the data.
    kept: Option<&'a Path>,
}

impl Welcome<'_> {
    fn text(&self) -> anyhow::Result<String> {
        let Self { listeners: (public, private, stripe), secret, url, .. } = self;
        let console = self.console.map(|link| format!("console    {link}\n")).unwrap_or_default();
        let (public, private) = (public.local_addr()?, private.local_addr()?);
        let double = stripe.map(|at| {
            format!("stripe     http://{at}, a double that all calls are made to; http://{at}/_double controls it\n")
        });
        let double = double.unwrap_or_default();
        let dispute = stripe.map(|at| dispute_at(at, url)).unwrap_or_default();
        let secret = secret.expose_secret().trim();
        // Under make the binary is on no PATH.
        let binary = std::env::current_exe().map_or_else(|_| "clawback".to_owned(), |path| path.display().to_string());
        let data = match self.kept {
            Some(folder) => format!("kept in {}", folder.display()),
            None => "deleted when you stop; --data DIR keeps it".to_owned(),
        };
        Ok(format!(
            "\n\
             Clawback is running. Ctrl-C stops it.\n\n\
             endpoint   http://{public}/webhooks/stripe\n\
             metrics    http://{private}/metrics\n\
             {console}\
             {double}\
             secret     {secret}\n\
             database   {url}\n\
             data       {data}\n\n\
             Send sample events:\n  \
             CLAWBACK_SIMULATE_SECRET='{secret}' {binary} simulate chargeback-open --url http://{public}/webhooks/stripe\n\
             {dispute}\
             Forward events of your Stripe account (start again with the secret that it prints in STRIPE_WEBHOOK_SECRETS):\n  \
             stripe listen --forward-to {public}/webhooks/stripe\n\
             Show the resulting orders:\n  \
             psql '{url}' -c 'select order_id, state, amount_paid, amount_refunded, hold, evidence_due_by from clawback_v1.orders'\n\n\
             Each event and what it changed, times in UTC:\n\n"
        ))
    }
}

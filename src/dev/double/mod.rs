//! A stateful double of Stripe's API on the model of Stripe: `clawback stripe-double`, `clawback dev --with-stripe`, and
//! the tests.
//!
//! It follows Stripe's documentation and was not recorded from Stripe. It uses no rule of the core: a double that shared
//! them would agree with every mistake in them. What it supports and what it does not is in `docs/STRIPE-DOUBLE.md`.
//!
//! | file | its job |
//! |---|---|
//! | `server`, `wire`, `call` | connections and webhooks; requests and answers as HTTP has them; one request from its log entry to its answer |
//! | `routes`, `params`, `lists`, `expand`, `refusal` | the API's conventions: paths, parameters, pages, errors |
//! | `payments`, `charges`, `sessions`, `refunds`, `disputes`, `evidence`, `enhanced`, `files`, `balance`, `events`, `thin` | the operations, one file for each family |
//! | `world`, `books`, `calendar`, `keys`, `idempotency`, `requests`, `webhooks`, `faults` | what it knows |
//! | `control`, `bank` | the control API |
//! | `life`, `life_disputes`, `player`, `truth`, `responses` | random activity for property tests, and what is true after it: payments, answers to disputes |

mod balance;
mod bank;
mod books;
mod calendar;
mod call;
mod charges;
mod control;
mod disputes;
mod enhanced;
mod events;
mod evidence;
mod expand;
mod faults;
mod files;
mod idempotency;
mod keys;
mod life;
mod life_disputes;
mod lists;
mod params;
mod payments;
mod player;
mod refunds;
mod refusal;
mod requests;
mod responses;
mod routes;
mod server;
mod sessions;
mod thin;
mod truth;
mod webhooks;
mod wire;
mod world;

use std::net::SocketAddr;

use anyhow::Context;
use clap::Args;

pub use life::Life;
pub use life_disputes::Disputes;
pub use responses::{DisputeTruth, Submission};
pub use server::{Double, serve};
pub use truth::{Money, Truth};

pub use crate::dev::model::objects::Submitter;

use crate::app::{self, config, logging};
use crate::terminal;

#[derive(Debug, Args)]
pub(crate) struct StripeDouble {
    /// Where to listen; on loopback, since the control API needs no key
    #[arg(long, default_value = "127.0.0.1:12111", value_parser = loopback)]
    listen: SocketAddr,
    /// Send webhooks of the platform's account here
    #[arg(long, requires = "webhook_secret")]
    webhook_url: Option<String>,
    /// Signing secret of these webhooks: whsec_…
    #[arg(long, env = "CLAWBACK_SIMULATE_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    /// The same seed gives the same ids
    #[arg(long, default_value = "1")]
    seed: u64,
    /// How logs are written [default: pretty on a terminal, else json]
    #[arg(long, env = "CLAWBACK_LOG_FORMAT")]
    log_format: Option<config::LogFormat>,
}

/// Reads an address, which must be of loopback.
pub(in crate::dev) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "it must be an address such as 127.0.0.1:12111".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("it must be a loopback address".to_owned()) }
}

pub(crate) async fn run(args: StripeDouble) -> anyhow::Result<()> {
    let _logs = logging::start_with(args.log_format, "info");
    let listener = app::bind(args.listen, "--listen")?;
    let stop = app::asked_to_stop()?;
    let double = Double::new(args.seed)?;
    if let (Some(url), Some(secret)) = (&args.webhook_url, &args.webhook_secret) {
        double.send_webhooks_to(url, secret)?;
    }
    terminal::print(format_args!("{}", welcome(listener.local_addr()?)));
    tokio::select! {
        outcome = serve(double, listener) => outcome.context("the double stopped"),
        () = stop => Ok(()),
    }
}

fn welcome(address: SocketAddr) -> String {
    format!(
        "\n\
         A double of Stripe's API is running. It follows the documentation and was not recorded. Ctrl-C stops it.\n\n\
         api        http://{address}, any key sk_test_…\n\
         files      http://{address}\n\
         control    http://{address}/_double\n\n\
         Pay, and pay with a card whose refunds fail later:\n  \
         curl http://{address}/v1/payment_intents -H 'Authorization: Bearer sk_test_1' -d amount=1200 -d currency=eur \
         -d confirm=true -d payment_method=pm_card_visa -d 'metadata[order_id]=o_1'\n  \
         (payment_method=pm_card_refundFail)\n\
         A chargeback arrives:\n  \
         curl http://{address}/_double/bank -d '{{\"happens\":\"chargeback\",\"id\":\"ch_…\"}}'\n\n"
    )
}

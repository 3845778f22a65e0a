//! `clawback simulate`: the signed events of a payment's life, sent to a URL.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::send::Receiver;
use crate::app::config::Misconfigured;
use crate::app::unix_now;
use crate::dev::stories::delivery::{Order, plan};
use crate::dev::stories::{self, Amount, Cast, Story};
use crate::stripe::signature::Secrets;
use crate::terminal::say;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The story; --list shows all
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// Print the stories
    #[arg(long)]
    list: bool,
    /// Where to send the events
    #[arg(long, env = "CLAWBACK_URL", default_value = "http://127.0.0.1:8080/webhooks/stripe")]
    url: String,
    /// The merchant's order reference [default: a new one]
    #[arg(long)]
    order: Option<String>,
    /// Metadata key that holds it
    #[arg(long, env = "CLAWBACK_ORDER_KEY", default_value = "order_id")]
    order_key: String,
    /// Amount of the payment in minor units
    #[arg(long, default_value_t = 12_000)]
    amount: i64,
    /// Currency of the payment
    #[arg(long, default_value = "eur")]
    currency: String,
    /// Connected account whose payment it is
    #[arg(long)]
    account: Option<String>,
    /// Events of live mode: to a receiver on this machine only
    #[arg(long)]
    live: bool,
    /// The same seed tells the same ids [default: a new one]
    #[arg(long)]
    seed: Option<u64>,
    /// Send in random order
    #[arg(long)]
    shuffle: bool,
    /// Send each event so many times
    #[arg(long, value_name = "COPIES", num_args = 0..=1, default_missing_value = "2", default_value = "1")]
    duplicate: NonZeroUsize,
    /// What to sign with: one of the receiver's secrets that vouches for nothing real, such as test:whsec_…
    #[arg(long, env = "CLAWBACK_SIMULATE_SECRET", hide_env_values = true)]
    secret: Option<SecretString>,
}

pub(crate) async fn run(args: Simulate) -> anyhow::Result<()> {
    let Some(name) = &args.scenario else {
        for story in stories::all() {
            say!("{:<24} {}", story.name, story.about);
        }
        return Ok(());
    };
    let story = stories::find(name).ok_or_else(|| anyhow!("no story is called {name}: --list shows all"))?;
    ensure!(
        !args.live || is_loopback(&args.url),
        "--live is for a receiver on this machine: 127.0.0.1, [::1] or localhost"
    );
    let is_currency = args.currency.len() == 3 && args.currency.bytes().all(|b| b.is_ascii_alphabetic());
    ensure!(is_currency, "a currency is three letters, such as eur, not {}", args.currency);
    let secrets = secrets(args.secret.as_ref())?;
    let secret = secrets.iter().next().context("no secret")?;
    let receiver = Receiver { client: crate::app::client(Duration::from_secs(30))?, url: &args.url, secret };
    let seed = args.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let cast = cast(&args, seed, story)?;
    let events = story.tell(&cast);
    let order = if args.shuffle { Order::Shuffled(seed) } else { Order::AsHappened };
    for place in plan(events.len(), order, args.duplicate) {
        let event = &events[place];
        let status = receiver.deliver(event).await?;
        say!("{} {:<40} {}", status.as_u16(), event.r#type, event.id);
    }
    say!("order {}: select * from clawback_v1.orders where order_id = '{0}'", cast.order_id);
    Ok(())
}

/// Never those of the service: whoever tries something out need not hold what vouches for real money.
fn secrets(given: Option<&SecretString>) -> Result<Secrets, Misconfigured> {
    let given = given.ok_or_else(|| {
        Misconfigured::new(
            "CLAWBACK_SIMULATE_SECRET is missing: set it to a secret of the receiver's, such as test:whsec_…",
        )
    })?;
    Secrets::parse(given.expose_secret())
        .map_err(|error| Misconfigured::new(format!("CLAWBACK_SIMULATE_SECRET: {error}")))
}

/// Whether a URL leads to this machine and nowhere else.
fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The story ends now, so that deadlines lie ahead.
fn cast(args: &Simulate, seed: u64, story: &Story) -> anyhow::Result<Cast> {
    let order_id = args.order.clone().unwrap_or_else(|| format!("order_{seed:016x}"));
    let cast = Cast {
        order_key: args.order_key.clone(),
        seed,
        amount: Amount::try_from(args.amount)?,
        currency: args.currency.to_ascii_lowercase(),
        livemode: args.live,
        account: args.account.clone(),
        ..Cast::new(order_id, 0)
    };
    Ok(Cast { start: unix_now() - story.span(&cast), ..cast })
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in ["http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost:1/", "http://127.9.9.9/"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in
            ["https://your.host/x", "http://10.0.0.1/", "http://localhost.your.host/", "http://127.0.0.1@x.com/", "x"]
        {
            assert!(!is_loopback(url), "{url}");
        }
    }
}

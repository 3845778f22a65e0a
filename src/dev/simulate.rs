//! `clawback simulate`: sends the signed events of a scenario to a URL.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::send::Receiver;
use crate::app::config::Misconfigured;
use crate::app::unix_now;
use crate::dev::stories::delivery::{Order, plan};
use crate::dev::stories::{self, Amount, Cast, Story};
use crate::stripe::signature::Secrets;
use crate::terminal::{escaped, quoted, say};

/// How alike two names must be, from 0 to 1, for the one to be offered for the other.
const ALIKE: f64 = 0.7;

#[derive(Debug, Args)]
#[command(override_usage = "clawback simulate [OPTIONS] <SCENARIO>\n       clawback simulate --list")]
pub(crate) struct Simulate {
    /// What happens to the payment, such as chargeback-open; --list shows all scenarios
    #[arg(required_unless_present = "list", value_parser = scenario)]
    scenario: Option<&'static Story>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Where to send the events
    #[arg(long, env = "CLAWBACK_URL", default_value = "http://127.0.0.1:8080/webhooks/stripe", value_parser = http)]
    url: Url,
    /// Order reference [default: a new one]
    #[arg(long, value_parser = not_empty)]
    order: Option<String>,
    /// Metadata key that holds it
    #[arg(long, env = "CLAWBACK_ORDER_KEY", default_value = "order_id", value_parser = not_empty)]
    order_key: String,
    /// Amount of the payment in minor units
    #[arg(long, default_value = "12000", value_parser = amount)]
    amount: Amount,
    /// Currency of the payment
    #[arg(long, default_value = "eur", value_parser = currency)]
    currency: String,
    /// Connected account that the payment belongs to
    #[arg(long, value_parser = not_empty)]
    account: Option<String>,
    /// Send live-mode events; only to a receiver on this machine
    #[arg(long)]
    live: bool,
    /// The same seed gives the same ids and the same order of delivery [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// Send in random order
    #[arg(long)]
    shuffle: bool,
    /// How often to send each event
    #[arg(long, value_name = "COPIES", num_args = 0..=1, default_missing_value = "2", default_value = "1")]
    duplicate: NonZeroUsize,
    /// The receiver's signing secret: whsec_… or test:whsec_…
    #[arg(long, env = "CLAWBACK_SIMULATE_SECRET", hide_env_values = true)]
    secret: Option<SecretString>,
}

pub(crate) async fn run(args: Simulate) -> anyhow::Result<()> {
    let Some(story) = args.scenario.filter(|_| !args.list) else {
        for story in stories::all() {
            say!("{:<34} {}", story.name, story.about);
        }
        return Ok(());
    };
    ensure!(
        !args.live || is_loopback(&args.url),
        "--live sends to a receiver on this machine only: 127.0.0.1, [::1] or localhost"
    );
    let secrets = secrets(args.secret.as_ref())?;
    let secret = secrets.iter().next().context("no secret")?;
    let receiver = Receiver { client: crate::app::client(Duration::from_secs(30))?, url: &args.url, secret };
    let seed = args.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let cast = cast(&args, seed, story);
    let events = story.tell(&cast);
    let order = if args.shuffle { Order::Shuffled(seed) } else { Order::AsHappened };
    for place in plan(events.len(), order, args.duplicate) {
        let event = &events[place];
        let status = receiver.deliver(event).await?;
        say!("{} {:<40} {}", status.as_u16(), event.r#type, event.id);
    }
    say!("{}", ending(&cast));
    Ok(())
}

/// What to look at now. Under another key than usual, whether there will be an order is up to the receiver's settings.
fn ending(cast: &Cast) -> String {
    let (order, key) = (quoted(&cast.order_id), escaped(&cast.order_key));
    let show = format!("`clawback orders show {order}` (database: DATABASE_URL or --database-url)");
    if cast.order_key == "order_id" {
        format!("see the order with {show}")
    } else {
        format!("a receiver with CLAWBACK_ORDER_KEY={key} links it to an order: {show}; any other leaves it unlinked")
    }
}

fn scenario(name: &str) -> Result<&'static Story, String> {
    stories::find(name).ok_or_else(|| {
        let likeness = |story: &Story| strsim::jaro_winkler(name, story.name);
        let nearest = stories::all().iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
        let meant = nearest.filter(|story| likeness(story) >= ALIKE);
        let meant = meant.map(|story| format!("did you mean {}? ", story.name)).unwrap_or_default();
        format!("there is no such scenario: {meant}`clawback simulate --list` shows all")
    })
}

fn http(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    url.ok_or_else(|| "it must be a URL such as http://127.0.0.1:8080/webhooks/stripe".to_owned())
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn amount(text: &str) -> Result<Amount, String> {
    let minor: i64 = text.parse().map_err(|_| "it must be a whole number of minor units, such as 12000".to_owned())?;
    Amount::try_from(minor).map_err(|error| error.to_string())
}

fn currency(text: &str) -> Result<String, String> {
    let is_currency = text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic());
    if is_currency { Ok(text.to_ascii_lowercase()) } else { Err("it must be three letters, such as eur".to_owned()) }
}

/// Never those of the service: whoever tries something out need not hold the secret of real events.
fn secrets(given: Option<&SecretString>) -> Result<Secrets, Misconfigured> {
    let given = given.ok_or_else(|| {
        Misconfigured::new(
            "CLAWBACK_SIMULATE_SECRET is missing: set it to a signing secret of the receiver, such as test:whsec_…; \
             `clawback dev` prints its own",
        )
    })?;
    Secrets::parse(given.expose_secret())
        .map_err(|error| Misconfigured::new(format!("CLAWBACK_SIMULATE_SECRET: {error}")))
}

/// Whether a URL leads to this machine and nowhere else.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The scenario ends now, so that deadlines lie ahead.
fn cast(args: &Simulate, seed: u64, story: &Story) -> Cast {
    let order_id = args.order.clone().unwrap_or_else(|| format!("order_{seed:016x}"));
    let cast = Cast {
        order_key: args.order_key.clone(),
        seed,
        amount: args.amount,
        currency: args.currency.clone(),
        livemode: args.live,
        account: args.account.clone(),
        ..Cast::new(order_id, 0)
    };
    Cast { start: unix_now() - story.span(&cast), ..cast }
}

#[cfg(test)]
mod tests {
    use super::{http, is_loopback, scenario};

    #[test]
    fn only_this_machine_is_loopback() {
        for url in ["http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost:1/", "http://127.9.9.9/"] {
            assert!(is_loopback(&http(url).expect(url)), "{url}");
        }
        for url in ["https://your.host/x", "http://10.0.0.1/", "http://localhost.your.host/", "http://127.0.0.1@x.com/"]
        {
            assert!(!is_loopback(&http(url).expect(url)), "{url}");
        }
    }

    #[test]
    fn a_mistyped_scenario_is_answered_with_the_one_that_was_meant() {
        for (typed, meant) in [("chargeback-wom", "chargeback-won"), ("PAID", ""), ("fullrefund", "full-refund")] {
            let refused = scenario(typed).expect_err("there is none");
            assert_eq!(refused.contains("did you mean"), !meant.is_empty(), "{refused}");
            assert!(refused.contains(meant) && refused.contains("--list"), "{refused}");
        }
    }
}

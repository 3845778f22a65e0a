//! The settings of `serve`, one by one: a malformed one is a finding, and does not keep the others from being checked.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use clap::error::Result;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use tracing_subscriber::EnvFilter;

use super::{Finding, good, warning, wrong};
use crate::app::config;
use crate::domain::Marks;

/// The settings of `serve` that are not text in the first place, as they were given.
#[derive(Debug)]
pub(super) struct Unread(Vec<(Arg, OsString)>);

/// All but those of the database, the secrets, Stripe's API and notices, which the doctor reads itself.
fn others() -> Vec<Arg> {
    let apart = config::Signing::augment_args(config::Database::augment_args(Command::new("apart")));
    let apart = config::Notify::augment_args(config::StripeApi::augment_args(apart));
    let all = config::Serve::augment_args(Command::new("serve"));
    all.get_arguments().filter(|arg| apart.get_arguments().all(|own| own.get_id() != arg.get_id())).cloned().collect()
}

impl Args for Unread {
    fn augment_args(command: Command) -> Command {
        command.args(others().into_iter().map(|arg| arg.value_parser(clap::value_parser!(OsString))))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Unread {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        let given = |arg: Arg| matches.get_one::<OsString>(arg.get_id().as_str()).cloned().map(|value| (arg, value));
        Ok(Self(others().into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

pub(super) fn look(settings: &Unread) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        settings.0.iter().filter_map(|(arg, value)| Some(wrong("settings", refusal(arg, value)?))).collect();
    findings.extend(same_address(settings));
    if findings.is_empty() {
        findings.push(good("settings", "all valid"));
    }
    findings.extend(log_filter());
    findings
}

/// How old a signature may be; the default when the setting is malformed.
pub(super) fn tolerance(settings: &Unread) -> Duration {
    value(settings, "tolerance").and_then(|text| config::tolerance(text).ok()).unwrap_or(Duration::from_secs(300))
}

/// The reminders before a deadline; the default when the setting is malformed.
pub(super) fn marks(settings: &Unread) -> Marks {
    value(settings, "evidence_marks").and_then(|text| config::evidence_marks(text).ok()).unwrap_or_default()
}

/// The metadata key of the order reference.
pub(super) fn order_key(settings: &Unread) -> &str {
    value(settings, "order_key").unwrap_or("order_id")
}

fn value<'a>(settings: &'a Unread, id: &str) -> Option<&'a str> {
    settings.0.iter().find(|(arg, _)| arg.get_id() == id).and_then(|(_, value)| value.to_str())
}

fn same_address(settings: &Unread) -> Option<Finding> {
    let address = |id, or: &str| value(settings, id).unwrap_or(or).parse::<SocketAddr>().ok();
    let (public, private) = (address("listen", "0.0.0.0:8080")?, address("admin_listen", "127.0.0.1:9090")?);
    let one = public.ip() == private.ip() || public.ip().is_unspecified() || private.ip().is_unspecified();
    let says = format!("CLAWBACK_LISTEN and CLAWBACK_ADMIN_LISTEN are both on port {}", public.port());
    (one && public.port() == private.port() && public.port() != 0)
        .then(|| wrong("settings", format!("{says}: choose another port for metrics")))
}

/// What `serve` would say to this value.
fn refusal(arg: &Arg, value: &OsString) -> Option<String> {
    let mut given = OsString::from(format!("--{}=", arg.get_long().unwrap_or_default()));
    given.push(value);
    let alone = Command::new("serve").no_binary_name(true).arg(arg.clone());
    let error = alone.try_get_matches_from([given]).err()?;
    let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Some(format!("{variable}: {}", first_paragraph(&error.to_string())))
}

/// The service starts without it.
fn log_filter() -> Option<Finding> {
    let error = EnvFilter::try_new(std::env::var("RUST_LOG").ok()?).err()?;
    Some(warning("settings", format!("RUST_LOG: {error}: it is ignored; set it to a filter such as info")))
}

/// The first paragraph of an error, on one line: what follows are hints for a terminal.
fn first_paragraph(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

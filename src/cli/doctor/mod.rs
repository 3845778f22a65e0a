//! `clawback doctor`: checks the setup and prints a remedy for each problem, as it is found.
//!
//! With an API key, it calls Stripe. Changes nothing. Exits 1 when something is wrong; a warning is not. What cannot be
//! checked is a finding like any other, so that the rest is reported too.

mod consistency;
mod database;
mod endpoints;
mod missed;
mod permissions;
mod role;
mod settings;
mod stripe;

use anyhow::ensure;
use clap::Args;
use secrecy::ExposeSecret;
use serde::Serialize;
use sqlx::postgres::PgConnectOptions;

use crate::app::config;
use crate::console::settings::Settings;
use crate::terminal::progress::Progress;
use crate::terminal::{self, Colour, Screen, count, escaped};

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    database: config::Database,
    #[command(flatten)]
    signing: config::Signing,
    #[command(flatten)]
    api: config::StripeApi,
    #[command(flatten)]
    notify: config::Notify,
    #[command(flatten)]
    console: config::Console,
    #[command(flatten)]
    others: settings::Unread,
    /// URL of Clawback's webhook endpoint at Stripe [default: every one that sends events Clawback needs]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a check turned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Good,
    Warning,
    Wrong,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    message: String,
}

fn good(check: &'static str, message: impl Into<String>) -> Finding {
    Finding { check, level: Level::Good, message: message.into() }
}

fn warning(check: &'static str, message: impl Into<String>) -> Finding {
    Finding { check, level: Level::Warning, message: message.into() }
}

fn wrong(check: &'static str, message: impl Into<String>) -> Finding {
    Finding { check, level: Level::Wrong, message: message.into() }
}

/// A finding as a line: its columns are as wide as the longest names of checks, since the others are not known yet.
fn line(screen: &Screen, finding: &Finding) -> String {
    let level = match finding.level {
        Level::Good => screen.painted("good   ", Colour::Green),
        Level::Warning => screen.painted("warning", Colour::Yellow),
        Level::Wrong => screen.painted("wrong  ", Colour::Red),
    };
    format!("{level}  {:18}  {}\n", finding.check, escaped(&finding.message))
}

/// The findings so far; each is printed as it comes, unless all are to be one JSON document.
struct Report {
    findings: Vec<Finding>,
    json: bool,
    screen: Screen,
    progress: Progress,
}

impl Report {
    fn new(json: bool) -> Self {
        Self { findings: Vec::new(), json, screen: Screen::of_stdout(), progress: Progress::new() }
    }

    fn push(&mut self, finding: Finding) {
        self.progress.clear();
        if !self.json {
            terminal::print(format_args!("{}", line(&self.screen, &finding)));
        }
        self.findings.push(finding);
    }

    fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    /// Prints what is not printed yet.
    ///
    /// # Errors
    /// When something is wrong.
    fn finish(self) -> anyhow::Result<()> {
        if self.json {
            terminal::json(&self.findings)?;
        }
        let wrong = self.findings.iter().filter(|finding| finding.level == Level::Wrong).count();
        let checks = count(self.findings.len(), "check");
        ensure!(wrong == 0, "{wrong} of {checks} found something wrong");
        Ok(())
    }
}

pub(crate) async fn run(args: Doctor) -> anyhow::Result<()> {
    let mut report = Report::new(args.json);
    report.extend(settings::look(&args.others));
    report.push(secrets(&args.signing));
    let has_notices = match args.notify.webhook() {
        Ok(webhook) => webhook.is_some(),
        Err(error) => {
            report.push(wrong("notices", error.to_string()));
            false
        }
    };
    report.extend(console(&args));
    let tolerance = settings::tolerance(&args.others);
    let at_stripe = stripe::Given { api: &args.api, endpoint: args.endpoint.as_deref(), tolerance };
    let newest_events = stripe::look(&at_stripe, &mut report).await;
    match args.database.options() {
        Err(error) => report.push(wrong("database", error.to_string())),
        Ok(options) => {
            let (marks, order_key) = (settings::marks(&args.others), settings::order_key(&args.others));
            let given =
                database::Given { tolerance, marks: &marks, order_key, newest_events: &newest_events, has_notices };
            database::look(&options, &given, &mut report).await;
        }
    }
    report.finish()
}

/// Where the console is; none when it is off.
fn console(args: &Doctor) -> Option<Finding> {
    // A database that is missing is a finding of its own.
    let database = args.database.options().unwrap_or_else(|_| PgConnectOptions::new_without_pgpass());
    match args.console.settings(&database) {
        Ok(None) => None,
        Ok(Some((_, Settings { url, users, .. }))) => {
            Some(good("console", format!("{url}, for {}", count(users.count(), "user"))))
        }
        Err(error) => Some(wrong("console", error.to_string())),
    }
}

fn secrets(signing: &config::Signing) -> Finding {
    let given = signing.given().ok().flatten().unwrap_or_default();
    let pieces = given.expose_secret().split(|c: char| c == ',' || c.is_whitespace()).filter(|piece| !piece.is_empty());
    let keys: Vec<&str> = pieces.map(|piece| piece.trim_start_matches("live:").trim_start_matches("test:")).collect();
    let twice = (1..keys.len()).find_map(|n| Some((n + 1, keys[..n].iter().position(|key| *key == keys[n])? + 1)));
    match (signing.secrets(), twice) {
        (Err(error), _) => wrong("secrets", error.to_string()),
        (Ok(_), Some((second, first))) => {
            warning("secrets", format!("number {second} is the same as number {first}: remove one"))
        }
        (Ok(_), None) => good("secrets", format!("{}, well-formed", count(keys.len(), "signing secret"))),
    }
}

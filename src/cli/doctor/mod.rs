//! `clawback doctor`: checks everything and says of each finding what to do about it.
//!
//! Changes nothing. Exits 1 when something is wrong; a warning is not. What cannot be looked at is a
//! finding like any other, so that the others are told too.

mod database;
mod role;
mod settings;
mod sums;

use anyhow::ensure;
use clap::Args;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::app::config;
use crate::terminal::{self, table};

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    database: config::Database,
    #[command(flatten)]
    signing: config::Signing,
    #[command(flatten)]
    others: settings::Unread,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
struct Finding {
    check: &'static str,
    level: &'static str,
    says: String,
}

fn good(check: &'static str, says: impl Into<String>) -> Finding {
    Finding { check, level: "good", says: says.into() }
}

fn warning(check: &'static str, says: impl Into<String>) -> Finding {
    Finding { check, level: "warning", says: says.into() }
}

fn wrong(check: &'static str, says: impl Into<String>) -> Finding {
    Finding { check, level: "wrong", says: says.into() }
}

pub(crate) async fn run(args: Doctor) -> anyhow::Result<()> {
    let mut findings = settings::look(&args.others);
    findings.push(secrets(&args.signing));
    match args.database.options() {
        Err(error) => findings.push(wrong("database", error.to_string())),
        Ok(options) => {
            let (tolerance, marks) = (settings::tolerance(&args.others), settings::marks(&args.others));
            let order_key = settings::order_key(&args.others);
            let given = database::Given { tolerance, marks: &marks, order_key };
            findings.extend(database::look(&options, &given).await);
        }
    }
    let rows: Vec<Value> =
        findings.iter().map(|f| json!({ "check": f.check, "level": f.level, "says": f.says })).collect();
    table::print(args.json, &["check", "level", "says"], &rows, "nothing was looked at")?;
    let count = findings.iter().filter(|finding| finding.level == "wrong").count();
    ensure!(count == 0, "{count} of {} checks found something wrong", findings.len());
    Ok(())
}

fn secrets(signing: &config::Signing) -> Finding {
    let given = signing.given().ok().flatten().unwrap_or_default();
    let pieces = given.expose_secret().split(|c: char| c == ',' || c.is_whitespace()).filter(|piece| !piece.is_empty());
    let keys: Vec<&str> = pieces.map(|piece| piece.trim_start_matches("live:").trim_start_matches("test:")).collect();
    let twice = (1..keys.len()).find_map(|n| Some((n + 1, keys[..n].iter().position(|key| *key == keys[n])? + 1)));
    match (signing.secrets(), twice) {
        (Err(error), _) => wrong("secrets", error.to_string()),
        (Ok(_), Some((second, first))) => {
            warning("secrets", format!("number {second} is the same as number {first}: take one out"))
        }
        (Ok(_), None) => good(
            "secrets",
            format!(
                "{}, well-formed",
                terminal::count(i64::try_from(keys.len()).unwrap_or(i64::MAX), "signing secret")
            ),
        ),
    }
}

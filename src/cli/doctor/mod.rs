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
use serde_json::{Value, json};

use super::{config, table};

#[derive(Debug, Args)]
pub(super) struct Doctor {
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

pub(super) async fn run(args: Doctor) -> anyhow::Result<()> {
    let mut findings = settings::look(&args.others);
    findings.push(secrets(&args.signing));
    match args.database.options() {
        Err(error) => findings.push(wrong("database", error.to_string())),
        Ok(options) => findings.extend(database::look(&options).await),
    }
    let rows: Vec<Value> =
        findings.iter().map(|f| json!({ "check": f.check, "level": f.level, "says": f.says })).collect();
    table::print(args.json, &["check", "level", "says"], &rows, "nothing was looked at")?;
    let count = findings.iter().filter(|finding| finding.level == "wrong").count();
    ensure!(count == 0, "{count} of {} checks found something wrong", findings.len());
    Ok(())
}

fn secrets(signing: &config::Signing) -> Finding {
    match signing.secrets() {
        Err(error) => wrong("secrets", error.to_string()),
        Ok(secrets) => good("secrets", format!("{} signing secrets of the right form", secrets.iter().count())),
    }
}

//! `clawback doctor`: checks everything and says of each finding what to do about it.
//!
//! Changes nothing. Exits 1 when something is wrong; a warning is not.

use anyhow::ensure;
use clap::Args;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgConnection};

use super::{config, table};
use crate::domain::derive;
use crate::store::conservation::{self, StoredPayment};
use crate::store::inbox::{self, Durability};
use crate::store::{health, migrations};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    database: config::Database,
    #[command(flatten)]
    signing: config::Signing,
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
    let mut findings = vec![secrets(&args.signing)];
    match args.database.options() {
        Err(error) => findings.push(wrong("configuration", error.to_string())),
        Ok(options) => match options.connect().await {
            Err(error) => findings.push(wrong("database", format!("does not answer: {error}. Is DATABASE_URL right?"))),
            Ok(mut conn) => findings.extend(database(&mut conn).await?),
        },
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

async fn database(conn: &mut PgConnection) -> sqlx::Result<Vec<Finding>> {
    let server = health::server(conn).await?;
    let mut findings = vec![version(server.version), durability(inbox::durability(conn).await?, server.fsync)];
    let schema = health::schema_version(conn).await.unwrap_or(None);
    findings.push(migrated(schema));
    findings.push(privileges(&server));
    // What follows reads tables that a database further behind does not have, or this role may not read.
    let complete = schema.is_some_and(|version| version >= migrations::required_version());
    if complete && server.forbidden.is_empty() {
        findings.extend(backlog(&health::backlog(conn).await?));
        findings.push(derived_again(conn).await?);
        findings.push(named(
            "orders",
            "orders whose sums are not those of their payments",
            &conservation::orders_that_do_not_add_up(conn).await?,
        ));
        findings.push(above_paid(&conservation::refunded_above_paid(conn).await?));
    }
    Ok(findings)
}

fn version(version: i32) -> Finding {
    let says = format!("Postgres {}", version / 10_000);
    if version >= 140_000 { good("server", says) } else { wrong("server", format!("{says}: 14 or newer is needed")) }
}

fn durability(durability: Durability, fsync: bool) -> Finding {
    match (durability, fsync) {
        (Durability::Durable, true) => good("durability", "commits survive a crash"),
        (Durability::Durable, false) => wrong(
            "durability",
            "fsync is off: set it to on, or a crash of the machine loses events that were acknowledged",
        ),
        (Durability::Standby, _) => wrong("durability", "this is a standby: point DATABASE_URL at the primary"),
        (Durability::ReadOnly, _) => wrong(
            "durability",
            "transactions are read-only: set default_transaction_read_only to off for this role and database",
        ),
        (Durability::LossyCommits, _) => {
            wrong("durability", "synchronous_commit is off: set it to on for this role and database")
        }
    }
}

fn migrated(version: Option<i64>) -> Finding {
    let needed = migrations::required_version();
    match version {
        Some(version) if version >= needed => good("migrations", format!("at version {version}")),
        Some(version) => {
            wrong("migrations", format!("at version {version}, this binary needs {needed}: run `clawback migrate`"))
        }
        None => wrong("migrations", "never run, or not visible to this role: run `clawback migrate` as the owner"),
    }
}

fn privileges(server: &health::Server) -> Finding {
    match server.forbidden.as_slice() {
        [] => good("privileges", format!("role {} can do what the service does", server.role)),
        tables => wrong(
            "privileges",
            format!(
                "role {} cannot read and write {}: run the service as the owner of schema clawback",
                server.role,
                tables.join(", ")
            ),
        ),
    }
}

fn backlog(backlog: &health::Backlog) -> Vec<Finding> {
    let failed = match backlog.failed {
        0 => good("events", "none is failed"),
        count => warning(
            "events",
            format!("{count} are failed: see `clawback events list --state failed`, then `events replay`"),
        ),
    };
    let pending = match backlog.pending_seconds {
        Some(seconds) if seconds > 60 => {
            warning("processing", format!("the oldest event has been pending for {seconds} s: is the service running?"))
        }
        _ => good("processing", "no event waits for long"),
    };
    let dead = match backlog.dead {
        0 => good("follow-ups", "none is dead"),
        count => warning(
            "follow-ups",
            format!("{count} are dead: see `clawback follow-ups list --state dead`, then requeue or discard"),
        ),
    };
    vec![failed, pending, dead]
}

/// Derives every payment from its facts and compares.
async fn derived_again(conn: &mut PgConnection) -> sqlx::Result<Finding> {
    let mut differing = Vec::new();
    let mut last = String::new();
    loop {
        let payments = conservation::payments_after(conn, &last).await?;
        let Some(end) = payments.last() else { break };
        last.clone_from(&end.payment_id);
        differing.extend(payments.iter().filter(|payment| differs(payment)).map(|payment| payment.payment_id.clone()));
    }
    Ok(named("conservation", "payments that their facts do not add up to", &differing))
}

fn differs(stored: &StoredPayment) -> bool {
    let derived = json!(derive(&stored.payment_id, &stored.facts).payment);
    stored.row.as_object().is_none_or(|row| row.iter().any(|(column, value)| derived[column] != *value))
}

fn named(check: &'static str, what: &str, ids: &[String]) -> Finding {
    match ids {
        [] => good(check, format!("no {what}")),
        ids => wrong(
            check,
            format!(
                "{} {what}: {}. Replay an event of each; if that does not mend it, report it",
                ids.len(),
                ids.join(", ")
            ),
        ),
    }
}

/// Right for a while when a refund is seen before its charge; for long it means that charges are not sent.
fn above_paid(ids: &[String]) -> Finding {
    match ids {
        [] => good("money", "no payment has more refunded than paid"),
        ids => warning(
            "money",
            format!(
                "{} payments have more refunded than paid: {}. Is the endpoint subscribed to charge.* and payment_intent.*?",
                ids.len(),
                ids.join(", ")
            ),
        ),
    }
}

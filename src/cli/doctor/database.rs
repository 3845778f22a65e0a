//! The database: its server, the rights of the current role, its migrations, and work that waits.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::{Finding, good, role, sums, warning, wrong};
use crate::cli::causes::causes;
use crate::cli::database::reach;
use crate::store::health::{self, Backlog, Server};
use crate::store::migrations;

/// For one answer: a connection that was cut without a word gives none.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn look(options: &PgConnectOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    match reach(options).await {
        Err(error) => findings.push(wrong("database", error.to_string())),
        Ok(mut conn) => {
            if let Err(error) = all(&mut conn, &mut findings).await {
                let says = format!(
                    "failed while it was looked at: {}. What comes after this was not looked at",
                    causes(&error)
                );
                findings.push(wrong("database", says));
            }
        }
    }
    findings
}

async fn all(conn: &mut PgConnection, findings: &mut Vec<Finding>) -> sqlx::Result<()> {
    findings.extend(server(&answer(health::server(conn)).await?));
    let role = answer(health::role(conn)).await?;
    findings.extend(role::look(&role));
    let schema = match &role.owner {
        None => None,
        Some(_) if role.enters => answer(health::schema_version(conn)).await?,
        Some(_) => {
            findings.push(warning("migrations", "not for this role to see: mend its privileges first"));
            return Ok(());
        }
    };
    findings.push(migrated(schema));
    // What follows reads tables that a database further behind does not have, or this role may not read.
    if schema.is_some_and(|version| version >= migrations::required_version()) && role.forbidden.is_empty() {
        findings.extend(backlog(&answer(health::backlog(conn)).await?));
        sums::look(conn, findings).await?;
    }
    Ok(())
}

/// Waits for an answer, but not for ever.
pub(super) async fn answer<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = |_| sqlx::Error::Protocol(format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, asked).await.map_err(late)?
}

fn server(server: &Server) -> Vec<Finding> {
    let says = format!("Postgres {}", server.version / 10_000);
    let check = |check, fine: bool, good_news: &str, bad_news: &str| {
        if fine { good(check, good_news) } else { wrong(check, bad_news) }
    };
    let standby = "this is a standby, which cannot be written: point DATABASE_URL at the primary";
    let read_only = "transactions are read-only: set default_transaction_read_only to off for this role and database";
    let lossy = "off: set it to on for this role and database, or a crash loses events that were acknowledged";
    let unsafe_disk = "off: set it to on, or a crash of the machine loses events that were acknowledged";
    let committed = format!("{}: a commit is on disk before it is answered", server.synchronous_commit);
    vec![
        check("server", server.version >= 140_000, &says, &format!("{says}: 14 or newer is needed")),
        if server.standby {
            wrong("writable", standby)
        } else {
            check("writable", !server.read_only, "this is the primary, and not read-only", read_only)
        },
        check("synchronous_commit", server.synchronous_commit != "off", &committed, lossy),
        check("fsync", server.fsync, "on", unsafe_disk),
        full_page_writes(server.full_page_writes),
    ]
}

fn full_page_writes(on: bool) -> Finding {
    if on {
        return good("full_page_writes", "on");
    }
    warning("full_page_writes", "off: set it to on, unless the file system never leaves a page half written")
}

fn migrated(version: Option<i64>) -> Finding {
    let needed = migrations::required_version();
    match version {
        Some(version) if version >= needed => good("migrations", format!("at version {version}")),
        Some(version) => {
            wrong("migrations", format!("at version {version}, this binary needs {needed}: run `clawback migrate`"))
        }
        None => wrong("migrations", "never run: run `clawback migrate`"),
    }
}

fn backlog(backlog: &Backlog) -> Vec<Finding> {
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

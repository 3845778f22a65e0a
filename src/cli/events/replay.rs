//! `clawback events replay`: puts events back as pending, a few at a time.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args};
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use super::super::actor::Actor;
use super::Filter;
use crate::store::{queries, replays};
use crate::terminal::progress::Progress;
use crate::terminal::{self, count, escaped, say};

/// Replayed in one transaction: a longer one would block the service's own work.
const CHUNK: usize = 500;
/// With more pending than this, new events would wait long behind those that are replayed.
const MAX_PENDING: i64 = 1000;
/// How often it is looked whether the service has caught up.
const POLL: Duration = Duration::from_millis(200);
pub(super) const NONE: &str = "no matching events";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["event_ids", "state", "noted", "event_type", "object", "order", "since", "until"]))]
pub(super) struct Replay {
    /// Event IDs
    #[arg(conflicts_with = "Filter")]
    event_ids: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Why, for the audit trail
    #[arg(long, required_unless_present = "dry_run", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// Print how many events match, and the first of them; change nothing
    #[arg(long, conflicts_with = "event_ids")]
    dry_run: bool,
    #[command(flatten)]
    actor: Actor,
    /// Print the IDs as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(conn: &mut PgConnection, args: Replay) -> anyhow::Result<()> {
    let ids = if args.event_ids.is_empty() {
        let filter = args.filter.read(conn).await?;
        replays::replayable(conn, &filter).await?
    } else {
        args.event_ids
    };
    if args.dry_run {
        return print_dry_run(&ids, args.json);
    }
    let replayed = replay(conn, &ids, args.actor.name().as_deref(), &args.reason.unwrap_or_default()).await?;
    if args.json {
        terminal::json(&replayed)?;
    } else if ids.is_empty() {
        say!("{NONE}");
    } else {
        say!("{} of {} will be processed again", replayed.len(), events(ids.len()));
    }
    let replayed: HashSet<String> = replayed.into_iter().collect();
    let missing: Vec<&str> = ids.iter().filter(|id| !replayed.contains(*id)).map(String::as_str).collect();
    ensure!(
        missing.is_empty(),
        "not replayed: {}: not in the ledger, pending already, without a body, or of the other mode than its signing \
         secret (then correct the label live: or test: in STRIPE_WEBHOOK_SECRETS and have Stripe send it again)",
        named(&missing)
    );
    Ok(())
}

/// Puts them back chunk by chunk, as the service keeps up. Returns the ids of those that will be processed again.
async fn replay(
    conn: &mut PgConnection,
    ids: &[String],
    actor: Option<&str>,
    reason: &str,
) -> anyhow::Result<Vec<String>> {
    let (mut replayed, mut waited, progress) = (Vec::new(), false, Progress::new());
    for chunk in ids.chunks(CHUNK) {
        if !replayed.is_empty() {
            until_there_is_room(conn, &progress, &mut waited).await?;
        }
        let again = replay_chunk(conn, chunk, actor, reason).await;
        replayed.extend(again.with_context(|| format!("{} of {} were replayed", replayed.len(), events(ids.len())))?);
        progress.show(&format!("{} of {} replayed", replayed.len(), events(ids.len())));
    }
    Ok(replayed)
}

async fn replay_chunk(
    conn: &mut PgConnection,
    event_ids: &[String],
    actor: Option<&str>,
    reason: &str,
) -> sqlx::Result<Vec<String>> {
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor).await?;
    let replayed = queries::replay(&mut tx, event_ids, reason).await?;
    tx.commit().await?;
    Ok(replayed)
}

fn print_dry_run(ids: &[String], json: bool) -> anyhow::Result<()> {
    let first: Vec<&str> = ids.iter().map(String::as_str).collect();
    if json {
        terminal::json(&ids)?;
    } else if ids.is_empty() {
        say!("{NONE}");
    } else {
        say!("{} would be processed again: {}", events(ids.len()), escaped(&named(&first)));
    }
    Ok(())
}

/// Waits until the service has processed most of what is pending, and says so once.
async fn until_there_is_room(conn: &mut PgConnection, progress: &Progress, waited: &mut bool) -> anyhow::Result<()> {
    loop {
        let pending = replays::pending(conn).await?;
        if pending < MAX_PENDING {
            return Ok(());
        }
        if !*waited {
            progress.clear();
            terminal::tell(&format!("{pending} events are pending; the rest is replayed as the service catches up"));
            *waited = true;
        }
        sleep(POLL).await;
    }
}

fn events(many: usize) -> String {
    count(i64::try_from(many).unwrap_or(i64::MAX), "event")
}

/// The first ten, and how many more there are: an error is one line.
fn named(ids: &[&str]) -> String {
    let first = ids[..ids.len().min(10)].join(", ");
    if ids.len() > 10 { format!("{first} and {} more", ids.len() - 10) } else { first }
}

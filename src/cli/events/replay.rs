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
use crate::store::{queries, replays, sqlstate};
use crate::terminal::progress::Progress;
use crate::terminal::{self, count, escaped, quoted, say};

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
    /// Print which events would be processed again; change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    actor: Actor,
    /// Print the IDs as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(conn: &mut PgConnection, args: Replay) -> anyhow::Result<()> {
    let (given, json) = (args.event_ids, args.json);
    if args.dry_run && !given.is_empty() {
        let (ids, refusals) = sorted_out(conn, given).await?;
        print_dry_run(&ids, json)?;
        return refused(&refusals, "would not be replayed");
    }
    let ids = if given.is_empty() {
        let filter = args.filter.read(conn).await?;
        replays::replayable(conn, &filter).await?
    } else {
        given
    };
    if args.dry_run {
        return print_dry_run(&ids, json);
    }
    let replayed = replay(conn, &ids, args.actor.name().as_deref(), &args.reason.unwrap_or_default()).await?;
    print(&ids, &replayed, json)?;
    let replayed: HashSet<String> = replayed.into_iter().collect();
    let (mut refusals, missing) = (Vec::new(), ids.into_iter().filter(|id| !replayed.contains(id)));
    for id in missing {
        let cause = obstacle(conn, &id).await?.unwrap_or_else(|| format!("{id}: it changed meanwhile, try again"));
        refusals.push(cause);
    }
    refused(&refusals, "not replayed")
}

fn print(ids: &[String], replayed: &[String], json: bool) -> anyhow::Result<()> {
    match replayed.first() {
        _ if json => terminal::json(&replayed)?,
        _ if ids.is_empty() => say!("{NONE}"),
        Some(first) => say!(
            "{} of {} will be processed again; `clawback events show {}` shows the result",
            replayed.len(),
            count(ids.len(), "event"),
            quoted(first)
        ),
        None => {}
    }
    Ok(())
}

/// # Errors
/// When something was refused: the causes, of the first ten.
fn refused(causes: &[String], what: &str) -> anyhow::Result<()> {
    let first = causes[..causes.len().min(10)].join("; ");
    let more = causes.len().saturating_sub(10);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    ensure!(causes.is_empty(), "{what}: {first}{more}");
    Ok(())
}

/// Those of the given events that can be replayed, and why each of the others cannot.
async fn sorted_out(conn: &mut PgConnection, ids: Vec<String>) -> sqlx::Result<(Vec<String>, Vec<String>)> {
    let (mut replayable, mut refusals) = (Vec::new(), Vec::new());
    for id in ids {
        match obstacle(conn, &id).await? {
            Some(cause) => refusals.push(cause),
            None => replayable.push(id),
        }
    }
    Ok((replayable, refusals))
}

/// Why an event cannot be replayed; none: it can, as far as this role may see.
async fn obstacle(conn: &mut PgConnection, id: &str) -> sqlx::Result<Option<String>> {
    let Some(event) = sqlstate::permitted(queries::event(conn, id).await)? else {
        return Ok(Some(format!("{id}: this role may not see why: run `clawback grants ROLE --read`")));
    };
    let Some(event) = event else { return Ok(Some(format!("{id} is not in the ledger"))) };
    let has_body = sqlstate::permitted(queries::payload(conn, id).await)?.is_none_or(|body| body.is_some());
    // No attempt was ever made on what is stored separately.
    let stored_separately = event.state == "ignored" && event.attempts == 0;
    Ok(match event.state.as_str() {
        "pending" => Some(format!("{id} is pending already")),
        _ if stored_separately => Some(format!(
            "{id} is not of the mode of its signing secret: correct the label live: or test: in \
             STRIPE_WEBHOOK_SECRETS and have Stripe send it again"
        )),
        _ if !has_body => Some(format!("{id}: its body was pruned")),
        _ => None,
    })
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
        replayed
            .extend(again.with_context(|| format!("replayed {} of {}", replayed.len(), count(ids.len(), "event")))?);
        progress.show(&format!("replayed {} of {}", replayed.len(), count(ids.len(), "event")));
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
    queries::act_as(&mut tx, actor, queries::Via::Cli).await?;
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
        say!("{} would be processed again: {}", count(ids.len(), "event"), escaped(&named(&first)));
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

/// The first ten, and how many more there are.
fn named(ids: &[&str]) -> String {
    let first = ids[..ids.len().min(10)].join(", ");
    if ids.len() > 10 { format!("{first} and {} more", ids.len() - 10) } else { first }
}

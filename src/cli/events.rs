//! `clawback events`: what is in the ledger, and processing it again.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use super::person::{ACTIONS, Person};
use crate::app::{config, database};
use crate::store::interface::{self, EventFilter};
use crate::store::replays;
use crate::terminal::table;
use crate::terminal::{self, say};

/// So many are replayed in one transaction: a longer one would block the service's own work.
const CHUNK: usize = 500;
/// With more pending than this, new events would wait long for those that are replayed.
const ROOM: i64 = 1000;
const NONE: &str = "no matching events";

#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Events, the last received first
    List {
        #[command(flatten)]
        like: Like,
        /// Most rows to list
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One event with its body, client secrets masked, and who had it processed again
    Show {
        /// Its id
        event_id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Process events again: changes nothing that was right, and is written down
    ///
    /// By their ids, or all that `events list` finds with the same options. Very many are replayed
    /// bit by bit, as the service keeps up.
    Replay(Replay),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["event_ids", "state", "noted", "event_type", "object", "since", "until"]))]
struct Replay {
    /// Their ids
    #[arg(conflicts_with = "Like")]
    event_ids: Vec<String>,
    #[command(flatten)]
    like: Like,
    /// Why
    #[arg(long, required_unless_present = "dry_run", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// Only say how many are like that, and which come first
    #[arg(long, conflicts_with = "event_ids")]
    dry_run: bool,
    #[command(flatten)]
    person: Person,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Which events are meant. Its name is also that of the group of its options.
#[derive(Debug, Args)]
struct Like {
    /// What became of them
    #[arg(long, value_parser = ["pending", "processed", "ignored", "failed"])]
    state: Option<String>,
    /// Processed, with something in them that could not be read and was passed over
    #[arg(long, conflicts_with = "state")]
    noted: bool,
    /// Of this type, such as charge.refunded
    #[arg(long = "type")]
    event_type: Option<String>,
    /// About the object of this id
    #[arg(long)]
    object: Option<String>,
    /// Received then or later: a day, or a moment such as 2026-11-25T15:00:00Z
    #[arg(long, value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// Received before then
    #[arg(long, value_parser = moment)]
    until: Option<OffsetDateTime>,
}

impl From<Like> for EventFilter {
    fn from(Like { state, noted, event_type, object, since, until }: Like) -> Self {
        Self { state, noted, event_type, object_id: object, since, until }
    }
}

pub(crate) async fn run(args: Events) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { like, limit, json } => list(conn, &like.into(), limit, json).await,
        Action::Show { event_id, json } => show(conn, &event_id, json).await,
        Action::Replay(args) => replay(conn, args).await,
    };
    done.map_err(database::mended)
}

async fn list(conn: &mut PgConnection, like: &EventFilter, limit: i64, json: bool) -> anyhow::Result<()> {
    let columns = ["event_id", "type", "state", "object_id", "payment_id", "received_at", "attempts", "last_error"];
    let rows = table::cut(interface::events(conn, like, limit + 1).await?, limit);
    table::print(json, &columns, &rows, NONE)
}

async fn show(conn: &mut PgConnection, event_id: &str, json: bool) -> anyhow::Result<()> {
    let Some(mut event) = interface::event(conn, event_id).await? else {
        bail!("no event {event_id} in the ledger: `clawback events list` shows what is")
    };
    event["actions"] = json!(database::permitted(interface::actions(conn, "event", event_id).await)?);
    if json {
        say!("{}", serde_json::to_string_pretty(&event)?);
        return Ok(());
    }
    let columns = ["event_id", "type", "state", "payment_id", "created_at", "received_at", "attempts", "last_error"];
    terminal::print(format_args!("{}", table::render(&columns, std::slice::from_ref(&event))));
    terminal::print(format_args!("{}", table::section("Who had it processed again", &ACTIONS, &event["actions"])));
    say!("\n{}", event["payload"].as_str().unwrap_or("(its body was pruned)"));
    Ok(())
}

async fn replay(conn: &mut PgConnection, args: Replay) -> anyhow::Result<()> {
    let ids =
        if args.event_ids.is_empty() { replays::replayable(conn, &args.like.into()).await? } else { args.event_ids };
    if args.dry_run {
        return rehearsed(&ids, args.json);
    }
    let person = args.person.name();
    let reason = args.reason.unwrap_or_default();
    let (mut replayed, mut told) = (Vec::new(), false);
    for chunk in ids.chunks(CHUNK) {
        if !replayed.is_empty() {
            until_there_is_room(conn, &mut told).await?;
        }
        let again = replay_chunk(conn, chunk, person.as_deref(), &reason).await;
        replayed.extend(again.with_context(|| format!("{} of {} events were replayed", replayed.len(), ids.len()))?);
    }
    if args.json {
        say!("{}", serde_json::to_string_pretty(&replayed)?);
    } else if ids.is_empty() {
        say!("{NONE}");
    } else {
        say!("{} of {} events will be processed again", replayed.len(), ids.len());
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

async fn replay_chunk(
    conn: &mut PgConnection,
    event_ids: &[String],
    person: Option<&str>,
    reason: &str,
) -> sqlx::Result<Vec<String>> {
    let mut tx = conn.begin().await?;
    interface::act_as(&mut tx, person).await?;
    let replayed = interface::replay(&mut tx, event_ids, reason).await?;
    tx.commit().await?;
    Ok(replayed)
}

fn rehearsed(ids: &[String], json: bool) -> anyhow::Result<()> {
    let first: Vec<&str> = ids.iter().map(String::as_str).collect();
    if json {
        say!("{}", serde_json::to_string_pretty(ids)?);
    } else if ids.is_empty() {
        say!("{NONE}");
    } else {
        say!("{} events would be processed again: {}", ids.len(), named(&first));
    }
    Ok(())
}

/// Waits until the service has processed most of what is pending, and tells once that it does.
async fn until_there_is_room(conn: &mut PgConnection, told: &mut bool) -> anyhow::Result<()> {
    loop {
        let pending = replays::pending(conn).await?;
        if pending < ROOM {
            return Ok(());
        }
        if !*told {
            eprintln!("clawback: {pending} events are pending; the rest is replayed as the service catches up");
            *told = true;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// The first of them, and how many more there are: an error is one line.
fn named(ids: &[&str]) -> String {
    let first = ids[..ids.len().min(10)].join(", ");
    if ids.len() > 10 { format!("{first} and {} more", ids.len() - 10) } else { first }
}

pub(super) fn moment(text: &str) -> Result<OffsetDateTime, String> {
    let moment = if text.len() == "2026-11-25".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    OffsetDateTime::parse(&moment, &Rfc3339)
        .map_err(|_| "it must be a day such as 2026-11-25, or a moment such as 2026-11-25T15:00:00Z".to_owned())
}

//! `clawback events`: what is in the ledger, following it, and processing some of it again.

mod replay;
mod tail;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;
use sqlx::PgConnection;

use super::columns::{ACTIONS, EVENTS};
use super::explain::explained;
use super::list::{self, Listing};
use crate::app::{config, database};
use crate::store::queries::{self, Event, EventFilter};
use crate::store::sqlstate;
use crate::terminal::moment::Moment;
use crate::terminal::table::{self, Cell, Column, column};
use crate::terminal::{self, Screen, escaped, say};

#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List events, the last received first
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        list: Listing,
    },
    /// Show one event with its body, client secrets masked, and who replayed it
    Show {
        /// Event ID
        event_id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the latest events, one a line, and follow new ones as they are processed
    Tail(tail::Tail),
    /// Process events again: changes nothing that is right, and is recorded
    ///
    /// By ID, or all that `events list` finds with the same options. Large replays wait for the service to keep up.
    Replay(replay::Replay),
}

/// Which events are meant. Its name is also that of the group of its options.
#[derive(Debug, Args)]
struct Filter {
    /// Only events in this state
    #[arg(long, value_parser = ["pending", "processed", "ignored", "failed"])]
    state: Option<String>,
    /// Only processed events with unreadable fields, which were ignored
    #[arg(long, conflicts_with = "state")]
    noted: bool,
    /// Only events of this type, such as charge.refunded
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only events about this object
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Only events about this order's payments and all that belongs to them
    #[arg(long, conflicts_with = "object")]
    order: Option<String>,
    /// Only events received since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
    #[arg(long, value_parser = Moment::parse)]
    since: Option<Moment>,
    /// Only events received before
    #[arg(long, value_parser = Moment::parse)]
    until: Option<Moment>,
}

impl Filter {
    async fn read(self, conn: &mut PgConnection) -> sqlx::Result<EventFilter> {
        let Self { state, noted, event_type, object, order, since, until } = self;
        let object_ids = match order {
            Some(order_id) => Some(queries::objects_of_order(conn, &order_id).await?),
            None => object.map(|id| vec![id]),
        };
        let (since, until) = (list::time(since), list::time(until));
        Ok(EventFilter { state, noted, event_type, object_ids, since, until, ..EventFilter::default() })
    }
}

const FIELDS: &[Column<Event>] = &[
    column("event", |event| Cell::text(&event.event_id)),
    column("type", |event| Cell::text(&event.event_type)),
    column("mode", |event| event.livemode.map_or(Cell::Nothing, Cell::mode)),
    column("account", |event| Cell::optional(&event.account)),
    column("API version", |event| Cell::optional(&event.api_version)),
    column("object", |event| Cell::optional(&event.object_id)),
    column("payment", |event| Cell::optional(&event.payment_id)),
    column("state", |event| Cell::state(&event.state)),
    column("error", |event| Cell::optional(&event.last_error)),
    column("attempts", |event| Cell::Number(event.attempts.into())),
    column("created", |event| Cell::time(event.created_at)),
    column("received", |event| Cell::Time(event.received_at)),
    column("processed", |event| Cell::time(event.processed_at.filter(|_| event.state != "failed"))),
    column("last tried", |event| Cell::time(event.processed_at.filter(|_| event.state == "failed"))),
];

pub(crate) async fn run(args: Events) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { filter, list } => events(conn, filter, &list).await,
        Action::Show { event_id, json } => show(conn, &event_id, json).await,
        Action::Tail(args) => tail::run(conn, &args).await,
        Action::Replay(args) => replay::run(conn, args).await,
    };
    done.map_err(explained)
}

async fn events(conn: &mut PgConnection, filter: Filter, list: &Listing) -> anyhow::Result<()> {
    let filter = filter.read(conn).await?;
    let rows = queries::events(conn, &filter, &list.page()).await?;
    list.print(EVENTS, rows, |event| event.event_id.clone(), replay::NONE)
}

/// An event with what only some roles may see: null when this one may not.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    event: Event,
    payload: Option<String>,
    actions: Option<Vec<queries::Action>>,
}

/// The body, on a terminal indented.
fn readable(screen: &Screen, body: String) -> String {
    let indented = || serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&body).ok()?).ok();
    let body = screen.now.and_then(|_| indented()).unwrap_or(body);
    body.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

async fn show(conn: &mut PgConnection, event_id: &str, json: bool) -> anyhow::Result<()> {
    let Some(event) = queries::event(conn, event_id).await? else {
        bail!("no event {event_id} in the ledger: `clawback events list` lists those that were received")
    };
    let payload = sqlstate::permitted(queries::payload(conn, event_id).await)?;
    let actions = sqlstate::permitted(queries::actions(conn, "event", event_id).await)?;
    if json {
        return terminal::json(&Shown { event, payload: payload.flatten(), actions });
    }
    let screen = Screen::of_stdout();
    terminal::print(format_args!("{}", table::fields(&screen, FIELDS, &event)));
    terminal::print(format_args!("{}", table::section(&screen, "Replays", ACTIONS, &actions.unwrap_or_default())));
    match payload {
        Some(Some(body)) => say!("\n{}", readable(&screen, body)),
        Some(None) => say!("\n(the body was pruned)"),
        None => say!("\n(this role may not read bodies: see `clawback grants ROLE --payloads`)"),
    }
    Ok(())
}

//! `clawback events tail`: the latest events, one a line, and new ones as they are processed.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::signal::ctrl_c;
use tokio::time::sleep;

use crate::app::now;
use crate::store::queries::{self, Event, EventFilter, Page};
use crate::terminal::{self, escaped, moment, say};

/// How often new events are looked for.
const POLL: Duration = Duration::from_millis(500);
/// Events become visible in another order than they were received in: by at most the time that a commit takes.
const COMMIT_TIME: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// Keep running and print new events as they are processed; Ctrl-C ends it
    #[arg(long, short)]
    follow: bool,
    /// How many of the latest events to print first
    #[arg(long, default_value_t = 10, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..=10_000))]
    limit: i64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(conn: &mut PgConnection, args: &Tail) -> anyhow::Result<()> {
    let mut seen = Seen::since(now());
    drop(seen.news(queries::events_since(conn, seen.from).await?));
    let page = Page::first(args.limit);
    let latest = queries::events(conn, &EventFilter::default(), &page).await?;
    for event in latest.iter().rev().filter(|event| event.state != "pending") {
        print(event, args.json)?;
        seen.printed.insert(event.event_id.clone());
    }
    if !args.follow {
        return Ok(());
    }
    tokio::select! {
        ended = follow(conn, &mut seen, args.json) => ended,
        interrupted = ctrl_c() => Ok(interrupted?),
    }
}

async fn follow(conn: &mut PgConnection, seen: &mut Seen, json: bool) -> anyhow::Result<()> {
    while !terminal::is_closed() {
        let events = queries::events_since(conn, seen.from).await?;
        for event in seen.news(events) {
            print(&event, json)?;
        }
        sleep(POLL).await;
    }
    Ok(())
}

fn print(event: &Event, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string(event)?);
        return Ok(());
    }
    let at = moment::exact(event.received_at);
    let mode = if event.livemode == Some(false) { " (test mode)" } else { "" };
    let object = event.object_id.as_deref().map(|id| format!(" {}", escaped(id))).unwrap_or_default();
    let error = event.last_error.as_deref().map(|error| format!(": {}", escaped(error))).unwrap_or_default();
    say!("{at}  {}  {}{object}{mode}  {}{error}", escaped(&event.event_id), escaped(&event.event_type), event.state);
    Ok(())
}

/// What was printed already.
#[derive(Debug)]
struct Seen {
    /// Whatever is to be printed still was received then or later.
    from: OffsetDateTime,
    /// Those printed that were received since.
    printed: HashSet<String>,
}

impl Seen {
    fn since(from: OffsetDateTime) -> Self {
        Self { from: from - COMMIT_TIME, printed: HashSet::new() }
    }

    /// Those of these events that are processed and were not printed, in the order they are given. Events must come in
    /// the order in which they were received.
    fn news(&mut self, events: Vec<Event>) -> Vec<Event> {
        // A full batch may be all that is read for now: what waits in it is given up rather than what comes after.
        let is_full = events.len() >= queries::EVENTS_AT_ONCE;
        let slack = if is_full { Duration::ZERO } else { COMMIT_TIME };
        let waiting = events.iter().find(|event| event.state == "pending" && !is_full).map(|event| event.received_at);
        let newest = events.last().map(|event| event.received_at - slack);
        let known: HashSet<String> = events.iter().map(|event| event.event_id.clone()).collect();
        let news: Vec<Event> = events
            .into_iter()
            .filter(|event| event.state != "pending" && self.printed.insert(event.event_id.clone()))
            .collect();
        if let Some(from) = waiting.into_iter().chain(newest).min() {
            self.from = self.from.max(from);
        }
        self.printed.retain(|id| known.contains(id));
        news
    }
}

//! `clawback rebuild`: asks the service to make payments again from the events of the ledger.
//!
//! Only asks: the service does it, a few payments between two batches of events, by its own rules and settings. So it
//! does no harm to be interrupted, to be run twice, or to be run by an older binary.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{ArgGroup, Args};
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::sleep;

use super::events::moment;
use crate::app::{config, database};
use crate::apply::{self, Rehearsal, Rules};
use crate::handlers::{self, Reading};
use crate::store::{interface, rebuilds, settings};
use crate::terminal::{self, say};

/// A batch of the service may be at work: so often it is tried again, and so soon.
const TRIES: usize = 500;
const SOON: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["payment_ids", "all"]))]
pub(crate) struct Rebuild {
    /// Payments, by their ids
    payment_ids: Vec<String>,
    /// Every payment; events that were ignored or failed and can be read now are processed first
    #[arg(long)]
    all: bool,
    /// What is wanted for the first time and came about before this moment is not asked for but kept as discarded,
    /// for `follow-ups requeue` to bring back [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    ask_since: Option<OffsetDateTime>,
    /// Say what it would change and ask for, by this binary's rules, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    database: config::Database,
}

pub(crate) async fn run(args: Rebuild) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = if args.dry_run { rehearse(conn, &args).await } else { ask(conn, &args).await };
    done.map_err(database::mended)
}

async fn ask(conn: &mut PgConnection, args: &Rebuild) -> anyhow::Result<()> {
    let ask_since = since(conn, args).await?;
    if args.all {
        let read = read_now(conn).await?;
        rebuilds::ask_all(conn, ask_since).await?;
        if read > 0 {
            say!("{read} events that were ignored or failed can be read now and will be processed");
        }
    } else {
        known(conn, &args.payment_ids).await?;
        rebuilds::ask(conn, &args.payment_ids, Some(ask_since)).await?;
    }
    say!(
        "{} queued for rebuild: the running service does it beside new events",
        terminal::count(rebuilds::waiting(conn).await?, "payment")
    );
    Ok(())
}

async fn since(conn: &mut PgConnection, args: &Rebuild) -> anyhow::Result<OffsetDateTime> {
    match args.ask_since {
        Some(moment) => Ok(moment),
        None => Ok(rebuilds::beginning(conn).await?),
    }
}

async fn known(conn: &mut PgConnection, payment_ids: &[String]) -> anyhow::Result<()> {
    let unknown = rebuilds::unknown(conn, payment_ids).await?;
    ensure!(unknown.is_empty(), "no payment {}: nothing is rebuilt", unknown.join(", "));
    Ok(())
}

/// Does it a few payments at a time, as the service would, and takes each back.
async fn rehearse(conn: &mut PgConnection, args: &Rebuild) -> anyhow::Result<()> {
    let ask_since = since(conn, args).await?;
    let Some(order_key) = settings::order_key(conn).await? else {
        bail!("no service has started on this database yet: there is nothing to rebuild")
    };
    let rules = Rules::current(&order_key);
    known(conn, &args.payment_ids).await?;
    let mut all = Rehearsal::default();
    let mut given = args.payment_ids.chunks(10);
    let (mut last, mut count) = (String::new(), 0);
    loop {
        let payments = if args.all {
            rebuilds::payments_after(conn, &last).await?
        } else {
            given.next().map(<[String]>::to_vec).unwrap_or_default()
        };
        let Some(end) = payments.last() else { break };
        last.clone_from(end);
        count += payments.len();
        let part = rehearsed(conn, &payments, &rules, ask_since).await?;
        all.changes += part.changes;
        add(&mut all.asked, part.asked);
        add(&mut all.history, part.history);
    }
    say!("{count} payments looked at; rows of order_history that would be written: {}", all.changes);
    say!("follow-ups that would be enqueued: {}", counted(&all.asked));
    let ask_since = ask_since.format(&Rfc3339)?;
    say!("would be kept as discarded, since it came about before {ask_since}: {}", counted(&all.history));
    Ok(())
}

async fn rehearsed(
    conn: &mut PgConnection,
    payments: &[String],
    rules: &Rules,
    ask_since: OffsetDateTime,
) -> anyhow::Result<Rehearsal> {
    for _ in 0..TRIES {
        if let Some(rehearsal) = apply::rehearse(conn, payments, rules, ask_since).await? {
            return Ok(rehearsal);
        }
        sleep(SOON).await;
    }
    bail!("another batch was at work all the time, or a service with newer rules runs: use its binary")
}

fn add(all: &mut BTreeMap<String, usize>, part: BTreeMap<String, usize>) {
    for (kind, count) in part {
        *all.entry(kind).or_default() += count;
    }
}

fn counted(kinds: &BTreeMap<String, usize>) -> String {
    let told: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

/// Puts back as pending the events that nothing could read and that a reader understands now. Returns how many.
async fn read_now(conn: &mut PgConnection) -> anyhow::Result<usize> {
    // Whether an event can be read does not depend on the key of the order's reference.
    let can_be_read = |event: &rebuilds::UnreadEvent| {
        matches!(handlers::read(&event.event_id, &event.payload, "order_id"), Ok(Reading::Facts(..)))
    };
    let (mut last, mut count) = (0, 0);
    loop {
        let events = rebuilds::unread_after(conn, last).await?;
        let Some(end) = events.last() else { return Ok(count) };
        last = end.seq;
        let ids: Vec<String> = events.iter().filter(|e| can_be_read(e)).map(|e| e.event_id.clone()).collect();
        count += interface::replay(conn, &ids, "can be read now").await?.len();
    }
}

//! `clawback rebuild`: asks the service to make payments again from the events of the ledger.
//!
//! Only asks: the service does it, a few payments between two batches of events, by its own rules and settings. So it
//! does no harm to be interrupted, to be run twice, or to be run by an older binary.

use anyhow::ensure;
use clap::{ArgGroup, Args};
use sqlx::PgConnection;

use super::output::say;
use super::{config, database};
use crate::handlers::{self, Reading};
use crate::store::{interface, rebuilds};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["payment_ids", "all"]))]
pub(super) struct Rebuild {
    /// Payments, by their ids
    payment_ids: Vec<String>,
    /// Every payment; events that were ignored or failed and can be read now are processed first
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    database: config::Database,
}

pub(super) async fn run(args: Rebuild) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = if args.all { all(conn).await } else { these(conn, &args.payment_ids).await };
    done.map_err(database::mended)
}

async fn these(conn: &mut PgConnection, payment_ids: &[String]) -> anyhow::Result<()> {
    let unknown = rebuilds::unknown(conn, payment_ids).await?;
    ensure!(unknown.is_empty(), "no payment {}: nothing is rebuilt", unknown.join(", "));
    rebuilds::ask(conn, payment_ids).await?;
    tell(conn).await
}

async fn all(conn: &mut PgConnection) -> anyhow::Result<()> {
    let read = read_now(conn).await?;
    rebuilds::ask_all(conn).await?;
    if read > 0 {
        say!("{read} events that were ignored or failed can be read now and will be processed");
    }
    tell(conn).await
}

async fn tell(conn: &mut PgConnection) -> anyhow::Result<()> {
    say!(
        "{} payments are to be rebuilt: the running service does it beside new events",
        rebuilds::waiting(conn).await?
    );
    Ok(())
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

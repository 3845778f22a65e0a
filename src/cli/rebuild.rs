//! `clawback rebuild`: asks the service to derive payments again from the events of the ledger.
//!
//! Only asks: the service does it, a few payments between two batches of events, by its own rules and settings. So it
//! does no harm to be interrupted, to be run twice, or to be run by an older binary.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{ArgGroup, Args};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::explain::explained;
use super::list;
use crate::app::{config, database};
use crate::apply::{self, Rehearsal, Rules};
use crate::handlers::{self, Reading};
use crate::store::queries::{self, Page, PaymentFilter};
use crate::store::{rebuilds, settings};
use crate::terminal::moment::{self, Moment};
use crate::terminal::progress::Progress;
use crate::terminal::{self, count, say};

/// How often the lock of a batch is tried for, and how long is waited in between.
const LOCK_TRIES: usize = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["ids", "all"]))]
pub(crate) struct Rebuild {
    /// Payments: by their own ID, an order reference, or any Stripe ID that belongs to them
    ids: Vec<String>,
    /// Every payment; events that were ignored or failed and can be read now are processed first
    #[arg(long)]
    all: bool,
    /// Insert newly desired follow-ups whose cause is older than this as discarded; bring them back with `follow-ups
    /// requeue` [default: now]
    #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
    ask_since: Option<Moment>,
    /// Print what would change by the rules of this binary; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: config::Database,
}

pub(crate) async fn run(args: Rebuild) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = if args.dry_run { dry_run(conn, &args).await } else { ask(conn, &args).await };
    done.map_err(explained)
}

async fn ask(conn: &mut PgConnection, args: &Rebuild) -> anyhow::Result<()> {
    let ask_since = since(conn, args).await?;
    let (read, queued) = if args.all {
        let read = read_now(conn).await?;
        rebuilds::request_all(conn, ask_since).await?;
        (read, rebuilds::waiting(conn).await?)
    } else {
        let payment_ids = resolved(conn, &args.ids).await?;
        rebuilds::request(conn, &payment_ids, Some(ask_since)).await?;
        (0, i64::try_from(payment_ids.len())?)
    };
    if args.json {
        return terminal::json(&json!({ "queued": queued, "replayed": read }));
    }
    if read > 0 {
        say!("{} ignored or failed before can be read now and will be processed", count(read, "event"));
    }
    say!("{} queued for rebuild: the running service does it beside new events", count(queued, "payment"));
    Ok(())
}

async fn since(conn: &mut PgConnection, args: &Rebuild) -> anyhow::Result<OffsetDateTime> {
    match list::time(args.ask_since) {
        Some(moment) => Ok(moment),
        None => Ok(rebuilds::beginning(conn).await?),
    }
}

/// The payments that these ids are or belong to.
async fn resolved(conn: &mut PgConnection, ids: &[String]) -> anyhow::Result<Vec<String>> {
    let others = rebuilds::unknown(conn, ids).await?;
    let mut payment_ids: Vec<String> = ids.iter().filter(|id| !others.contains(id)).cloned().collect();
    let mut unknown = Vec::new();
    for id in others {
        match payments_of(conn, &id).await? {
            found if found.is_empty() => unknown.push(id),
            found => payment_ids.extend(found),
        }
    }
    ensure!(unknown.is_empty(), "no payment {}: nothing is rebuilt", unknown.join(", "));
    payment_ids.sort();
    payment_ids.dedup();
    Ok(payment_ids)
}

async fn payments_of(conn: &mut PgConnection, id: &str) -> sqlx::Result<Vec<String>> {
    let found = queries::find(conn, id).await?;
    let payment_ids: Vec<String> = found.iter().filter_map(|row| row.payment_id.clone()).collect();
    let order_id = found.into_iter().find_map(|row| row.order_id).filter(|_| payment_ids.is_empty());
    let Some(order_id) = order_id else { return Ok(payment_ids) };
    let filter = PaymentFilter { order_id: Some(order_id), ..PaymentFilter::default() };
    let payments = queries::payments(conn, &filter, &Page::first(i64::MAX)).await?;
    Ok(payments.into_iter().map(|payment| payment.payment_id).collect())
}

/// Does it a few payments at a time, as the service would, and rolls each back.
async fn dry_run(conn: &mut PgConnection, args: &Rebuild) -> anyhow::Result<()> {
    let ask_since = since(conn, args).await?;
    let Some(order_key) = settings::order_key(conn).await? else {
        bail!("no service has started on this database yet: there is nothing to rebuild")
    };
    let rules = Rules::current(&order_key);
    let payment_ids = resolved(conn, &args.ids).await?;
    let mut all = Rehearsal::default();
    let mut given = payment_ids.chunks(10);
    let (mut last, mut looked_at, progress) = (String::new(), 0, Progress::new());
    loop {
        let payments = if args.all {
            rebuilds::payments_after(conn, &last).await?
        } else {
            given.next().map(<[String]>::to_vec).unwrap_or_default()
        };
        let Some(end) = payments.last() else { break };
        last.clone_from(end);
        looked_at += payments.len();
        let part = dry_run_of(conn, &payments, &rules, ask_since).await?;
        all.changes += part.changes;
        add(&mut all.asked, part.asked);
        add(&mut all.history, part.history);
        progress.show(&format!("{} checked", count(looked_at, "payment")));
    }
    drop(progress);
    print(args.json, looked_at, &all, ask_since)
}

fn print(json: bool, looked_at: usize, all: &Rehearsal, ask_since: OffsetDateTime) -> anyhow::Result<()> {
    if json {
        return terminal::json(&json!({
            "payments": looked_at,
            "history_rows": all.changes,
            "enqueued": all.asked,
            "discarded": all.history,
        }));
    }
    say!("{} checked; rows of order_history that would be written: {}", count(looked_at, "payment"), all.changes);
    say!("follow-ups that would be enqueued: {}", by_kind(&all.asked));
    let ask_since = moment::exact(ask_since);
    say!("follow-ups that would be kept as discarded, from before {ask_since}: {}", by_kind(&all.history));
    Ok(())
}

async fn dry_run_of(
    conn: &mut PgConnection,
    payments: &[String],
    rules: &Rules,
    ask_since: OffsetDateTime,
) -> anyhow::Result<Rehearsal> {
    for _ in 0..LOCK_TRIES {
        if let Some(rehearsal) = apply::rehearse(conn, payments, rules, ask_since).await? {
            return Ok(rehearsal);
        }
        sleep(LOCK_PAUSE).await;
    }
    bail!("could not get the batch lock: the service is busy or runs newer rules; retry, or use its binary")
}

fn add(all: &mut BTreeMap<String, usize>, part: BTreeMap<String, usize>) {
    for (kind, count) in part {
        *all.entry(kind).or_default() += count;
    }
}

fn by_kind(kinds: &BTreeMap<String, usize>) -> String {
    let counts: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// Replays the ignored and failed events that a handler can read now. Returns how many.
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
        count += queries::replay(conn, &ids, "can be read now").await?.len();
    }
}

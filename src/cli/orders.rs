//! `clawback orders`: a list, and the whole story of one order or payment.

use anyhow::bail;
use clap::{Args, Subcommand};
use sqlx::{Connection, PgConnection};

use super::columns::ORDERS;
use super::explain::explained;
use super::list::{self, Listing, nearest};
use super::story;
use crate::app::{config, database};
use crate::store::queries::{self, OrderFilter, Story};
use crate::terminal::moment::Moment;
use crate::terminal::{self, Screen};

#[derive(Debug, Args)]
pub(crate) struct Orders {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List orders, the last changed first
    List {
        /// Only orders in this state
        #[arg(long, value_parser = list::states())]
        state: Option<String>,
        /// Only orders that must not be shipped
        #[arg(long)]
        hold: bool,
        /// Only live mode or only test mode
        #[arg(long, value_parser = ["live", "test"])]
        mode: Option<String>,
        /// Only orders that changed since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
        #[arg(long, value_parser = Moment::parse)]
        since: Option<Moment>,
        #[command(flatten)]
        list: Listing,
    },
    /// Show an order with its payments, refunds, disputes, follow-ups and history
    ///
    /// Times are UTC by Stripe's clock; those of follow-ups, when they were enqueued, are by the database's.
    /// A reference used in several accounts, modes or currencies is one order in each.
    Show {
        /// The order reference, or any Stripe ID that belongs to the order
        #[arg(value_name = "ORDER")]
        id: String,
        /// Print JSON: amounts in minor units, times as RFC 3339
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(args: Orders) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { state, hold, mode, since, list } => {
            let filter = OrderFilter {
                state,
                hold: hold.then_some(true),
                livemode: mode.map(|mode| mode == "live"),
                since: list::time(since),
                ..OrderFilter::default()
            };
            orders(conn, &filter, &list).await
        }
        Action::Show { id, json } => show(conn, &id, json).await,
    };
    done.map_err(explained)
}

async fn orders(conn: &mut PgConnection, filter: &OrderFilter, list: &Listing) -> anyhow::Result<()> {
    let rows = queries::orders(conn, filter, &list.page()).await?;
    list.print(ORDERS, rows, |order| order.order_id.clone(), "no matching orders")
}

async fn show(conn: &mut PgConnection, id: &str, json: bool) -> anyhow::Result<()> {
    let mut story = read(conn, id).await?;
    if story.is_none() {
        let known = queries::recent_order_ids(conn).await?;
        match nearest(id, &known) {
            // It was processed meanwhile.
            Some(meant) if meant == id => story = read(conn, id).await?,
            Some(meant) => {
                bail!("no order {id}, and no Stripe object with that ID was received; did you mean {meant}?")
            }
            None => {}
        }
    }
    let Some(story) = story else { bail!("no order {id}, and no Stripe object with that ID was received") };
    if json {
        return terminal::json(&story);
    }
    terminal::print(format_args!("{}", story::text(&Screen::of_stdout(), id, &story)));
    Ok(())
}

/// Read as of one moment: what comes in meanwhile must not leave a line without its sum.
async fn read(conn: &mut PgConnection, id: &str) -> anyhow::Result<Option<Story>> {
    let mut tx = conn.begin_with(queries::SNAPSHOT).await?;
    let story = queries::story(&mut tx, id).await?;
    tx.commit().await?;
    Ok(story)
}

//! `clawback payments`: which there are, and saying which order one is for.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::person::Person;
use crate::app::{config, database};
use crate::store::interface;
use crate::terminal::say;
use crate::terminal::table;

#[derive(Debug, Args)]
pub(crate) struct Payments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Payments, the last changed first
    List {
        /// Those not linked to an order yet
        #[arg(long)]
        unlinked: bool,
        /// Most rows to list
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say which order a payment is for: above all metadata, and the latest wins
    Link {
        /// The payment intent, or the charge
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        payment_id: String,
        /// The merchant's reference
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        order_id: String,
        #[command(flatten)]
        person: Person,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(args: Payments) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { unlinked, limit, json } => list(conn, unlinked, limit, json).await,
        Action::Link { payment_id, order_id, person, json } => {
            link(conn, &payment_id, &order_id, person.name().as_deref(), json).await
        }
    };
    done.map_err(database::mended)
}

async fn list(conn: &mut PgConnection, unlinked: bool, limit: i64, json: bool) -> anyhow::Result<()> {
    let rows = table::cut(interface::payments(conn, unlinked, limit + 1).await?, limit);
    let columns = [
        "payment_id",
        "order_id",
        "state",
        "amount_paid",
        "amount_refunded",
        "amount_disputed",
        "amount_lost",
        "currency",
        "livemode",
        "account",
        "updated_at",
    ];
    table::print(json, &columns, &rows, "no payments found")
}

async fn link(
    conn: &mut PgConnection,
    payment_id: &str,
    order_id: &str,
    person: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    // A role that only works may not look.
    let known = database::permitted(interface::find(conn, payment_id).await)?.is_none_or(|found| !found.is_empty());
    let mut tx = conn.begin().await?;
    interface::act_as(&mut tx, person).await?;
    interface::link_payment(&mut tx, payment_id, order_id).await?;
    tx.commit().await?;
    if json {
        say!(
            "{}",
            serde_json::to_string_pretty(&json!({ "payment_id": payment_id, "order_id": order_id, "known": known }))?
        );
    } else if known {
        say!("payment {payment_id} is for order {order_id} as soon as the service has read it");
    } else {
        say!(
            "no payment {payment_id} was received yet: the link to order {order_id} is kept for when it is. Check the id"
        );
    }
    Ok(())
}

//! `clawback orders`: one order's whole story, in Stripe's time, with money columns that add up.

use anyhow::ensure;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, PgConnection};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::output;
use super::output::say;
use super::{config, table};
use crate::domain::{self, Line};
use crate::store::{interface, payments};

#[derive(Debug, Args)]
pub(super) struct Orders {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Payments, refunds, disputes, balance transactions and follow-ups of an order
    Show {
        /// The merchant's reference
        order_id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

const MONEY: [&str; 4] = ["paid", "refunded", "disputed", "lost"];

pub(super) async fn run(args: Orders) -> anyhow::Result<()> {
    let conn = &mut args.database.options()?.connect().await?;
    let Action::Show { order_id, json } = args.action;
    let story = story(conn, &order_id).await?;
    if json {
        say!("{}", serde_json::to_string_pretty(&story)?);
    } else {
        output::print(format_args!("{}", text(&order_id, &story)));
    }
    Ok(())
}

async fn story(conn: &mut PgConnection, order_id: &str) -> anyhow::Result<Value> {
    let orders = interface::order(conn, order_id).await?;
    ensure!(!orders.is_empty(), "no order {order_id}: no payment that was seen is for it");
    let mut lines = Vec::new();
    for (payment_id, facts) in payments::of_orders(conn, &[order_id.to_owned()]).await? {
        lines.extend(domain::statement(&payment_id, &facts).into_iter().map(|line| row(&payment_id, &line)));
    }
    // One time for all payments of the order; what has no moment comes last.
    lines.sort_by_key(|line| (line["at"].is_null(), line["at"].as_str().map(str::to_owned)));
    Ok(json!({
        "orders": orders,
        "statement": lines,
        "history": interface::history(conn, order_id).await?,
        "follow_ups": interface::follow_ups(conn, None, None, Some(order_id), 1000).await?,
    }))
}

fn row(payment_id: &str, line: &Line) -> Value {
    let mut row = json!(line);
    row["payment_id"] = json!(payment_id);
    row["at"] = json!(line.at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok()?.format(&Rfc3339).ok()));
    row
}

fn text(order_id: &str, story: &Value) -> String {
    let rows = |part: &str| story[part].as_array().cloned().unwrap_or_default();
    let order = [
        "state",
        "currency",
        "livemode",
        "account",
        "amount_paid",
        "amount_refunded",
        "amount_disputed",
        "amount_lost",
        "hold",
        "evidence_due_by",
    ];
    let statement = ["at", "what", "id", "status", MONEY[0], MONEY[1], MONEY[2], MONEY[3], "balance", "payment_id"];
    let mut lines = rows("statement");
    lines.push(total(&lines));
    format!(
        "Order {order_id}\n\n{}\nStatement, in Stripe's time, amounts in minor units\n\n{}\nStates, in order of arrival\n\n{}\nFollow-ups\n\n{}",
        table::render(&order, &rows("orders")),
        table::render(&statement, &lines),
        table::render(&["from_state", "to_state", "event_type", "happened_at", "event_id"], &rows("history")),
        table::render(&["id", "kind", "subject", "round", "state", "due_at"], &rows("follow_ups")),
    )
}

fn total(lines: &[Value]) -> Value {
    let sum = |column: &str| lines.iter().filter_map(|line| line[column].as_i64()).fold(0i64, i64::saturating_add);
    let mut total = json!({ "what": "total", "at": "", "id": "", "status": "", "balance": "", "payment_id": "" });
    for column in MONEY {
        total[column] = json!(sum(column));
    }
    total
}

//! `clawback orders`: one order's whole story, in Stripe's time, with money columns that add up.

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::app::{config, database};
use crate::domain::{self, OrderKey};
use crate::store::{interface, payments};
use crate::terminal::table;
use crate::terminal::{self, say};

#[derive(Debug, Args)]
pub(crate) struct Orders {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Payments, refunds, disputes, balance transactions and follow-ups of an order
    ///
    /// Times are Stripe's, but for follow-ups: when they were asked for, by the database's clock.
    /// All are UTC. A reference that is used in several accounts, modes or currencies is an order in each.
    Show {
        /// The merchant's reference, or the id of anything at Stripe that belongs to the order
        #[arg(value_name = "ORDER")]
        order_id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

const MONEY: [&str; 4] = ["paid", "refunded", "disputed", "lost"];

pub(crate) async fn run(args: Orders) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let Action::Show { order_id, json } = args.action;
    let (order_id, story) = told(conn, &order_id).await.map_err(database::mended)?;
    if json {
        say!("{}", serde_json::to_string_pretty(&story)?);
    } else {
        terminal::print(format_args!("{}", text(&order_id, &story)));
    }
    Ok(())
}

/// The order and its story, by its reference or by the id of something that belongs to it.
async fn told(conn: &mut PgConnection, term: &str) -> anyhow::Result<(String, Value)> {
    let found = interface::find(conn, term).await?;
    let payment = found.iter().find_map(|row| row.payment_id.clone());
    let order = found.into_iter().find_map(|row| row.order_id);
    if let Some(payment) = payment.filter(|_| order.is_none()) {
        bail!("payment {payment} is for no order yet: `clawback payments link {payment} ORDER` says for which")
    }
    let order_id = order.unwrap_or_else(|| term.to_owned());
    let story = story(conn, &order_id).await?;
    Ok((order_id, story))
}

/// Read as of one moment: what comes in meanwhile must not leave a line without its sum.
async fn story(conn: &mut PgConnection, order_id: &str) -> anyhow::Result<Value> {
    let mut tx = conn.begin_with(interface::SNAPSHOT).await?;
    let mut orders = interface::order(&mut tx, order_id).await?;
    ensure!(!orders.is_empty(), "no order {order_id}: no payment that was seen is for it");
    let history = interface::history(&mut tx, order_id).await?;
    let follow_ups = interface::follow_ups(&mut tx, None, None, Some(order_id), i64::MAX).await?;
    let payments = payments::of_order(&mut tx, order_id).await?;
    tx.commit().await?;

    let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
    for (payment_id, facts) in payments {
        let Some(facts) = facts else {
            unreadable.push(payment_id);
            continue;
        };
        let Some(key) = domain::derive(&payment_id, &facts).payment.order_key() else { continue };
        let of_payment = domain::statement(&payment_id, &facts).into_iter().map(|line| json!(line));
        let asked_for = follow_ups.iter().rev().filter(|row| row["payment_id"] == *payment_id).map(follow_up);
        lines.extend(of_payment.chain(asked_for).map(|line| (key.clone(), of(&payment_id, line))));
    }
    for order in &mut orders {
        let key: OrderKey = serde_json::from_value(order.clone())?;
        let own = lines.iter().filter(|(of, _)| *of == key).map(|(_, line)| line.clone());
        let lines = in_time(own.collect());
        order["total"] = total(&lines);
        order["statement"] = lines.into();
    }
    Ok(json!({ "orders": orders, "history": history, "follow_ups": follow_ups, "unreadable": unreadable }))
}

/// A follow-up as a line of the statement.
fn follow_up(row: &Value) -> Value {
    let at = row["created_at"].as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
    let mut line = json!({ "what": row["kind"], "id": row["subject"], "status": row["state"], "follow_up": row["id"] });
    line["at"] = json!(at.map(OffsetDateTime::unix_timestamp));
    line
}

fn of(payment_id: &str, mut line: Value) -> Value {
    line["payment_id"] = json!(payment_id);
    line
}

/// One time for all payments of an order; what has no moment comes last.
fn in_time(mut lines: Vec<Value>) -> Vec<Value> {
    lines.sort_by_key(|line| line["at"].as_i64().unwrap_or(i64::MAX));
    for line in &mut lines {
        let at = line["at"].as_i64().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        line["at"] = json!(at.and_then(|at| at.format(&Rfc3339).ok()));
    }
    lines
}

fn total(lines: &[Value]) -> Value {
    let sum = |column: &str| lines.iter().filter_map(|line| line[column].as_i64()).fold(0i64, i64::saturating_add);
    MONEY.iter().map(|column| ((*column).to_owned(), json!(sum(column)))).collect::<serde_json::Map<_, _>>().into()
}

fn text(order_id: &str, story: &Value) -> String {
    let rows = |of: &Value| of.as_array().cloned().unwrap_or_default();
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
    let statement = rows(&story["orders"]).iter().map(section).collect::<String>();
    let unreadable = rows(&story["unreadable"]).iter().filter_map(Value::as_str).map(missing).collect::<String>();
    let history = [
        "from_state",
        "to_state",
        "amount_paid",
        "amount_refunded",
        "amount_disputed",
        "amount_lost",
        "hold",
        "currency",
        "event_type",
        "happened_at",
        "event_id",
    ];
    format!(
        "Order {order_id}\n\n{}{statement}{unreadable}\nHistory, in order of arrival\n\n{}",
        table::render(&order, &rows(&story["orders"])),
        table::render(&history, &rows(&story["history"])),
    )
}

/// What is said of a payment whose lines the statement lacks.
fn missing(payment_id: &str) -> String {
    format!(
        "\nPayment {payment_id} is missing here, for what is stored of it cannot be read: \
         `clawback rebuild {payment_id}` makes it again\n"
    )
}

/// The statement of one order.
fn section(order: &Value) -> String {
    let columns = [
        "at",
        "what",
        "id",
        "status",
        "amount",
        "currency",
        MONEY[0],
        MONEY[1],
        MONEY[2],
        MONEY[3],
        "balance",
        "follow_up",
        "payment_id",
    ];
    let mut total = order["total"].clone();
    total["what"] = json!("total");
    let mut lines = order["statement"].as_array().cloned().unwrap_or_default();
    lines.push(total);
    for line in &mut lines {
        for column in columns {
            if line[column].is_null() {
                line[column] = json!("");
            }
        }
    }
    let mode = if order["livemode"] == true { "live mode" } else { "test mode" };
    let account = order["account"].as_str().map_or_else(String::new, |account| format!(", account {account}"));
    let currency = order["currency"].as_str().unwrap_or("an unknown currency");
    format!(
        "\nStatement in minor units of {currency}, {mode}{account}, in Stripe's time\n\n{}",
        table::render(&columns, &lines)
    )
}

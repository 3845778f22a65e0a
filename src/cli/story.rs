//! The text of a story: tables for people. Reads nothing; [`crate::store::queries::story`] does.

use super::columns::{EVENTS, ORDERS, PAYMENTS};
use crate::domain::BalanceMove;
use crate::store::queries::{HistoryEntry, Statement, StatementLine, Story, Total};
use crate::terminal::table::{self, Cell, Column, column, if_any, if_mixed, spare};
use crate::terminal::{Screen, count, escaped, quoted};

/// A line, and the currency that its columns of money are in.
struct Row {
    line: StatementLine,
    currency: Option<String>,
}

const LINES: &[Column<Row>] = &[
    if_any("at", |row| Cell::time(row.line.at)),
    column("what", |row| Cell::text(&row.line.what)),
    spare("id", |row| filled(&row.line.id)),
    if_any("status", |row| if row.line.status.is_empty() { Cell::Nothing } else { Cell::state(&row.line.status) }),
    spare("amount", |row| Cell::money(row.line.amount, &row.line.currency)),
    if_any("paid", |row| Cell::some_money(row.line.adds.paid, &row.currency)),
    if_any("refunded", |row| Cell::some_money(row.line.adds.refunded, &row.currency)),
    if_any("disputed", |row| Cell::some_money(row.line.adds.disputed, &row.currency)),
    if_any("lost", |row| Cell::some_money(row.line.adds.lost, &row.currency)),
    if_any("balance", |row| moved(row, |balance| balance.amount)),
    spare("fee", |row| moved(row, |balance| balance.fee)),
    spare("follow-up", |row| row.line.follow_up.map_or(Cell::Nothing, Cell::Number)),
    if_mixed("payment", |row| filled(&row.line.payment_id)),
];

const HISTORY: &[Column<HistoryEntry>] = &[
    spare("recorded", |entry| Cell::Time(entry.recorded_at)),
    if_any("from", |entry| entry.from_state.clone().map_or(Cell::Nothing, Cell::State)),
    column("to", |entry| entry.to_state.clone().map_or(Cell::Nothing, Cell::State)),
    if_any("paid", |entry| Cell::money(entry.amount_paid, &entry.currency)),
    if_any("refunded", |entry| Cell::some_money(entry.amount_refunded, &entry.currency)),
    if_any("disputed", |entry| Cell::some_money(entry.amount_disputed, &entry.currency)),
    if_any("lost", |entry| Cell::some_money(entry.amount_lost, &entry.currency)),
    if_any("hold", |entry| Cell::flag(entry.hold, "hold")),
    spare("event", |entry| Cell::optional(&entry.event_type)),
    spare("happened", |entry| Cell::time(entry.happened_at)),
];

/// Everything, under the reference or id that was asked for.
pub(super) fn text(screen: &Screen, asked: &str, story: &Story) -> String {
    let mut text = heading(asked, story);
    for order in &story.orders {
        text += &format!("\n{}", table::render(screen, ORDERS, std::slice::from_ref(&order.subject)));
        text += &statement(screen, order, order.subject.currency.as_ref());
    }
    for payment in &story.unlinked {
        text += &format!("\n{}", table::render(screen, PAYMENTS, std::slice::from_ref(&payment.subject)));
        text += &statement(screen, payment, payment.subject.currency.as_ref());
    }
    text.extend(story.unreadable.iter().map(|payment_id| missing(payment_id)));
    text += &table::section(screen, "History, in order of arrival", HISTORY, &story.history);
    text += &table::section(screen, "Events about it that were not processed", EVENTS, &story.unprocessed);
    text
}

fn heading(asked: &str, story: &Story) -> String {
    match (&story.order_id, story.unlinked.as_slice()) {
        (Some(order_id), _) => format!("Order {}\n", escaped(order_id)),
        (None, []) => {
            let body = event_of(asked, story).map_or_else(String::new, |event_id| {
                format!("; `clawback events show {}` prints its body", quoted(event_id))
            });
            format!("{} was received, but the payment it belongs to is not known{body}\n", escaped(asked))
        }
        (None, unlinked) => {
            let first = escaped(&unlinked[0].subject.payment_id);
            let count = count(unlinked.len(), "payment");
            format!("{count} not linked to an order: run `clawback payments link {first} ORDER` to link it\n")
        }
    }
}

/// The event that was asked for, or one about the object that was.
fn event_of<'a>(asked: &'a str, story: &'a Story) -> Option<&'a str> {
    let about = story.unprocessed.first().map(|event| event.event_id.as_str());
    about.or_else(|| asked.starts_with("evt_").then_some(asked))
}

/// Says why the statement lacks the lines of a payment.
fn missing(payment_id: &str) -> String {
    let payment_id = escaped(payment_id);
    format!(
        "\nPayment {payment_id} is missing from the statement: its stored facts cannot be read. \
         Run `clawback rebuild {payment_id}`\n"
    )
}

fn statement<T>(screen: &Screen, of: &Statement<T>, currency: Option<&String>) -> String {
    let row = |line: StatementLine| Row { line, currency: currency.cloned() };
    let mut rows: Vec<Row> = of.statement.iter().cloned().map(row).collect();
    let first = of.statement.first().map(|line| line.payment_id.clone()).unwrap_or_default();
    let is_one = of.statement.iter().all(|line| line.payment_id == first);
    rows.push(row(total(of.total, if is_one { first } else { String::new() })));
    table::section(screen, "Statement", LINES, &rows)
}

fn total(adds: Total, payment_id: String) -> StatementLine {
    StatementLine {
        at: None,
        what: "total".to_owned(),
        id: String::new(),
        status: String::new(),
        amount: None,
        currency: None,
        adds,
        balance: None,
        payment_id,
        follow_up: None,
    }
}

/// An amount of what moved on the balance.
fn moved(row: &Row, amount: fn(&BalanceMove) -> i64) -> Cell {
    row.line
        .balance
        .as_ref()
        .map_or(Cell::Nothing, |balance| Cell::some_money(amount(balance), &Some(balance.currency.clone())))
}

fn filled(text: &str) -> Cell {
    if text.is_empty() { Cell::Nothing } else { Cell::text(text) }
}

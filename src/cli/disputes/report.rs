//! `clawback disputes report`: outcomes and ratios by month, with the limits that ratios are measured against.

use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;

use crate::app::now;
use crate::desk::limits::{self, LIMITS, Limit};
use crate::store::queries::{self, Outcome, Ratio};
use crate::terminal::moment::Moment;
use crate::terminal::table::{self, Cell, Column, column, if_any, if_mixed, spare};
use crate::terminal::{self, Screen, say};

/// Decided disputes below which a win rate says little.
const FEW: i64 = 10;

#[derive(Debug, Args)]
pub(super) struct Report {
    /// From the month of this time on: a duration ago, a day, or a time such as 2026-11-25T15:00:00Z
    #[arg(long, default_value = "365d", value_parser = Moment::parse)]
    since: Moment,
    /// Print JSON: amounts in minor units, rates and ratios from 0 to 1
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Printed {
    outcomes: Vec<Outcome>,
    ratios: Vec<Ratio>,
    limits: &'static [Limit],
}

const OUTCOMES: &[Column<Outcome>] = &[
    if_mixed("mode", |row| Cell::mode(row.livemode)),
    if_mixed("account", |row| Cell::optional(&row.account)),
    column("month", |row| month(&row.month)),
    column("reason", |row| Cell::optional(&row.reason)),
    if_any("code", |row| Cell::optional(&row.network_reason_code)),
    if_any("method", |row| Cell::optional(&row.payment_method)),
    column("disputes", |row| Cell::Number(row.disputes)),
    column("answered", |row| Cell::Number(row.countered)),
    column("won", |row| Cell::Number(row.won)),
    column("lost", |row| Cell::Number(row.lost)),
    column("win rate", win_rate),
    spare("disputed", |row| Cell::some_money(row.amount, &Some(row.currency.clone()))),
    spare("kept", |row| Cell::some_money(row.amount_won, &Some(row.currency.clone()))),
    spare("lost amount", |row| Cell::some_money(row.amount_lost, &Some(row.currency.clone()))),
];

const RATIOS: &[Column<Ratio>] = &[
    if_mixed("mode", |row| Cell::mode(row.livemode)),
    if_mixed("account", |row| Cell::optional(&row.account)),
    column("month", |row| month(&row.month)),
    column("network", |row| Cell::text(&row.card_brand)),
    column("charges", |row| Cell::Number(row.charges)),
    column("disputes", |row| Cell::Number(row.disputes)),
    column("fraud warnings", |row| Cell::Number(row.fraud_warnings)),
    column("ratio", |row| row.ratio.map_or(Cell::Nothing, |ratio| Cell::Text(percent(ratio)))),
    if_any("above the limit of", above),
];

const COLUMNS_OF_LIMITS: &[Column<Limit>] = &[
    column("programme", |limit| Cell::text(limit.programme)),
    column("network", |limit| Cell::text(limit.card_brand.unwrap_or("all"))),
    column("cases from", |limit| limit.cases.map_or(Cell::Nothing, Cell::Number)),
    column("ratio from", |limit| Cell::Text(percent(limit.ratio))),
    column("holds since", |limit| limit.since.map_or(Cell::Nothing, Cell::text)),
];

pub(super) async fn report(conn: &mut PgConnection, asked: &Report) -> anyhow::Result<()> {
    let since = asked.since.before(now());
    let outcomes = queries::outcomes(conn, since).await?;
    let ratios = queries::ratios(conn, since).await?;
    if asked.json {
        return terminal::json(&Printed { outcomes, ratios, limits: LIMITS });
    }
    if outcomes.is_empty() && ratios.is_empty() {
        say!("no disputes and no card payments in this time");
        return Ok(());
    }
    let screen = Screen::of_stdout();
    let few = outcomes.iter().any(|row| (1..FEW).contains(&decided(row)));
    terminal::print(format_args!("{}", table::section(&screen, "Outcomes", OUTCOMES, &outcomes)));
    if few {
        say!("\n* fewer than {FEW} decided disputes: the rate says little");
    }
    terminal::print(format_args!("{}", table::section(&screen, "Ratios", RATIOS, &ratios)));
    terminal::print(format_args!("{}", table::section(&screen, "Limits", COLUMNS_OF_LIMITS, LIMITS)));
    Ok(())
}

fn decided(row: &Outcome) -> i64 {
    row.won + row.lost
}

fn win_rate(row: &Outcome) -> Cell {
    let mark = if decided(row) < FEW { " *" } else { "" };
    row.win_rate.map_or(Cell::Nothing, |rate| Cell::Text(format!("{:.0} %{mark}", rate * 100.0)))
}

/// `2026-11` of `2026-11-01`.
fn month(day: &str) -> Cell {
    Cell::text(day.get(..7).unwrap_or(day))
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

/// The limits that a month is at or above.
fn above(row: &Ratio) -> Cell {
    let names: Vec<_> = limits::reached(row).map(|limit| limit.programme).collect();
    if names.is_empty() { Cell::Nothing } else { Cell::Text(names.join(", ")) }
}

//! Rows as a table for a terminal.

use super::say;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// Columns of JSON objects: a header line, a rule, and the rows, each column as wide as its widest cell.
pub(crate) fn render(columns: &[&str], rows: &[Value]) -> String {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(column, &row[*column])).collect()).collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.chain([columns[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut table = line(columns.to_vec()) + &line(rule.iter().map(String::as_str).collect());
    table.extend(cells.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    table
}

/// A table under a heading of its own; nothing when it has no rows. Null is not for this role to see.
pub(crate) fn section(heading: &str, columns: &[&str], rows: &Value) -> String {
    match rows.as_array() {
        None => format!("\n{heading}: for the owner of schema clawback to see\n"),
        Some(rows) if rows.is_empty() => String::new(),
        Some(rows) => format!("\n{heading}\n\n{}", render(columns, rows)),
    }
}

/// The table, or what to say when it has no rows; the rows as JSON for a program.
pub(crate) fn print(json: bool, columns: &[&str], rows: &[Value], none: &str) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(rows)?);
    } else if rows.is_empty() {
        say!("{none}");
    } else {
        super::print(format_args!("{}", render(columns, rows)));
    }
    Ok(())
}

/// The rows up to the limit, of which one more was asked for; tells when there is one more.
pub(crate) fn cut(mut rows: Vec<Value>, limit: i64) -> Vec<Value> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() > limit {
        rows.truncate(limit);
        eprintln!("clawback: there are more than these {limit}: raise --limit, or narrow what is listed");
    }
    rows
}

fn cell(column: &str, value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if column == "at" || column.ends_with("_at") || column.ends_with("_by") => moment(text),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// To the second, in UTC; as it is when it is no moment.
fn moment(text: &str) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let read = OffsetDateTime::parse(text, &Rfc3339).ok();
    read.and_then(|at| at.to_offset(UtcOffset::UTC).format(format).ok()).unwrap_or_else(|| text.to_owned())
}

//! Rows as a table for a terminal.

use super::output;
use super::output::say;
use serde_json::Value;

/// Columns of JSON objects: a header line, a rule, and the rows, each column as wide as its widest cell.
pub(super) fn render(columns: &[&str], rows: &[Value]) -> String {
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(&row[*column])).collect()).collect();
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

/// The table, or the rows as JSON for a program.
pub(super) fn print(json: bool, columns: &[&str], rows: &[Value]) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(rows)?);
    } else {
        output::print(format_args!("{}", render(columns, rows)));
    }
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

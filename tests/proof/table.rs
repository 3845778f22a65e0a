//! The end state of a story, as lines that a person can review. Ids are not shown: refunds and
//! disputes are counted, oldest first. Values that are 0 or unknown are left out, except the amount paid.

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

/// The rows of one story, with the names of the views' columns; times are unix seconds, and `created` is
/// a refund's or dispute's own.
#[derive(Debug, Default)]
pub struct Rows {
    pub orders: Vec<Value>,
    pub payments: Vec<Value>,
    pub refunds: Vec<Value>,
    pub disputes: Vec<Value>,
    pub warnings: Vec<Value>,
    pub follow_ups: Vec<Value>,
}

/// The lines, each ending with a line break.
pub fn lines(mut rows: Rows) -> String {
    for objects in [&mut rows.refunds, &mut rows.disputes] {
        objects.sort_by_key(|object| (object["created"].as_i64(), id(object).to_owned()));
    }
    let mut lines: Vec<String> = rows.orders.iter().map(|order| sums("order", order)).collect();
    let unlinked = rows.payments.iter().filter(|payment| payment["order_id"].is_null());
    lines.extend(unlinked.map(|payment| sums("payment without order", payment)));
    lines.extend(rows.refunds.iter().zip(1..).map(|(refund, n)| format!("refund {n}: {}", self::refund(refund))));
    lines.extend(rows.disputes.iter().zip(1..).map(|(dispute, n)| format!("dispute {n}: {}", self::dispute(dispute))));
    lines.extend(rows.warnings.iter().map(warning));
    let mut to_do: Vec<String> = rows.follow_ups.iter().map(|asked| follow_up(asked, &rows)).collect();
    to_do.sort();
    lines.extend(to_do);
    lines.into_iter().map(|line| format!("  {line}\n")).collect()
}

fn sums(what: &str, row: &Value) -> String {
    let paid = row["amount_paid"].as_i64().map_or_else(|| "unknown".to_owned(), |paid| paid.to_string());
    let currency = row["currency"].as_str().unwrap_or("unknown");
    let mut parts = vec![format!("{what}: {} in {currency}", text(row, "state")), format!("paid {paid}")];
    parts.extend(amount(row, "amount_refunded", "refunded"));
    parts.extend(amount(row, "amount_disputed", "disputed"));
    parts.extend(amount(row, "amount_lost", "lost"));
    parts.extend((row["hold"] == true).then(|| "hold".to_owned()));
    parts.join(", ")
}

fn refund(row: &Value) -> String {
    let mut parts = vec![text(row, "status").to_owned(), row["amount"].to_string()];
    parts.extend(row["failure_reason"].as_str().map(str::to_owned));
    parts.extend((row["is_release"] == true).then(|| "a release".to_owned()));
    parts.join(", ")
}

fn dispute(row: &Value) -> String {
    let outcome = row["outcome"].as_str().map_or_else(|| "open".to_owned(), |outcome| format!("outcome {outcome}"));
    let mut parts = vec![text(row, "phase").to_owned(), text(row, "status").to_owned(), outcome];
    parts.push(row["amount"].to_string());
    parts.extend(amount(row, "amount_withdrawn", "withdrawn"));
    parts.extend(amount(row, "amount_reinstated", "reinstated"));
    parts.extend(amount(row, "fee", "fee"));
    parts.join(", ")
}

fn warning(row: &Value) -> String {
    let is = if row["actionable"] == true { "actionable" } else { "not actionable" };
    format!("fraud warning: {is}, {}", text(row, "fraud_type"))
}

fn follow_up(row: &Value, rows: &Rows) -> String {
    let mut parts = vec![format!("to do: {} of {}", text(row, "kind"), subject(row, rows))];
    parts.extend(row["round"].as_str().filter(|round| !round.is_empty()).map(str::to_owned));
    parts.extend(row["due_at"].as_i64().map(|due| format!("by {}", moment(due))));
    parts.join(", ")
}

/// What a follow-up is about: its payload names it, unless it is the payment.
fn subject(row: &Value, rows: &Rows) -> String {
    let subject = text(row, "subject");
    let counted = |objects: &[Value]| objects.iter().position(|object| id(object) == subject).map(|at| at + 1);
    let named = row["payload"].as_object().and_then(|payload| payload.iter().find(|(_, value)| *value == subject));
    match named.map(|(name, _)| name.trim_end_matches("_id")) {
        Some("refund") => format!("refund {}", counted(&rows.refunds).expect("a refund has a row")),
        Some("dispute") => format!("dispute {}", counted(&rows.disputes).expect("a dispute has a row")),
        Some(other) => other.to_owned(),
        None => "payment".to_owned(),
    }
}

fn id(row: &Value) -> &str {
    row["refund_id"].as_str().or(row["dispute_id"].as_str()).expect("a refund or a dispute")
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or("unknown")
}

fn amount(row: &Value, column: &str, word: &str) -> Option<String> {
    row[column].as_i64().filter(|amount| *amount != 0).map(|amount| format!("{word} {amount}"))
}

fn moment(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).expect("a time that can be shown");
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).expect("a format")
}

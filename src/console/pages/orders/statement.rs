//! The statement of an order or a payment: what moved its money, in Stripe's time, in columns that add up.

use maud::{Markup, html};

use crate::console::parts::{
    Head, amount, amount_above_zero, code, code_or_none, moment_or_none, nothing, state, table, to,
};
use crate::store::queries::{Statement, StatementLine, Total};

/// A column of money, and how it is read.
type Column = (&'static str, fn(&Total) -> i64);

const COLUMNS: [Column; 4] = [
    ("Paid", |total| total.paid),
    ("Refunded", |total| total.refunded),
    ("Disputed", |total| total.disputed),
    ("Lost", |total| total.lost),
];

/// The lines but for follow-ups, which have a table of their own; what they do not explain of `amounts`, and `amounts` as the total.
pub(super) fn statement<T>(of: &Statement<T>, amounts: Total, currency: Option<&str>) -> Markup {
    let unexplained = minus(amounts, of.total);
    let lines: Vec<_> = of.statement.iter().filter(|line| line.follow_up.is_none()).collect();
    // A column without any amount says nothing.
    let is_shown = |(_, read): &Column| {
        read(&amounts) != 0 || read(&unexplained) != 0 || lines.iter().any(|line| read(&line.adds) != 0)
    };
    let columns: Vec<Column> = COLUMNS.into_iter().filter(is_shown).collect();
    let moves = lines.iter().any(|line| line.balance.is_some());
    let sheet = Sheet { columns, currency, moves };
    let rows = html! {
        @for line in lines { (sheet.line(line)) }
        @if COLUMNS.iter().any(|(_, read)| read(&unexplained) != 0) { (sheet.sum("", "Not explained by these lines", &unexplained)) }
        (sheet.sum("total", "Total", &amounts))
    };
    table("Statement: what moved the money, by Stripe's clock", &sheet.heads(), &rows)
}

fn minus(all: Total, part: Total) -> Total {
    Total {
        paid: all.paid.saturating_sub(part.paid),
        refunded: all.refunded.saturating_sub(part.refunded),
        disputed: all.disputed.saturating_sub(part.disputed),
        lost: all.lost.saturating_sub(part.lost),
    }
}

/// How the lines of one statement are shown.
struct Sheet<'a> {
    columns: Vec<Column>,
    currency: Option<&'a str>,
    /// Something moved on the balance.
    moves: bool,
}

impl Sheet<'_> {
    fn heads(&self) -> Vec<Head> {
        let mut heads = vec![Head::Text("At"), Head::Text("What"), Head::Text("Status"), Head::Number("Amount")];
        heads.extend(self.columns.iter().map(|(name, _)| Head::Number(name)));
        if self.moves {
            heads.extend([Head::Number("Balance"), Head::Number("Fee")]);
        }
        heads
    }

    fn line(&self, line: &StatementLine) -> Markup {
        html! {
            tr data-key={ (line.what) " " (line.id) } {
                td { (moment_or_none(line.at)) }
                td { (line.what) " " (link(line)) }
                td { @if line.status.is_empty() { (nothing()) } @else { (state(&line.status)) } }
                td.number { @match line.amount {
                    Some(minor) => (amount(Some(minor), line.currency.as_deref())),
                    None => (nothing()),
                } }
                @for (_, read) in &self.columns { td.number { (amount_above_zero(read(&line.adds), self.currency)) } }
                @if self.moves {
                    @match &line.balance {
                        Some(moved) => {
                            td.number { (amount_above_zero(moved.amount, Some(&moved.currency))) }
                            td.number { (amount_above_zero(moved.fee, Some(&moved.currency))) }
                        }
                        None => { td.number { (nothing()) } td.number { (nothing()) } }
                    }
                }
            }
        }
    }

    fn sum(&self, class: &str, name: &str, total: &Total) -> Markup {
        html! {
            tr class=(class) data-key=(name) {
                th scope="row" colspan="4" { (name) }
                @for (_, read) in &self.columns { td.number { (amount(Some(read(total)), self.currency)) } }
                @if self.moves { td {} td {} }
            }
        }
    }
}

/// The id of what a line is about, as a link where there is a page of it.
fn link(line: &StatementLine) -> Markup {
    match line.what.as_str() {
        "dispute" => html! { a href=(to("/disputes/", &line.id)) { (code(&line.id)) } },
        _ => code_or_none(Some(line.id.as_str()).filter(|id| !id.is_empty())),
    }
}

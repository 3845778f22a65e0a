//! What all lists have in common: how many rows, from where, in which format, and what is said when there are more.

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;
use strum::VariantNames;
use time::OffsetDateTime;

use crate::app::now;
use crate::domain::State;
use crate::store::queries::{Edge, Page};
use crate::terminal::moment::Moment;
use crate::terminal::table::{self, Column};
use crate::terminal::{self, Screen, escaped, quoted, say};

/// The options of every list.
#[derive(Debug, Args)]
pub(super) struct Listing {
    /// Maximum rows
    #[arg(long, default_value_t = 50, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub limit: i64,
    /// Continue after this ID, the last one of the previous page
    #[arg(long, value_name = "ID")]
    pub before: Option<String>,
    /// Print JSON: amounts in minor units, times as RFC 3339
    #[arg(long)]
    pub json: bool,
}

impl Listing {
    /// What to ask for: one row more than is shown, to know whether there are more.
    pub(super) fn page(&self) -> Page {
        Page { from: self.before.clone().map(Edge::After), limit: self.limit + 1 }
    }

    /// Prints the rows, and says after them how to get more.
    pub(super) fn print<T: Serialize>(
        &self,
        columns: &[Column<T>],
        mut rows: Vec<T>,
        id: impl Fn(&T) -> String,
        none: &str,
    ) -> anyhow::Result<()> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        if self.json {
            terminal::json(&rows)?;
        } else if rows.is_empty() {
            match &self.before {
                Some(before) => say!("no more rows after {}, or no such ID", escaped(before)),
                None => say!("{none}"),
            }
        } else {
            terminal::print(format_args!("{}", table::render(&Screen::of_stdout(), columns, &rows)));
        }
        if let Some(last) = rows.last().filter(|_| has_more) {
            terminal::tell(&format!("more rows: use --before {}, or a larger --limit", quoted(&id(last))));
        }
        Ok(())
    }
}

/// A time that was given, as a time.
pub(super) fn time(given: Option<Moment>) -> Option<OffsetDateTime> {
    given.map(|moment| moment.before(now()))
}

/// Accepts the states of orders and payments.
pub(super) fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(State::VARIANTS)
}

/// The candidate that was probably meant: the same but for case, or with a slip or two.
pub(super) fn nearest<'a>(given: &str, candidates: &'a [String]) -> Option<&'a str> {
    let slips = (given.chars().count() / 4).clamp(1, 3);
    let distance = |candidate: &String| strsim::osa_distance(&candidate.to_lowercase(), &given.to_lowercase());
    candidates
        .iter()
        .min_by_key(|candidate| distance(candidate))
        .filter(|best| distance(best) <= slips)
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognized_and_another_reference_is_not() {
        let known = ["order-7", "ORDER-18", "cart-9"].map(str::to_owned);
        for (given, meant) in
            [("ordr-7", Some("order-7")), ("order-18", Some("ORDER-18")), ("invoice-3", None), ("x", None)]
        {
            assert_eq!(nearest(given, &known), meant, "{given}");
        }
    }
}

//! Lists: a page of rows, with links to the newer and the older ones that keep all filters.

use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::failure::Failure;
use super::parts::{empty, encoded};
use crate::store::queries::{self, Edge};

/// Rows of a page.
pub(super) const ROWS: usize = 50;

/// Where in a list somebody is, as the address says: the id of a row, which is not on the page itself.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Cursor {
    /// The page follows this row.
    pub after: Option<String>,
    /// The page ends before this row.
    pub before: Option<String>,
}

impl Cursor {
    /// What to read: one row more than is shown, to know whether there are more.
    pub(super) fn page(&self) -> queries::Page {
        let before = self.before.clone().map(Edge::Before);
        queries::Page { from: before.or_else(|| self.after.clone().map(Edge::After)), limit: ROWS as i64 + 1 }
    }

    /// What stands where a list is empty: beyond its end, that nothing follows, and the way back to `address`, its start.
    pub(super) fn empty(&self, sentence: &str, address: &str, now: OffsetDateTime) -> Markup {
        match (&self.after, &self.before) {
            (None, None) => empty(sentence, now),
            (_, _) => {
                html! { p.empty { "Nothing follows here. " a href=(address) { "Go to the start of the list" } "." } }
            }
        }
    }

    /// Splits what was read into the rows that are shown and the ways on.
    pub(super) fn window<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> String) -> Window<T> {
        let is_backwards = self.before.is_some();
        let has_more = rows.len() > ROWS;
        if has_more && is_backwards {
            rows.remove(0);
        }
        rows.truncate(ROWS);
        let has_newer = if is_backwards { has_more } else { self.after.is_some() };
        let has_older = is_backwards || has_more;
        let newer = rows.first().filter(|_| has_newer).map(&id);
        let older = rows.last().filter(|_| has_older).map(&id);
        Window { rows, newer, older }
    }
}

/// The rows of a page and the ways on.
#[derive(Debug)]
pub(super) struct Window<T> {
    pub rows: Vec<T>,
    /// The row above which newer ones stand.
    pub newer: Option<String>,
    /// The row below which older ones stand.
    pub older: Option<String>,
}

impl<T> Window<T> {
    /// Links to the newer and the older rows. `address`: of the list with its filters, as [`address`] makes it.
    pub(super) fn pager(&self, address: &str) -> Markup {
        let way = |name: &str, id: &str| {
            let mark = if address.contains('?') { '&' } else { '?' };
            format!("{address}{mark}{name}={}", encoded(id))
        };
        html! {
            @if self.newer.is_some() || self.older.is_some() {
                nav.pager aria-label="Pages of the list" {
                    @if let Some(id) = &self.newer { a href=(way("before", id)) rel="prev" { "‹ Newer" } }
                    @if let Some(id) = &self.older { a href=(way("after", id)) rel="next" { "Older ›" } }
                }
            }
        }
    }
}

/// A path with the filters that are set.
pub(super) fn address(path: &str, filters: &[(&str, &str)]) -> String {
    let set = filters.iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<_> = set.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// The value of a filter; none when it is left empty.
pub(super) fn filled(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The modes, as filters name them.
pub(super) const MODES: [&str; 2] = ["live", "test"];

/// What is meant by the name of a mode; none: both.
pub(super) fn livemode(mode: &str) -> Option<bool> {
    match mode {
        "live" => Some(true),
        "test" => Some(false),
        _ => None,
    }
}

/// Refuses a value that a filter does not have.
pub(super) fn known(filter: &str, value: &str, values: &[&str]) -> Result<(), Failure> {
    match value.is_empty() || values.contains(&value) {
        true => Ok(()),
        false => Err(Failure::Unreadable(format!("There is no {filter} “{value}” to filter by."))),
    }
}

/// A filter with the values it can have. `none`: what it says when it is left empty.
pub(super) fn choice(label: &str, name: &str, none: &str, values: &[&str], chosen: &str) -> Markup {
    html! {
        label { (label) " "
            select name=(name) {
                option value="" selected[chosen.is_empty()] { (none) }
                @for value in values { option value=(value) selected[chosen == *value] { (value) } }
            }
        }
    }
}

/// The filters of the list at `address`, its path. On a narrow screen they are folded, unless one is set.
pub(super) fn filters(path: &str, is_set: bool, fields: &Markup) -> Markup {
    html! {
        details.fold #filters open[is_set] {
            summary { "Filters" }
            form.filters action=(path) method="get" {
                (fields)
                button type="submit" { "Filter" }
            }
        }
    }
}

/// The beginning of a text that would fill a row of its own.
pub(super) fn cut(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(cursor: &Cursor, rows: usize) -> (usize, Option<String>, Option<String>) {
        let window = cursor.window((0..rows).collect(), ToString::to_string);
        (window.rows.len(), window.newer, window.older)
    }

    #[test]
    fn a_list_says_whether_there_are_more_rows_in_each_direction() {
        let first = Cursor::default();
        let below = Cursor { after: Some("x".to_owned()), before: None };
        let above = Cursor { after: None, before: Some("x".to_owned()) };
        let id = |id: &str| Some(id.to_owned());
        assert_eq!(ways(&first, 0), (0, None, None));
        assert_eq!(ways(&first, 50), (50, None, None));
        assert_eq!(ways(&first, 51), (50, None, id("49")));
        assert_eq!(ways(&below, 3), (3, id("0"), None));
        assert_eq!(ways(&below, 51), (50, id("0"), id("49")));
        assert_eq!(ways(&above, 3), (3, None, id("2")));
        assert_eq!(ways(&above, 51), (50, id("1"), id("50")));
    }

    #[test]
    fn beyond_its_end_a_list_does_not_say_that_there_is_nothing() {
        let now = time::macros::datetime!(2026-11-26 12:03:10 UTC);
        let beyond = Cursor { after: Some("nope".to_owned()), before: None };
        let shown = beyond.empty("No order matches.", "~/orders", now).into_string();
        assert!(shown.contains("Nothing follows here") && shown.contains("\"~/orders\""), "{shown}");
        assert!(Cursor::default().empty("No order matches.", "~/orders", now).0.contains("No order matches."));
    }

    #[test]
    fn an_address_keeps_the_filters_that_are_set() {
        let filtered = address("~/events", &[("state", "failed"), ("type", ""), ("object", "a b&c")]);
        assert_eq!(filtered, "~/events?state=failed&object=a%20b%26c");
        let window = Window { rows: vec![0], newer: None, older: Some("evt_1".to_owned()) };
        assert!(window.pager(&filtered).into_string().contains("object=a%20b%26c&amp;after=evt_1"));
        assert!(window.pager("~/events").into_string().contains("\"~/events?after=evt_1\""));
    }
}

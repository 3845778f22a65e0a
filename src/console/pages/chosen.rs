//! Rows chosen in a list for an action that asks why: as the address of the page that asks, its form, and the address
//! that shows what happened say them.
//!
//! Each row of the form carries what it looked like, so that a form that is sent twice, or late, changes nothing twice.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::console::failure::Failure;
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::parts::{disabled, encoded};

/// The most rows at once.
pub(super) const MOST: usize = 100;
/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 2_000;

/// What was chosen, and why.
#[derive(Debug)]
pub(super) struct Chosen {
    pub rows: Vec<Row>,
    pub reason: String,
}

/// A chosen row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub id: String,
    /// What it looked like; empty before the page that asks was made.
    pub seen: String,
}

impl Chosen {
    /// Reads `id=…` of an address, or `row=SEEN ID` and `reason=…` of a form.
    ///
    /// # Errors
    /// When too much is chosen.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Result<Self, Failure> {
        let (mut rows, mut reason) = (BTreeSet::new(), String::new());
        for (name, value) in pairs {
            match name.as_str() {
                "id" => drop(rows.insert(Row { id: value, seen: String::new() })),
                "row" => drop(
                    value
                        .split_once(' ')
                        .map(|(seen, id)| rows.insert(Row { id: id.to_owned(), seen: seen.to_owned() })),
                ),
                "reason" => value.trim().clone_into(&mut reason),
                _ => {}
            }
        }
        match rows.len() {
            0..=MOST => Ok(Self { rows: rows.into_iter().collect(), reason }),
            given => {
                Err(Failure::Unreadable(format!("{given} rows are selected; at most {MOST} are changed at once.")))
            }
        }
    }

    /// What is wrong with the reason.
    pub(super) fn problems(&self) -> Problems {
        match self.reason.chars().count() {
            0 => Problems::one("reason", "Say why: it is kept in the audit trail."),
            1..=LONGEST_REASON => Problems::default(),
            given => Problems::one("reason", format!("At most {LONGEST_REASON} characters; this has {given}.")),
        }
    }

    /// The form that asks why. `rows`: those that can be changed, each with what it looks like.
    pub(super) fn form(&self, action: &str, rows: &[Row], problems: &Problems, button: &Markup) -> Markup {
        let control = html! {
            textarea #reason name="reason" required data-limit=(LONGEST_REASON)
                aria-describedby=[described_by("reason", true, problems)] aria-invalid=[invalid("reason", problems)] {
                (self.reason)
            }
            output.count data-count-of="reason" {}
        };
        html! {
            form action=(action) method="post" {
                @for row in rows { input type="hidden" name="row" value={ (row.seen) " " (row.id) }; }
                (field("reason", "Reason", Some("Kept in the audit trail with your name."), problems, &control))
                div.actions { (button) }
            }
        }
    }
}

/// The rows that can be changed, with what each looked like when the form was first made. `seen`: what a row looks like
/// now; none where it cannot be changed.
pub(super) fn fit<T>(rows: &[(Row, Option<T>)], seen: impl Fn(&T) -> Option<String>) -> Vec<Row> {
    let fits = |(row, found): &(Row, Option<T>)| {
        let now = seen(found.as_ref()?)?;
        let seen = if row.seen.is_empty() { now } else { row.seen.clone() };
        Some(Row { id: row.id.clone(), seen })
    };
    rows.iter().filter_map(fits).collect()
}

/// A button that sends the form it stands in, or says why it cannot.
pub(super) fn button(label: &str, class: &str, refused: Option<&str>) -> Markup {
    match refused {
        None => html! { button.(class) type="submit" { (label) } },
        Some(why) => disabled(label, why),
    }
}

/// The form for which rows are selected: its buttons, each with the action it leads to; disabled where nothing can be
/// changed.
pub(super) fn selection(buttons: &[(&str, &str)], refused: Option<&str>) -> Markup {
    html! {
        @match (refused, buttons) {
            (Some(why), [(label, _), ..]) => div.actions { (disabled(label, why)) },
            (None, [(_, action), ..]) => form #selection action=(action) method="get" {
                div.actions { @for (label, action) in buttons { button type="submit" formaction=(action) { (label) } } }
            },
            (_, []) => {}
        }
    }
}

/// The cell with which a row is selected for that form.
pub(super) fn tick(id: &str, refused: Option<&str>) -> Markup {
    html! {
        td.tick { label { input type="checkbox" name="id" value=(id) form="selection" disabled[refused.is_some()]; span.hidden { "Select " (id) } } }
    }
}

/// Which rows were changed, and which were not.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub done: Vec<String>,
    pub not_done: Vec<String>,
}

impl Outcome {
    /// Records what happened to a row.
    pub(super) fn record(&mut self, id: &str, is_done: bool) {
        let list = if is_done { &mut self.done } else { &mut self.not_done };
        list.push(id.to_owned());
    }

    /// Each row, and whether it was changed.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, bool)> {
        let changed = self.done.iter().map(|id| (id.as_str(), true));
        changed.chain(self.not_done.iter().map(|id| (id.as_str(), false)))
    }

    /// The address of the page that shows it.
    pub(super) fn address(&self, path: &str) -> String {
        let named = |name: &'static str, ids: &[String]| {
            ids.iter().map(|id| format!("{name}={}", encoded(id))).collect::<Vec<_>>()
        };
        format!("{path}?{}", [named("done", &self.done), named("not", &self.not_done)].concat().join("&"))
    }

    /// Reads it from there, at most [`MOST`] rows; none when the address is none of its.
    pub(super) fn read(pairs: &[(String, String)]) -> Option<Self> {
        let mut outcome = Self::default();
        for (name, id) in pairs.iter().take(MOST) {
            match name.as_str() {
                "done" => outcome.record(id, true),
                "not" => outcome.record(id, false),
                _ => {}
            }
        }
        let is_empty = outcome.done.is_empty() && outcome.not_done.is_empty();
        (!is_empty).then_some(outcome)
    }
}

//! Follow-ups, with filters that stand in the address. Without any: those that need attention first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::super::chosen::{selection, tick};
use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::list::{self, Cursor, MODES, Window, address, choice, cut, filled, known, livemode};
use crate::console::parts::{Head, Tone, badge, code, deadline, foreign, moment_ago, nothing, state, table, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::domain;
use crate::store::queries::{self, FollowUp, FollowUpFilter};
use crate::terminal::quoted;

const STATES: [&str; 8] = ["any", "overdue", "ready", "leased", "dead", "done", "cancelled", "discarded"];

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    order: String,
    #[serde(default)]
    mode: String,
    #[serde(flatten)]
    cursor: Cursor,
}

impl Asked {
    fn filter(&self) -> Result<FollowUpFilter, Failure> {
        known("state", &self.state, &STATES)?;
        known("kind", &self.kind, &domain::kinds())?;
        known("mode", &self.mode, &MODES)?;
        Ok(FollowUpFilter {
            state: filled(&self.state).filter(|state| !["any", "overdue"].contains(&state.as_str())),
            overdue: self.state == "overdue",
            kind: filled(&self.kind),
            subject: filled(&self.subject),
            order_id: filled(&self.order),
            livemode: livemode(&self.mode),
            ..FollowUpFilter::default()
        })
    }

    /// The address of this list with another state; the place in it is left out.
    fn with_state(&self, state: &str) -> String {
        let Self { kind, subject, order, mode, .. } = self;
        let filters = [("state", state), ("kind", kind), ("subject", subject), ("order", order), ("mode", mode)];
        address("~/follow-ups", &filters)
    }

    /// The options of the command that finds the same, as far as it has them.
    fn options(&self) -> String {
        let state = if self.state.is_empty() { "dead" } else { &self.state };
        let state = Some(state).filter(|state| !["any", "overdue"].contains(state));
        let set = |name: &str, value: &str| match value {
            "" => String::new(),
            value => format!(" --{name} {}", quoted(value)),
        };
        [set("state", state.unwrap_or_default()), set("kind", &self.kind), set("order", &self.order)].concat()
    }
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let filter = asked.filter()?;
    let mut tx = console.reading().await?;
    let mut parts = Vec::new();
    for part in Part::of(&asked).iter().copied() {
        let filter = FollowUpFilter { state: part.state(&filter), overdue: part.overdue(&filter), ..filter.clone() };
        let rows = queries::follow_ups(&mut tx, &filter, &asked.cursor.page()).await?;
        parts.push((part, asked.cursor.window(rows, |follow_up| follow_up.id.to_string())));
    }
    let view = View { asked, parts, refused: console.objection(&who, Right::Work), now: now() };
    Ok(console.show(&who, view.now, &Page::list("Follow-ups", Section::FollowUps, view.content())))
}

/// A part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// What the filters ask for.
    Matching,
    Dead,
    Overdue,
}

impl Part {
    /// Without a state: what needs attention, then the newest of all.
    fn of(asked: &Asked) -> &'static [Self] {
        if asked.state.is_empty() { &[Self::Dead, Self::Overdue, Self::Matching] } else { &[Self::Matching] }
    }

    fn state(self, filter: &FollowUpFilter) -> Option<String> {
        match self {
            Self::Matching => filter.state.clone(),
            Self::Dead => Some("dead".to_owned()),
            Self::Overdue => None,
        }
    }

    fn overdue(self, filter: &FollowUpFilter) -> bool {
        match self {
            Self::Matching => filter.overdue,
            Self::Dead => false,
            Self::Overdue => true,
        }
    }
}

struct View {
    asked: Asked,
    parts: Vec<(Part, Window<FollowUp>)>,
    /// Why nothing can be changed here.
    refused: Option<String>,
    now: OffsetDateTime,
}

impl View {
    fn content(&self) -> Markup {
        html! {
            (filters(&self.asked))
            (selection(&ACTIONS, self.refused.as_deref()))
            @for (part, window) in &self.parts { (self.part(*part, window)) }
            p.hint {
                "To requeue or discard more than a page, see first what would change: "
                (code(&format!("clawback follow-ups requeue{} --dry-run", self.asked.options()))) "."
            }
        }
    }

    fn part(&self, part: Part, window: &Window<FollowUp>) -> Markup {
        let (region, title, none, state) = match part {
            Part::Matching if self.asked.state.is_empty() => ("newest", Some("Newest"), "No follow-up matches.", "any"),
            Part::Matching => ("matching", None, "No follow-up matches.", self.asked.state.as_str()),
            Part::Dead => ("dead", Some("Dead"), "No follow-up is dead.", "dead"),
            Part::Overdue => ("overdue", Some("Overdue"), "No follow-up is overdue.", "overdue"),
        };
        let address = self.asked.with_state(state);
        html! {
            section data-region=(region) {
                @if let Some(title) = title { h2 { (title) } }
                @if window.rows.is_empty() { (self.asked.cursor.empty(none, &address, self.now)) } @else { (self.rows(title, &window.rows)) }
                (window.pager(&address))
            }
        }
    }

    fn rows(&self, title: Option<&str>, rows: &[FollowUp]) -> Markup {
        let caption = title.map_or_else(|| "Follow-ups".to_owned(), |title| format!("{title} follow-ups"));
        table(&caption, &HEADS, &html! { @for follow_up in rows { (self.row(follow_up)) } })
    }

    fn row(&self, follow_up: &FollowUp) -> Markup {
        let id = follow_up.id.to_string();
        html! {
            tr data-key=(id) {
                (tick(&id, self.refused.as_deref()))
                td.number { a href=(to("/follow-ups/", &id)) { (id) } }
                td {
                    (code(&follow_up.kind)) @if !follow_up.livemode { " " (badge(Tone::Warn, "test")) }
                    br; span.hint { (code(&follow_up.subject)) }
                }
                td.wide {
                    (state(&follow_up.state)) @if !follow_up.wanted { " " (badge(Tone::Calm, "no longer wanted")) }
                    @if follow_up.attempts > 0 {
                        " " span.distance { (follow_up.attempts) " of " (follow_up.max_attempts) " attempts" }
                    }
                    @if let Some(error) = &follow_up.last_error { div { (foreign(&cut(error))) } }
                }
                td { @match &follow_up.order_id {
                    Some(order) => a href=(to("/orders?id=", order)) { (foreign(order)) },
                    None => (nothing()),
                } }
                td { @match (follow_up.due_at, follow_up.finished_at) {
                    (Some(at), None) => (deadline(at, self.now)),
                    (Some(_), Some(_)) | (None, _) => (nothing()),
                } }
                td { (moment_ago(follow_up.created_at, self.now)) }
            }
        }
    }
}

const ACTIONS: [(&str, &str); 2] =
    [("Requeue selected …", "~/follow-ups/requeue"), ("Discard selected …", "~/follow-ups/discard")];

const HEADS: [Head; 7] = [
    Head::Text("Select"),
    Head::Number("ID"),
    Head::Text("Kind and subject"),
    Head::Text("State and last error"),
    Head::Text("Order"),
    Head::Text("Due"),
    Head::Text("Created"),
];

fn filters(asked: &Asked) -> Markup {
    html! {
        (list::filters("~/follow-ups", asked.with_state(&asked.state) != "~/follow-ups", &html! {
            (choice("State", "state", "attention first", &STATES, &asked.state))
            (choice("Kind", "kind", "any", &domain::kinds(), &asked.kind))
            label { "Subject " input name="subject" value=(asked.subject) maxlength="255" spellcheck="false"; }
            label { "Order " input name="order" value=(asked.order) maxlength="500" spellcheck="false"; }
            (choice("Mode", "mode", "any", &MODES, &asked.mode))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{NOW, cancelled, dead, lines, overdue};
    use super::*;

    fn list(asked: Asked, parts: Vec<(Part, Vec<FollowUp>)>) -> String {
        let window = |rows| Window { rows, newer: None, older: Some("7".to_owned()) };
        let parts = parts.into_iter().map(|(part, rows)| (part, window(rows))).collect();
        lines(&View { asked, parts, refused: None, now: NOW }.content())
    }

    #[test]
    fn without_a_filter_what_needs_attention_stands_first() {
        let parts =
            vec![(Part::Dead, vec![dead()]), (Part::Overdue, vec![overdue()]), (Part::Matching, vec![cancelled()])];
        insta::assert_snapshot!(list(Asked::default(), parts));
    }

    #[test]
    fn an_empty_list_says_what_would_be_there_and_keeps_its_filters() {
        let asked = Asked { state: "dead".to_owned(), order: "o/1 & co".to_owned(), ..Asked::default() };
        let shown = list(asked, vec![(Part::Matching, Vec::new())]);
        assert!(shown.contains("No follow-up matches. Looked at 12:03:10 UTC."), "{shown}");
        assert!(shown.contains("state=dead&amp;order=o%2F1%20%26%20co&amp;after=7"), "{shown}");
        assert!(shown.contains("clawback follow-ups requeue --state dead --order 'o/1 &amp; co' --dry-run"), "{shown}");
    }
}

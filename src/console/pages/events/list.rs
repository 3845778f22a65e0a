//! Events, the last received first, with filters that stand in the address.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::super::chosen::{selection, tick};
use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::form::{Problems, invalid};
use crate::console::frame::{Page, Section};
use crate::console::list::{self, Cursor, MODES, Window, address, choice, cut, filled, known, livemode};
use crate::console::parts::{Head, Tone, badge, code, code_or_none, foreign, moment_ago, nothing, state, table, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Event, EventFilter};
use crate::terminal::moment::Moment;
use crate::terminal::quoted;

/// `noted`: processed, with unreadable fields.
const STATES: [&str; 5] = ["failed", "noted", "pending", "processed", "ignored"];

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    state: String,
    #[serde(default, rename = "type")]
    event_type: String,
    #[serde(default)]
    object: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    since: String,
    #[serde(flatten)]
    cursor: Cursor,
}

impl Asked {
    /// When the list begins; what is wrong with what was typed.
    fn since(&self, now: OffsetDateTime) -> Result<Option<OffsetDateTime>, Problems> {
        let since = filled(&self.since).map(|text| Moment::parse(&text)).transpose();
        let since = since.map_err(|expected| Problems::one("since", format!("Since: {expected}.")))?;
        Ok(since.map(|moment| moment.before(now)))
    }

    fn filter(&self, since: Option<OffsetDateTime>) -> Result<EventFilter, Failure> {
        known("state", &self.state, &STATES)?;
        known("mode", &self.mode, &MODES)?;
        Ok(EventFilter {
            state: filled(&self.state).filter(|state| state != "noted"),
            noted: self.state == "noted",
            event_type: filled(&self.event_type),
            object_ids: filled(&self.object).map(|id| vec![id]),
            livemode: livemode(&self.mode),
            since,
            ..EventFilter::default()
        })
    }

    /// The address of this list without the place in it.
    fn address(&self) -> String {
        let Self { state, event_type, object, mode, since, .. } = self;
        let filters = [("state", state), ("type", event_type), ("object", object), ("mode", mode), ("since", since)];
        address("~/events", &filters.map(|(name, value)| (name, value.as_str())))
    }

    /// The options of the command that finds the same, as far as it has them.
    fn options(&self) -> String {
        let set = |name: &str, value: &str| match value {
            "" => String::new(),
            "noted" => " --noted".to_owned(),
            value => format!(" --{name} {}", quoted(value)),
        };
        let state = if self.address() == "~/events" { "failed" } else { &self.state };
        [set("state", state), set("type", &self.event_type), set("object", &self.object), set("since", &self.since)]
            .concat()
    }
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let now = now();
    let (since, problems) = match asked.since(now) {
        Ok(since) => (since, Problems::default()),
        Err(problems) => (None, problems),
    };
    let filter = asked.filter(since)?;
    let rows = match problems.is_empty() {
        true => queries::events(&mut *console.reading().await?, &filter, &asked.cursor.page()).await?,
        false => Vec::new(),
    };
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let window = asked.cursor.window(rows, |event| event.event_id.clone());
    let view = View { asked, window, problems, refused: console.objection(&who, Right::Work), now };
    Ok(console.show_as(status, Some(&who), now, &Page::list("Events", Section::Events, view.content())))
}

struct View {
    asked: Asked,
    window: Window<Event>,
    /// What is wrong with the filters.
    problems: Problems,
    /// Why nothing can be changed here.
    refused: Option<String>,
    now: OffsetDateTime,
}

impl View {
    fn content(&self) -> Markup {
        let rows = &self.window.rows;
        html! {
            (self.problems.summary())
            (filters(&self.asked, &self.problems))
            (selection(&[("Replay selected …", "~/events/replay")], self.refused.as_deref()))
            section data-region="events" {
                @if !self.problems.is_empty() {
                    p.empty { "Nothing is listed until the filter is corrected." }
                } @else if rows.is_empty() {
                    (self.asked.cursor.empty("No event matches.", &self.asked.address(), self.now))
                } @else {
                    (table("Events", &HEADS, &html! { @for event in rows { (self.row(event)) } }))
                }
                (self.window.pager(&self.asked.address()))
            }
            p.hint {
                "To replay more than a page, see first what would be processed again: "
                (code(&format!("clawback events replay{} --dry-run", self.asked.options()))) "."
            }
        }
    }

    fn row(&self, event: &Event) -> Markup {
        html! {
            tr data-key=(event.event_id) {
                (tick(&event.event_id, self.refused.as_deref()))
                td {
                    a href=(to("/events/", &event.event_id)) { (code(&event.event_type)) }
                    @if event.livemode == Some(false) { " " (badge(Tone::Warn, "test")) }
                    div.hint { (code(&event.event_id)) }
                }
                td { (state(&event.state)) @if event.attempts > 1 { div.hint { (event.attempts) " attempts" } } }
                td { (moment_ago(event.received_at, self.now)) }
                td {
                    (code_or_none(event.object_id.as_deref()))
                    @if let Some(id) = &event.payment_id { div.hint { "of " a href=(to("/find?q=", id)) { (code(id)) } } }
                }
                td.wide { @match &event.last_error { Some(error) => (foreign(&cut(error))), None => (nothing()) } }
            }
        }
    }
}

const HEADS: [Head; 6] = [
    Head::Text("Select"),
    Head::Text("Event"),
    Head::Text("State"),
    Head::Text("Received"),
    Head::Text("Object"),
    Head::Text("Error"),
];

fn filters(asked: &Asked, problems: &Problems) -> Markup {
    html! {
        (list::filters("~/events", asked.address() != "~/events", &html! {
            (choice("State", "state", "any", &STATES, &asked.state))
            label { "Type " input name="type" value=(asked.event_type) maxlength="255" spellcheck="false" placeholder="charge.refunded"; }
            label { "Object " input name="object" value=(asked.object) maxlength="255" spellcheck="false"; }
            (choice("Mode", "mode", "any", &MODES, &asked.mode))
            label { "Since " input #since name="since" value=(asked.since) maxlength="40" spellcheck="false" placeholder="2h or 2026-11-25"
                aria-invalid=[invalid("since", problems)]; }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{NOW, failed, lines, pending};
    use super::*;

    fn list(asked: Asked, rows: Vec<Event>, refused: Option<&str>) -> String {
        let window = Window { rows, newer: Some("evt_9".to_owned()), older: None };
        let (problems, refused) = (Problems::default(), refused.map(str::to_owned));
        lines(&View { asked, window, problems, refused, now: NOW }.content())
    }

    #[test]
    fn events_are_listed_with_their_errors() {
        let shown = list(Asked::default(), vec![failed(), pending()], Some("You lack the right “work”."));
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn an_empty_list_says_so_and_keeps_its_filters() {
        let asked = Asked { state: "noted".to_owned(), since: "2h".to_owned(), ..Asked::default() };
        let shown = list(asked, Vec::new(), None);
        assert!(shown.contains("No event matches. Looked at 12:03:10 UTC."), "{shown}");
        assert!(shown.contains("~/events?state=noted&amp;since=2h&amp;before=evt_9"), "{shown}");
        assert!(shown.contains("clawback events replay --noted --since 2h --dry-run"), "{shown}");
    }
}

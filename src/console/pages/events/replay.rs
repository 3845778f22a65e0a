//! Processing events again: the page that lists them and asks why, and the one that says what happened.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::super::activity::last;
use super::super::chosen::{Chosen, Outcome, Row, button, fit};
use super::seen;
use crate::console::extract::{Form, Query};
use crate::console::failure::Failure;
use crate::console::form::Problems;
use crate::console::frame::{Page, Section};
use crate::console::list::cut;
use crate::console::parts::{Head, Tone, badge, code, empty, foreign, nothing, state, table, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Action, Event};

/// Why an event cannot be processed again, after "it"; none: it can, if its body is there.
pub(super) fn obstacle(event: Option<&Event>) -> Option<&'static str> {
    let Some(event) = event else { return Some("is not in the ledger") };
    match (event.state.as_str(), event.attempts) {
        ("pending", _) => Some("is pending: it will be processed"),
        // No attempt was ever made on what is stored separately.
        ("ignored", 0) => Some(
            "is not of the mode of its signing secret: correct the label in STRIPE_WEBHOOK_SECRETS and have Stripe resend it",
        ),
        _ => None,
    }
}

pub(in crate::console) async fn ask(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    if let Some(outcome) = Outcome::read(&pairs) {
        return console.show_replayed(&who, &outcome).await;
    }
    console.ask_why_replay(&who, Chosen::read(pairs)?, Problems::default(), StatusCode::OK).await
}

pub(in crate::console) async fn act(
    State(console): State<Arc<Console>>,
    who: Who,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let chosen = Chosen::read(pairs)?;
    let problems = chosen.problems();
    if !problems.is_empty() {
        return console.ask_why_replay(&who, chosen, problems, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let mut tx = console.acting(&who).await?;
    queries::take_turn(&mut tx).await?;
    let mut outcome = Outcome::default();
    for row in &chosen.rows {
        outcome.record(&row.id, apply(&mut tx, row, &chosen.reason).await?);
    }
    tx.commit().await?;
    Ok(console.see(&outcome.address("/events/replay")))
}

/// Replays an event, unless it was processed since it was looked at. Returns whether it was done.
async fn apply(conn: &mut PgConnection, row: &Row, reason: &str) -> sqlx::Result<bool> {
    match queries::event(conn, &row.id).await? {
        Some(event) if seen(&event) == row.seen => {
            Ok(!queries::replay(conn, &[event.event_id], reason).await?.is_empty())
        }
        Some(_) | None => Ok(false),
    }
}

impl Console {
    async fn ask_why_replay(
        &self,
        who: &Who,
        chosen: Chosen,
        problems: Problems,
        status: StatusCode,
    ) -> Result<Response, Failure> {
        let mut tx = self.reading().await?;
        let mut rows = Vec::new();
        for row in &chosen.rows {
            rows.push((row.clone(), queries::event(&mut tx, &row.id).await?));
        }
        let view = Review { chosen, rows, problems, refused: self.objection(who, Right::Work), now: now() };
        let page = Page {
            title: "Replay events".to_owned(),
            section: Some(Section::Events),
            is_test: view.rows.iter().flat_map(|(_, found)| found).any(|event| event.livemode == Some(false)),
            refreshed: None,
            content: view.content(),
        };
        Ok(self.show_as(status, Some(who), view.now, &page))
    }
}

/// What is about to be replayed.
struct Review {
    chosen: Chosen,
    rows: Vec<(Row, Option<Event>)>,
    problems: Problems,
    /// Why nothing can be changed here.
    refused: Option<String>,
    now: OffsetDateTime,
}

impl Review {
    fn content(&self) -> Markup {
        let fit = fit(&self.rows, |event| obstacle(Some(event)).is_none().then(|| seen(event)));
        let refused =
            self.refused.clone().or_else(|| fit.is_empty().then(|| "None of these can be replayed.".to_owned()));
        let label = match fit.len() {
            1 => "Replay 1 event".to_owned(),
            several => format!("Replay {several} events"),
        };
        let buttons = html! {
            (button(&label, "primary", refused.as_deref()))
            a.button href="~/events" { "Cancel" }
        };
        html! {
            (self.problems.summary())
            @if self.rows.is_empty() { (empty("No event is selected: tick some in the list first.", self.now)) }
            p { "They are processed again from their stored bodies. What is right already does not change; nothing is asked of Stripe." }
            (table("Selected events", &HEADS, &html! { @for (row, found) in &self.rows { (reviewed(row, found.as_ref())) } }))
            (self.chosen.form("~/events/replay", &fit, &self.problems, &buttons))
        }
    }
}

fn reviewed(row: &Row, found: Option<&Event>) -> Markup {
    let note = obstacle(found).map(|why| html! { (badge(Tone::Warn, "left out")) " It " (why) "." });
    line(&row.id, found, &note.unwrap_or_default())
}

const HEADS: [Head; 5] =
    [Head::Text("Event"), Head::Text("Type"), Head::Text("State"), Head::Text("Error"), Head::Text("Note")];

fn line(id: &str, found: Option<&Event>, note: &Markup) -> Markup {
    html! {
        tr data-key=(id) {
            @match found {
                Some(found) => {
                    td { a href=(to("/events/", id)) { (code(id)) } }
                    td { (code(&found.event_type)) }
                    td { (state(&found.state)) }
                    td.wide { @match &found.last_error { Some(error) => (foreign(&cut(error))), None => (nothing()) } }
                }
                None => { td { (code(id)) } td { (nothing()) } td { (nothing()) } td { (nothing()) } }
            }
            td { (note) }
        }
    }
}

impl Console {
    async fn show_replayed(&self, who: &Who, outcome: &Outcome) -> Result<Response, Failure> {
        let mut tx = self.reading().await?;
        let mut rows = Vec::new();
        for (id, is_done) in outcome.all() {
            let actions = queries::actions(&mut tx, "event", id).await?;
            // Anybody can write an address: what it says was done is shown only where it was the last action.
            let is_done = is_done && actions.last().is_some_and(|last| last.action == "replay");
            rows.push(Replayed { id: id.to_owned(), is_done, found: queries::event(&mut tx, id).await?, actions });
        }
        let view = Replays { rows, now: now() };
        Ok(self.show(who, view.now, &Page::list("Events replayed", Section::Events, view.content())))
    }
}

/// The result for one that was selected.
struct Replayed {
    id: String,
    is_done: bool,
    found: Option<Event>,
    /// What people did with it.
    actions: Vec<Action>,
}

struct Replays {
    rows: Vec<Replayed>,
    now: OffsetDateTime,
}

impl Replays {
    fn content(&self) -> Markup {
        html! {
            section data-region="replayed" {
                (table("What was done", &HEADS, &html! { @for row in &self.rows { (self.row(row)) } }))
            }
            p { a href="~/events" { "To the events" } }
        }
    }

    fn row(&self, row: &Replayed) -> Markup {
        let note = match (row.is_done, obstacle(row.found.as_ref())) {
            (true, _) => html! { (badge(Tone::Good, "replayed")) " " (last(&row.actions, self.now)) },
            (false, why) => html! {
                (badge(Tone::Warn, "not replayed"))
                " It " (why.unwrap_or("was processed since the page was made, or its body was deleted")) ". "
                (last(&row.actions, self.now))
            },
        };
        line(&row.id, row.found.as_ref(), &note)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{NOW, action, failed, lines, pending};
    use super::*;

    #[test]
    fn the_page_that_asks_why_lists_what_is_replayed_and_what_is_left_out() {
        let row = |id: &str, found| (Row { id: id.to_owned(), seen: String::new() }, found);
        let apart = Event { state: "ignored".to_owned(), attempts: 0, ..failed() };
        let rows = vec![
            row("evt_1", Some(failed())),
            row("evt_2", Some(pending())),
            row("evt_3", Some(apart)),
            row("x", None),
        ];
        let chosen = Chosen { rows: Vec::new(), reason: String::new() };
        let view = Review { chosen, rows, problems: Problems::default(), refused: None, now: NOW };
        insta::assert_snapshot!(lines(&view.content()));
    }

    #[test]
    fn each_event_says_what_became_of_it() {
        let row = |id: &str, is_done, found, actions| Replayed { id: id.to_owned(), is_done, found, actions };
        let rows = vec![
            row("evt_2", true, Some(pending()), vec![action("replay")]),
            row("evt_1", false, Some(failed()), vec![action("replay")]),
            row("x", false, None, Vec::new()),
        ];
        insta::assert_snapshot!(lines(&Replays { rows, now: NOW }.content()));
    }
}

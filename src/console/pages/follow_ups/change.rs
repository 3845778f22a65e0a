//! Requeueing and discarding follow-ups: the page that lists them and asks why, and the one that says what happened.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde::de::IntoDeserializer;
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
use crate::domain::reconcile::FollowUpState;
use crate::store::queries::{self, Action, FollowUp};

/// What is done with follow-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::console) enum Change {
    Requeue,
    Discard,
}

impl Change {
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Requeue => "Requeue",
            Self::Discard => "Discard",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Requeue => "/follow-ups/requeue",
            Self::Discard => "/follow-ups/discard",
        }
    }

    /// What it is called among the actions.
    fn action(self) -> &'static str {
        match self {
            Self::Requeue => "requeue",
            Self::Discard => "discard",
        }
    }

    /// What those are to which it was done.
    fn past(self) -> &'static str {
        match self {
            Self::Requeue => "requeued",
            Self::Discard => "discarded",
        }
    }

    /// What it does.
    fn explained(self) -> &'static str {
        match self {
            Self::Requeue => "They become ready at once, with fresh attempts. Their consumers act on them again.",
            Self::Discard => {
                "They end without being done, for good. Do what they ask for by other means, if it is still needed."
            }
        }
    }

    /// Why it does not apply to a follow-up, after "it"; none: it does.
    pub(super) fn obstacle(self, follow_up: Option<&FollowUp>) -> Option<String> {
        let Some(follow_up) = follow_up else { return Some("does not exist".to_owned()) };
        let state = FollowUpState::deserialize(follow_up.state.as_str().into_deserializer());
        let state = state.map_err(|error: serde::de::value::Error| error).ok()?;
        match (self, state) {
            (Self::Requeue, FollowUpState::Leased) => {
                Some(format!("is leased by {}", follow_up.consumer.as_deref().unwrap_or("a consumer")))
            }
            (Self::Requeue, _) if !follow_up.wanted => Some("is no longer wanted".to_owned()),
            (Self::Requeue, FollowUpState::Done | FollowUpState::Discarded) if follow_up.is_pruned() => {
                Some(format!("is {}, and its payload was pruned", follow_up.state))
            }
            (Self::Requeue, FollowUpState::Done | FollowUpState::Discarded) => Some(format!(
                "is {}: `clawback follow-ups requeue {} --force` makes its consumer act a second time",
                follow_up.state, follow_up.id
            )),
            (Self::Discard, FollowUpState::Done | FollowUpState::Discarded) => {
                Some(format!("is {} already", follow_up.state))
            }
            (
                Self::Requeue | Self::Discard,
                FollowUpState::Ready | FollowUpState::Dead | FollowUpState::Cancelled | FollowUpState::Leased,
            ) => None,
        }
    }

    /// Does it, unless the follow-up has changed since it was looked at. Returns whether it was done.
    async fn apply(self, conn: &mut PgConnection, row: &Row, reason: &str) -> sqlx::Result<bool> {
        let Ok(id) = row.id.parse() else { return Ok(false) };
        let as_seen = queries::follow_up(conn, id).await?.filter(|follow_up| seen(follow_up) == row.seen);
        match self {
            _ if as_seen.is_none() => Ok(false),
            Self::Requeue => queries::requeue(conn, id, Some(reason), false).await,
            Self::Discard => queries::discard(conn, id, reason).await,
        }
    }
}

pub(in crate::console) async fn ask(
    State(console): State<Arc<Console>>,
    Extension(change): Extension<Change>,
    who: Who,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    if let Some(outcome) = Outcome::read(&pairs) {
        return console.show_changed(change, &who, &outcome).await;
    }
    console.ask_why(change, &who, Chosen::read(pairs)?, Problems::default(), StatusCode::OK).await
}

pub(in crate::console) async fn act(
    State(console): State<Arc<Console>>,
    Extension(change): Extension<Change>,
    who: Who,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let chosen = Chosen::read(pairs)?;
    let problems = chosen.problems();
    if !problems.is_empty() {
        return console.ask_why(change, &who, chosen, problems, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let mut tx = console.acting(&who).await?;
    queries::take_turn(&mut tx).await?;
    let mut outcome = Outcome::default();
    for row in &chosen.rows {
        outcome.record(&row.id, change.apply(&mut tx, row, &chosen.reason).await?);
    }
    tx.commit().await?;
    Ok(console.see(&outcome.address(change.path())))
}

impl Console {
    async fn ask_why(
        &self,
        change: Change,
        who: &Who,
        chosen: Chosen,
        problems: Problems,
        status: StatusCode,
    ) -> Result<Response, Failure> {
        let mut tx = self.reading().await?;
        let mut rows = Vec::new();
        for row in &chosen.rows {
            rows.push((row.clone(), found(&mut tx, &row.id).await?));
        }
        let view = Review { change, chosen, rows, problems, refused: self.objection(who, Right::Work), now: now() };
        let page = Page {
            title: format!("{} follow-ups", change.verb()),
            section: Some(Section::FollowUps),
            is_test: view.rows.iter().any(|(_, found)| found.as_ref().is_some_and(|found| !found.livemode)),
            refreshed: None,
            content: view.content(),
        };
        Ok(self.show_as(status, Some(who), view.now, &page))
    }
}

/// The follow-up with this id, if there is one.
async fn found(conn: &mut PgConnection, id: &str) -> sqlx::Result<Option<FollowUp>> {
    match id.parse() {
        Ok(id) => queries::follow_up(conn, id).await,
        Err(_) => Ok(None),
    }
}

/// What is about to be done.
struct Review {
    change: Change,
    chosen: Chosen,
    rows: Vec<(Row, Option<FollowUp>)>,
    problems: Problems,
    /// Why nothing can be changed here.
    refused: Option<String>,
    now: OffsetDateTime,
}

impl Review {
    fn content(&self) -> Markup {
        let fit = fit(&self.rows, |found| self.change.obstacle(Some(found)).is_none().then(|| seen(found)));
        let refused =
            self.refused.clone().or_else(|| fit.is_empty().then(|| "None of these can be changed.".to_owned()));
        let count = match fit.len() {
            1 => "1 follow-up".to_owned(),
            several => format!("{several} follow-ups"),
        };
        let class = match self.change {
            Change::Requeue => "primary",
            Change::Discard => "danger",
        };
        let button = html! {
            (button(&format!("{} {count}", self.change.verb()), class, refused.as_deref()))
            a.button href="~/follow-ups" { "Cancel" }
        };
        html! {
            (self.problems.summary())
            @if self.rows.is_empty() { (empty("No follow-up is selected: tick some in the list first.", self.now)) }
            p { (self.change.explained()) }
            (table("Selected follow-ups", &HEADS, &html! { @for (row, found) in &self.rows { (self.row(row, found.as_ref())) } }))
            (self.chosen.form(&format!("~{}", self.change.path()), &fit, &self.problems, &button))
        }
    }

    fn row(&self, row: &Row, found: Option<&FollowUp>) -> Markup {
        let obstacle = self.change.obstacle(found);
        let note = obstacle.map(|why| html! { (badge(Tone::Warn, "left out")) " It " (foreign(&why)) "." });
        line(&row.id, found, &note.unwrap_or_default())
    }
}

const HEADS: [Head; 6] = [
    Head::Number("ID"),
    Head::Text("Kind"),
    Head::Text("State"),
    Head::Text("Order"),
    Head::Text("Last error"),
    Head::Text("Note"),
];

fn line(id: &str, found: Option<&FollowUp>, note: &Markup) -> Markup {
    html! {
        tr data-key=(id) {
            @match found {
                Some(found) => {
                    td.number { a href=(to("/follow-ups/", id)) { (id) } }
                    td { (code(&found.kind)) }
                    td { (state(&found.state)) }
                    td { @match &found.order_id {
                        Some(order) => a href=(to("/orders?id=", order)) { (foreign(order)) },
                        None => (nothing()),
                    } }
                    td.wide { @match &found.last_error { Some(error) => (foreign(&cut(error))), None => (nothing()) } }
                }
                None => { td.number { (foreign(id)) } td { (nothing()) } td { (nothing()) } td { (nothing()) } td { (nothing()) } }
            }
            td { (note) }
        }
    }
}

impl Console {
    async fn show_changed(&self, change: Change, who: &Who, outcome: &Outcome) -> Result<Response, Failure> {
        let mut tx = self.reading().await?;
        let mut rows = Vec::new();
        for (id, is_done) in outcome.all() {
            let actions = queries::actions(&mut tx, "follow_up", id).await?;
            // Anybody can write an address: what it says was done is shown only where it was the last action.
            let is_done = is_done && actions.last().is_some_and(|last| last.action == change.action());
            rows.push(Changed { id: id.to_owned(), is_done, found: found(&mut tx, id).await?, actions });
        }
        let view = Changes { change, rows, now: now() };
        let title = format!("Follow-ups {}", change.past());
        Ok(self.show(who, view.now, &Page::list(&title, Section::FollowUps, view.content())))
    }
}

/// The result for one that was selected.
struct Changed {
    id: String,
    is_done: bool,
    found: Option<FollowUp>,
    /// What people did with it.
    actions: Vec<Action>,
}

struct Changes {
    change: Change,
    rows: Vec<Changed>,
    now: OffsetDateTime,
}

impl Changes {
    fn content(&self) -> Markup {
        html! {
            section data-region="changed" {
                (table("What was done", &HEADS, &html! { @for row in &self.rows { (self.row(row)) } }))
            }
            p { a href="~/follow-ups" { "To the follow-ups" } }
        }
    }

    fn row(&self, row: &Changed) -> Markup {
        let note = match (row.is_done, self.change.obstacle(row.found.as_ref())) {
            (true, _) => html! { (badge(Tone::Good, self.change.past())) " " (last(&row.actions, self.now)) },
            (false, Some(why)) => {
                html! { (badge(Tone::Warn, "not changed")) " It " (foreign(&why)) ". " (last(&row.actions, self.now)) }
            }
            (false, None) => html! {
                (badge(Tone::Warn, "not changed")) " It may have changed since the page was made. " (last(&row.actions, self.now))
            },
        };
        line(&row.id, row.found.as_ref(), &note)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{NOW, action, cancelled, dead, lines, overdue};
    use super::*;

    #[test]
    fn the_page_that_asks_why_lists_what_is_done_and_what_is_left_out() {
        let row = |id: &str| Row { id: id.to_owned(), seen: String::new() };
        let rows = vec![(row("7"), Some(dead())), (row("9"), Some(cancelled())), (row("x"), None)];
        let problems = Problems::one("reason", "Say why: it is kept in the audit trail.");
        let chosen = Chosen { rows: Vec::new(), reason: "</textarea>".to_owned() };
        let view = Review { change: Change::Requeue, chosen, rows, problems, refused: None, now: NOW };
        insta::assert_snapshot!(lines(&view.content()));
    }

    #[test]
    fn each_row_says_what_became_of_it() {
        let row = |id: &str, is_done, found, actions| Changed { id: id.to_owned(), is_done, found, actions };
        let rows = vec![
            row("8", true, Some(overdue()), vec![action("requeue")]),
            row("7", false, Some(dead()), vec![action("requeue")]),
            row("9", false, Some(cancelled()), Vec::new()),
            row("1", false, None, Vec::new()),
        ];
        insta::assert_snapshot!(lines(&Changes { change: Change::Requeue, rows, now: NOW }.content()));
    }
}

//! Filling in the draft of a response with what is known of the payment, after a look at what that is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use sqlx::PgConnection;

use super::case::Case;
use super::done::Done;
use super::evidence::{SAME_MOMENT, TRIES};
use super::fields;
use super::response::shown;
use crate::console::extract::Path;
use crate::console::failure::{Failure, refusal};
use crate::console::frame::{Page, Section};
use crate::console::parts::{Head, code, disabled, foreign, table, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::desk::draft::{self, By, CannotDraft, Found};
use crate::store::sqlstate;

/// What would be filled in.
pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let case = draftable(&mut tx, &id).await?;
    let found = console.found(&mut tx, &case).await?;
    let content = content(&case, &found, &who, console.objection(&who, Right::Respond).as_deref());
    let page = Page {
        title: format!("Fill in the draft for dispute {id}"),
        section: Some(Section::Disputes),
        is_test: !case.dispute.livemode,
        refreshed: None,
        content,
    };
    Ok(console.show(&who, now(), &page))
}

/// Fills it in. What is there already is kept, so sending this twice does it once.
pub(in crate::console) async fn fill(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    for _ in 0..TRIES {
        let mut tx = console.acting(&who).await?;
        let case = draftable(&mut tx, &id).await?;
        let found = console.found(&mut tx, &case).await?;
        if found.fields.is_empty() && found.files.is_empty() {
            return Ok(console.see(&Done::NothingFound.path(&id)));
        }
        match draft::stage(&mut tx, &case.dispute, &found, case.version(), By::Person).await {
            Ok(_) => {
                tx.commit().await?;
                return Ok(console.see(&Done::FilledIn.path(&id)));
            }
            // Somebody was faster: what there is now is kept.
            Err(CannotDraft::Database(error)) if sqlstate::is_any(&error, &["CB409"]) => {}
            Err(error) => return Err(failure(error)),
        }
    }
    Err(Failure::Refused(SAME_MOMENT.to_owned()))
}

/// The case, where a draft can be filled in.
async fn draftable(conn: &mut PgConnection, id: &str) -> Result<Case, Failure> {
    let case = Case::load(conn, id).await?;
    match case.unchangeable() {
        Some(why) => Err(Failure::Refused(why)),
        None if case.is_appeal() => {
            Err(Failure::Refused("An appeal begins empty: write the reason for filing it.".to_owned()))
        }
        None => Ok(case),
    }
}

impl Console {
    /// What is known and not in the draft as it is.
    async fn found(&self, conn: &mut PgConnection, case: &Case) -> Result<Found, Failure> {
        let response = case.response.as_ref();
        let found = draft::find(conn, &case.dispute, response, &self.policy, now().date()).await;
        let mut found = found.map_err(failure)?;
        found.fields.retain(|filled| case.text(&filled.field) != Some(filled.value.as_str()));
        Ok(found)
    }
}

fn failure(error: CannotDraft) -> Failure {
    match error {
        CannotDraft::Database(error) => match refusal(&error) {
            Some(sentence) => Failure::Refused(sentence),
            None => error.into(),
        },
        error @ (CannotDraft::Document { .. } | CannotDraft::Unreadable(_)) => Failure::Refused(error.to_string()),
    }
}

const HEADS: [Head; 3] = [Head::Text("Field"), Head::Text("Text or file"), Head::Text("From")];

fn content(case: &Case, found: &Found, who: &Who, cannot: Option<&str>) -> Markup {
    let is_empty = found.fields.is_empty() && found.files.is_empty();
    html! {
        p { a href=(to("/disputes/", case.id())) { "Dispute " (foreign(case.id())) } }
        p { "From the payment, the customer's other payments, and the configured policy. What is in the draft already is kept. Nothing is submitted." }
        p { "The cover letter names what is in the draft: add the files and the dates first, or fill in again afterwards. A letter that somebody changed is kept." }
        @if is_empty { p.empty { "Nothing is known that is not in the draft." } } @else {
            (table("What is filled in", &HEADS, &html! {
                @for filled in &found.fields {
                    tr { th scope="row" { (fields::label(&filled.field)) br; (code(&filled.field)) } td.wide { (shown(&filled.field, &filled.value, who)) } td { (foreign(&filled.source)) } }
                }
                @for file in &found.files {
                    tr { th scope="row" { (fields::label(&file.field)) br; (code(&file.field)) } td.wide { (foreign(&file.path)) } td { (foreign(&file.source)) } }
                }
            }))
        }
        @if !found.notes.is_empty() {
            h2 { "Look at this first" }
            ul { @for note in &found.notes { li { (foreign(note)) } } }
        }
        form.actions action={ (to("/disputes/", case.id())) "/draft" } method="post" {
            @match cannot {
                Some(why) => (disabled("Fill in the draft", why)),
                None if is_empty => (disabled("Fill in the draft", "There is nothing to fill in.")),
                None => button.primary type="submit" { "Fill in the draft" },
            }
            a href={ (to("/disputes/", case.id())) "/evidence" } { "To the evidence" }
        }
    }
}

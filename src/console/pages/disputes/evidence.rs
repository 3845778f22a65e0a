//! The evidence of a dispute: texts are typed and saved, files are attached. Nothing is submitted here.
//!
//! Not here: what a field may hold, which SQL checks, and the files' own actions, which are in [`super::files`].

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::case::Case;
use super::done::Done;
use super::evidence_form::View;
use super::fields;
use super::sent::Sent;
use crate::console::extract::{Path, Query};
use crate::console::failure::{Failure, refusal};
use crate::console::form::Problems;
use crate::console::frame::{Page, Section};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::{queries, sqlstate};

/// The largest form, in bytes: every text that Stripe takes, encoded.
pub(in crate::console) const LARGEST_FORM: usize = 2 << 20;

/// How often it is tried to save, where somebody saves other fields in the same moment.
pub(super) const TRIES: u32 = 3;
/// In place of the version that somebody else has made.
pub(super) const SAME_MOMENT: &str =
    "Somebody else changed the draft in the same moment. Nothing was changed: try again.";

/// What the address says.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    did: String,
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let case = Case::load(&mut tx, &id).await?;
    let (sent, problems) = Default::default();
    let view = View { done: asked.did.parse().ok(), ..console.view(&who, &case, &sent, &problems) };
    Ok(console.evidence(StatusCode::OK, &view))
}

/// Saves what was changed. A field that somebody else changed meanwhile is shown with both texts.
pub(in crate::console) async fn save(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let sent = Sent::read(&body.map_err(|_| Failure::TooLarge)?);
    let mut tries = 1;
    loop {
        let case = Case::load(&mut *console.reading().await?, &id).await?;
        let changes = sent.changes(&case, &who);
        let refused = |status, problems| Ok(console.evidence(status, &console.view(&who, &case, &sent, &problems)));
        if !changes.conflicts.is_empty() {
            return refused(StatusCode::CONFLICT, conflict(&changes.conflicts));
        }
        if changes.staged.is_empty() {
            // Saved before, where the same form was sent twice.
            let is_saved = sent.all_changed().next().is_some();
            return Ok(console.see(&if is_saved { Done::Saved } else { Done::Unchanged }.path(&id)));
        }
        match console.stage(&who, &case, changes.staged).await? {
            Staged::Saved => return Ok(console.see(&Done::Saved.path(&id))),
            Staged::Outdated if tries < TRIES => tries += 1,
            Staged::Outdated => return refused(StatusCode::CONFLICT, Problems::one("", SAME_MOMENT)),
            Staged::Refused(status, problems) => return console.not_saved(&who, &id, &sent, status, &problems).await,
        }
    }
}

fn conflict(fields: &[String]) -> Problems {
    let mut problems = Problems::default();
    for field in fields {
        let label = fields::label(field);
        problems
            .add(field, format!("{label}: somebody changed this text while you typed. Choose below, then save again."));
    }
    problems
}

enum Staged {
    Saved,
    /// The draft is no longer the version of the case.
    Outdated,
    Refused(StatusCode, Problems),
}

impl Console {
    /// Stages texts, if the draft still is the version of the case. Nothing is saved when one of them is refused; then
    /// all that are refused are named.
    async fn stage(&self, who: &Who, case: &Case, mut texts: Map<String, Value>) -> Result<Staged, Failure> {
        let mut problems = Problems::default();
        let mut status = StatusCode::UNPROCESSABLE_ENTITY;
        refuse_nul(&mut texts, &mut problems);
        loop {
            let mut tx = self.acting(who).await?;
            let texts_left = Value::Object(texts.clone());
            match queries::stage_evidence(&mut tx, case.id(), &texts_left, Some(case.version())).await {
                Ok(_) if problems.is_empty() => {
                    tx.commit().await?;
                    return Ok(Staged::Saved);
                }
                // It is dropped: the others are saved together with what is corrected.
                Ok(_) => return Ok(Staged::Refused(status, problems)),
                Err(error) => {
                    if sqlstate::is_any(&error, &["CB409"]) {
                        return Ok(Staged::Outdated);
                    }
                    let Some(sentence) = refusal(&error) else { return Err(error.into()) };
                    let refused = texts.keys().find(|field| sentence.starts_with(&format!("{field} "))).cloned();
                    let name = refused.as_deref().unwrap_or_default();
                    problems.add(name, fields::named(name, &sentence));
                    let Some(field) = refused else {
                        if !sqlstate::is_any(&error, &["22"]) {
                            status = StatusCode::CONFLICT;
                        }
                        return Ok(Staged::Refused(status, problems));
                    };
                    texts.remove(&field);
                }
            }
        }
    }

    /// Shows why texts were not saved, unless the same form was sent at the same time.
    async fn not_saved(
        &self,
        who: &Who,
        id: &str,
        sent: &Sent,
        status: StatusCode,
        problems: &Problems,
    ) -> Result<Response, Failure> {
        let case = Case::load(&mut *self.reading().await?, id).await?;
        let changes = sent.changes(&case, who);
        if changes.staged.is_empty() {
            return Ok(self.see(&Done::Saved.path(id)));
        }
        if !changes.conflicts.is_empty() {
            let conflict = conflict(&changes.conflicts);
            return Ok(self.evidence(StatusCode::CONFLICT, &self.view(who, &case, sent, &conflict)));
        }
        Ok(self.evidence(status, &self.view(who, &case, sent, problems)))
    }

    pub(super) fn view<'a>(&self, who: &'a Who, case: &'a Case, sent: &'a Sent, problems: &'a Problems) -> View<'a> {
        View { case, who, sent, problems, done: None, cannot: self.objection(who, Right::Respond), now: now() }
    }

    pub(super) fn evidence(&self, status: StatusCode, view: &View<'_>) -> Response {
        let page = Page {
            title: format!("Evidence for dispute {}", view.case.id()),
            section: Some(Section::Disputes),
            is_test: !view.case.dispute.livemode,
            refreshed: None,
            content: view.content(),
        };
        self.show_as(status, Some(view.who), view.now, &page)
    }
}

/// A NUL character cannot be stored.
fn refuse_nul(texts: &mut Map<String, Value>, problems: &mut Problems) {
    texts.retain(|field, text| {
        let is_storable = text.as_str().is_none_or(|text| !text.contains('\0'));
        if !is_storable {
            problems.add(field, format!("{} contains the control character U+0000: remove it", fields::label(field)));
        }
        is_storable
    });
}

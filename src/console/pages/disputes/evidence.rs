//! The evidence of a dispute: texts are typed and saved, files are attached. Nothing is submitted here.
//!
//! Not here: what a field may hold, which SQL checks, and the files' own actions, which are in [`super::files`].

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::case::Case;
use super::evidence_form::View;
use super::sent::Sent;
use crate::console::failure::{Failure, refusal};
use crate::console::form::Problems;
use crate::console::frame::{Page, Section};
use crate::console::parts::to;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::{queries, sqlstate};

/// The largest form, in bytes: every text that Stripe takes, encoded.
pub(in crate::console) const LARGEST_FORM: usize = 2 << 20;

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let case = Case::load(&mut tx, &id).await?;
    Ok(console.evidence(StatusCode::OK, &who, &case, &Sent::default(), &Problems::default()))
}

/// Saves what was changed. A field that somebody else changed meanwhile is shown with both texts.
pub(in crate::console) async fn save(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let sent = Sent::read(&body.map_err(|_| Failure::TooLarge)?);
    let case = Case::load(&mut *console.reading().await?, &id).await?;
    let changes = sent.changes(&case);
    if !changes.conflicts.is_empty() {
        return Ok(console.evidence(StatusCode::CONFLICT, &who, &case, &sent, &conflict(&changes.conflicts)));
    }
    if changes.staged.is_empty() {
        return Ok(console.see(&evidence_path(&id)));
    }
    match console.stage(&who, &case, changes.staged).await? {
        Staged::Saved => Ok(console.see(&evidence_path(&id))),
        Staged::Refused(status, problems) => {
            let case = Case::load(&mut *console.reading().await?, &id).await?;
            if sent.changes(&case).staged.is_empty() {
                // The same form was sent at the same time.
                return Ok(console.see(&evidence_path(&id)));
            }
            Ok(console.evidence(status, &who, &case, &sent, &problems))
        }
    }
}

/// The page on which the evidence of a dispute is typed.
pub(super) fn evidence_path(id: &str) -> String {
    format!("{}/evidence", to("/disputes/", id))
}

fn conflict(fields: &[String]) -> Problems {
    let mut problems = Problems::default();
    for field in fields {
        problems
            .add(field, format!("{field}: somebody changed this text while you typed. Choose below, then save again."));
    }
    problems
}

enum Staged {
    Saved,
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
                    let Some(sentence) = refusal(&error) else { return Err(error.into()) };
                    let refused = texts.keys().find(|field| sentence.starts_with(&format!("{field} "))).cloned();
                    problems.add(refused.as_deref().unwrap_or_default(), sentence);
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

    pub(super) fn evidence(
        &self,
        status: StatusCode,
        who: &Who,
        case: &Case,
        sent: &Sent,
        problems: &Problems,
    ) -> Response {
        let view = View { case, who, sent, problems, cannot: self.cannot_respond(who), now: now() };
        let page = Page {
            title: format!("Evidence for dispute {}", case.id()),
            section: Some(Section::Disputes),
            is_test: !case.dispute.livemode,
            refreshed: None,
            content: view.content(),
        };
        self.show_as(status, Some(who), view.now, &page)
    }
}

/// A NUL character cannot be stored.
fn refuse_nul(texts: &mut Map<String, Value>, problems: &mut Problems) {
    texts.retain(|field, text| {
        let is_storable = text.as_str().is_none_or(|text| !text.contains('\0'));
        if !is_storable {
            problems.add(field, format!("{field} contains the control character U+0000: remove it"));
        }
        is_storable
    });
}

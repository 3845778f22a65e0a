//! What a submission sends, exactly, as the executor would send it: for the commands and the console, which show it before it
//! is requested. Sends nothing.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::store::queries::{self, Dispute, Response};
use crate::store::responses::{self, MARKER};
use crate::store::sqlstate;
use crate::stripe_api::evidence_parameter;

/// What a submission sends.
#[derive(Clone, Debug, Serialize)]
pub struct Preview<'a> {
    /// The dispute.
    pub dispute_id: &'a str,
    /// Its phase.
    pub phase: &'a str,
    /// The version of the draft.
    pub version: i64,
    /// The state of the response.
    pub state: &'a str,
    /// What Stripe refused last, or why it was not submitted.
    pub error: Option<&'a str>,
    /// The deadline; none when it is not known.
    #[serde(with = "time::serde::rfc3339::option")]
    pub evidence_due_by: Option<OffsetDateTime>,
    /// In the order in which they are sent.
    pub parameters: Vec<Parameter>,
    /// What Stripe filled in and keeps.
    pub kept: Vec<Parameter>,
    /// What the reason calls for most and is not there.
    pub missing: &'a [String],
    /// What keeps it from being submitted, with why the dispute takes no evidence.
    pub problems: Vec<String>,
}

/// A parameter of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// As Stripe's API names it.
    pub name: String,
    /// For a file, its name, size and hash.
    pub value: String,
}

/// What submitting this response to the dispute sends, as it is stored now.
///
/// # Errors
/// The database's.
pub async fn preview<'a>(
    conn: &mut PgConnection,
    dispute: &Dispute,
    response: &'a Response,
) -> sqlx::Result<Preview<'a>> {
    let Response { dispute_id, phase, version, state, missing, .. } = response;
    let why_closed = sqlstate::permitted(queries::why_closed(conn, dispute_id).await)?.flatten();
    Ok(Preview {
        dispute_id,
        phase,
        version: *version,
        state,
        error: response.error.as_deref(),
        evidence_due_by: dispute.evidence_due_by,
        parameters: parameters(conn, response).await?,
        kept: response.held.iter().map(|(field, value)| own(&evidence_parameter(field), value)).collect(),
        missing,
        problems: response.problems.iter().cloned().chain(why_closed).collect(),
    })
}

/// What is sent, in order.
async fn parameters(conn: &mut PgConnection, response: &Response) -> sqlx::Result<Vec<Parameter>> {
    let Response { dispute_id, phase, .. } = response;
    // What was staged before and removed since is unset; only the owner sees which fields those are.
    let private = sqlstate::permitted(responses::load(conn, dispute_id, phase).await)?.flatten();
    let staged = private.as_ref().map(|private| private.staged_fields.as_slice()).unwrap_or_default();
    let files = response.files.iter().map(|file| {
        let (name, bytes, sha256) = (&file.name, file.bytes, &file.sha256);
        (file.field.clone(), format!("file {name}, {bytes} bytes, sha256 {sha256}"))
    });
    let sent = responses::to_send(&response.fields, files, staged);
    let parameter = |(field, value): (String, String)| Parameter { name: evidence_parameter(&field), value };
    let (cleared, nothing) = responses::UNSET_ENHANCED;
    let clears = responses::clears_enhanced(&response.fields, staged);
    // In a call of its own, before the others.
    let cleared = clears.then(|| own(&evidence_parameter(cleared), nothing));
    let mut parameters: Vec<_> = cleared.into_iter().chain(sent.into_iter().map(parameter)).collect();
    parameters.push(own(&format!("metadata[{MARKER}]"), "a key of this submission, by which it is recognised"));
    if private.and_then(|private| private.intended_method).is_some_and(|method| method != "manual") {
        parameters.push(own("intended_submission_method", "manual"));
    }
    parameters.push(own("submit", "true"));
    Ok(parameters)
}

fn own(name: &str, value: &str) -> Parameter {
    Parameter { name: name.to_owned(), value: value.to_owned() }
}

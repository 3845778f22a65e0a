//! Responses to disputes: what is staged, and the functions that change, submit and accept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

/// The response to a dispute in one phase. Contains personal data.
#[derive(Clone, Debug, Serialize)]
pub struct Response {
    /// The dispute.
    pub dispute_id: String,
    /// `inquiry`, `chargeback`, `appeal` or `compliance`.
    pub phase: String,
    /// `draft`, `submit_requested`, `submitted`, `submitted_elsewhere`, `rejected`, `accept_requested` or `accepted`.
    pub state: String,
    /// Rises with every change.
    pub version: i64,
    /// Text by evidence field, and our own `product_kind`.
    pub fields: Json<BTreeMap<String, String>>,
    /// By field.
    pub files: Json<Vec<ResponseFile>>,
    /// What Stripe filled in by itself: text or file ID by evidence field.
    pub held: Json<BTreeMap<String, String>>,
    /// What the reason calls for most and is not there.
    pub missing: Vec<String>,
    /// What keeps it from being submitted.
    pub problems: Vec<String>,
    /// Stripe holds this version, not submitted.
    pub is_staged: bool,
    /// How Stripe would have responded by itself.
    pub former_method: Option<String>,
    /// When it is accepted automatically.
    #[serde(with = "time::serde::rfc3339::option")]
    pub accept_after: Option<OffsetDateTime>,
    /// Who changed it last.
    pub staged_by: Option<String>,
    /// Who requested submission or acceptance.
    pub submitted_by: Option<String>,
    /// What Stripe refused last, or why it was not submitted.
    pub error: Option<String>,
    /// When it was submitted or accepted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub submitted_at: Option<OffsetDateTime>,
    /// When it changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A file of a response.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResponseFile {
    /// The evidence field.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its media type, by its content.
    #[serde(rename = "type")]
    pub media_type: String,
    /// Its size.
    pub bytes: i64,
    /// None until they are counted, and when it cannot be read.
    pub pages: Option<i64>,
    /// Of its content, in hexadecimal.
    pub sha256: String,
}

/// The responses to a dispute in all phases: that which is open first, then the last changed.
pub async fn responses(conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<Vec<Response>> {
    sqlx::query_as!(
        Response,
        r#"select r.dispute_id as "dispute_id!", r.phase as "phase!", r.state as "state!", r.version as "version!",
                  r.fields as "fields!: Json<BTreeMap<String, String>>", r.files as "files!: Json<Vec<ResponseFile>>",
                  r.held as "held!: Json<BTreeMap<String, String>>", r.missing as "missing!", r.problems as "problems!",
                  r.is_staged as "is_staged!", r.former_method, r.accept_after, r.staged_by, r.submitted_by, r.error,
                  r.submitted_at, r.updated_at as "updated_at!"
           from clawback_v1.dispute_responses r
           where r.dispute_id = $1
           order by r.state in ('draft', 'rejected') desc, r.updated_at desc"#,
        dispute_id
    )
    .fetch_all(conn)
    .await
}

/// The response of a phase; without one, that which is open, or changed last. None when there is none.
pub async fn response(
    conn: &mut PgConnection,
    dispute_id: &str,
    phase: Option<&str>,
) -> sqlx::Result<Option<Response>> {
    let responses = responses(conn, dispute_id).await?;
    Ok(responses.into_iter().find(|response| phase.is_none_or(|phase| phase == response.phase)))
}

/// How the response to a dispute stands.
#[derive(Clone, Debug)]
pub struct ResponseState {
    /// The dispute.
    pub dispute_id: String,
    /// As in [`Response`].
    pub state: String,
    /// When the dispute is accepted automatically.
    pub accept_after: Option<OffsetDateTime>,
}

/// How the responses to disputes stand in their present phases; none of an argument: all disputes, all states.
pub async fn response_states(
    conn: &mut PgConnection,
    disputes: Option<&[String]>,
    state: Option<&str>,
) -> sqlx::Result<Vec<ResponseState>> {
    sqlx::query_as!(
        ResponseState,
        r#"select r.dispute_id as "dispute_id!", r.state as "state!", r.accept_after
           from clawback_v1.dispute_responses r
           join clawback_v1.disputes d on d.dispute_id = r.dispute_id and d.phase = r.phase
           where ($1::text[] is null or r.dispute_id = any($1)) and ($2::text is null or r.state = $2)"#,
        disputes,
        state
    )
    .fetch_all(conn)
    .await
}

/// An evidence field that a reason calls for.
#[derive(Clone, Debug)]
pub struct Called {
    /// Its name.
    pub field: String,
    /// It makes winning more likely.
    pub is_strong: bool,
}

/// What a reason calls for, the strongest first. `product`: none for the one configured. Owners only.
pub async fn called_for(
    conn: &mut PgConnection,
    reason: Option<&str>,
    product: Option<&str>,
) -> sqlx::Result<Vec<Called>> {
    sqlx::query_as!(
        Called,
        r#"select c.field as "field!", c.is_strong as "is_strong!"
           from clawback.evidence_called_for($1, coalesce($2, (select s.product_kind from clawback.settings s), 'physical')) c
           order by c.place"#,
        reason,
        product
    )
    .fetch_all(conn)
    .await
}

/// Most pages of a response to a dispute in a phase, by its card network. Owners only.
pub async fn page_limit(conn: &mut PgConnection, dispute_id: &str, phase: &str) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "select page_limit from clawback.dispute_responses where dispute_id = $1 and phase = $2",
        dispute_id,
        phase
    )
    .fetch_optional(conn)
    .await
}

/// Puts texts into the draft; null removes a field. Its new version. `version`: only if it is that one.
pub async fn stage_evidence(
    conn: &mut PgConnection,
    dispute_id: &str,
    fields: &Value,
    version: Option<i64>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select clawback_v1.stage_evidence($1, $2, $3) as "version!""#, dispute_id, fields, version)
        .fetch_one(conn)
        .await
}

/// Attaches a file to a field of the draft; its new version.
pub async fn attach_evidence_file(
    conn: &mut PgConnection,
    dispute_id: &str,
    field: &str,
    (name, content): (&str, &[u8]),
    version: Option<i64>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select clawback_v1.attach_evidence_file($1, $2, $3, null, $4, $5) as "version!""#,
        dispute_id,
        field,
        name,
        content,
        version
    )
    .fetch_one(conn)
    .await
}

/// Removes the file of a field from the draft; its new version.
pub async fn detach_evidence_file(
    conn: &mut PgConnection,
    dispute_id: &str,
    field: &str,
    version: Option<i64>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select clawback_v1.detach_evidence_file($1, $2, $3) as "version!""#,
        dispute_id,
        field,
        version
    )
    .fetch_one(conn)
    .await
}

/// Requests submission of a version of the draft. None: it is late, and was not asked for again yet.
pub async fn submit_evidence(conn: &mut PgConnection, dispute_id: &str, version: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select clawback_v1.submit_evidence($1, $2) as version", dispute_id, version)
        .fetch_one(conn)
        .await
}

/// Requests that a dispute is accepted as lost; `amount` in minor units repeats what is disputed.
pub async fn accept_dispute(conn: &mut PgConnection, dispute_id: &str, amount: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select clawback_v1.accept_dispute($1, $2) as "version!""#, dispute_id, amount)
        .fetch_one(conn)
        .await
}

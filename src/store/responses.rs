//! Responses to disputes: what the executor reads and records, and what the processor brings in line.
//!
//! Not here: staging, submitting and accepting, which are functions of `clawback_v1`.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

/// The metadata by which a submission of ours is recognised.
pub const MARKER: &str = "clawback_submission";
/// A field that is ours and never sent.
const OURS: &str = "product_kind";

/// A response as it is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The dispute.
    pub dispute_id: String,
    /// `inquiry`, `chargeback`, `appeal` or `compliance`.
    pub phase: String,
    /// `draft`, `submit_requested` and so on.
    pub state: String,
    /// Rises with every change.
    pub version: i64,
    /// How often submission or acceptance was requested.
    pub attempt: i32,
    /// Text by evidence field, and our own `product_kind`.
    pub fields: Json<BTreeMap<String, String>>,
    /// Fields that Stripe was sent before.
    pub staged_fields: Vec<String>,
    /// Stripe's submission count when the draft began.
    pub baseline: i64,
    /// How Stripe would respond by itself, before that was set to manual.
    pub former_method: Option<String>,
    /// Stripe is not to respond by itself, since a person works on the response.
    pub is_manual: bool,
    /// How Stripe responds by itself now, as far as it is known; none: it does not.
    pub intended_method: Option<String>,
}

/// A file of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceFile {
    /// Its row.
    pub id: Uuid,
    /// The evidence field it is for.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Found from its content.
    pub content_type: String,
    /// Stripe's id, once it is uploaded.
    pub file_id: Option<String>,
}

/// The evidence of a response as it is sent: texts, then files, then what Stripe was sent before and is unset now. `files`
/// are pairs of a field and its value.
pub fn to_send(
    fields: &BTreeMap<String, String>,
    files: impl IntoIterator<Item = (String, String)>,
    staged: &[String],
) -> Vec<(String, String)> {
    let texts = fields.iter().filter(|(field, _)| *field != OURS);
    let mut sent: Vec<_> = texts.map(|(field, text)| (field.clone(), text.clone())).chain(files).collect();
    let is_there = |field: &String| sent.iter().any(|(there, _)| there == field);
    // A part of it cannot be unset alone: see `clears_enhanced`.
    let gone = staged.iter().filter(|field| !is_there(field) && !field.starts_with(ENHANCED));
    let gone: Vec<_> = gone.map(|field| (field.clone(), String::new())).collect();
    sent.extend(gone);
    sent
}

/// Whether a part of the enhanced evidence that Stripe was sent is there no more. Then all of it is unset first, as
/// [`UNSET_ENHANCED`]: Stripe takes no empty value for a flag or a choice.
#[must_use]
pub fn clears_enhanced(fields: &BTreeMap<String, String>, staged: &[String]) -> bool {
    staged.iter().any(|field| field.starts_with(ENHANCED) && !fields.contains_key(field))
}

/// How the names of enhanced evidence begin.
const ENHANCED: &str = "enhanced_evidence.";
/// Unsets all enhanced evidence.
pub const UNSET_ENHANCED: (&str, &str) = ("enhanced_evidence", "");

/// The response; none when there is none.
pub async fn load(conn: &mut PgConnection, dispute_id: &str, phase: &str) -> sqlx::Result<Option<Response>> {
    sqlx::query_as!(
        Response,
        r#"select r.dispute_id, r.phase, r.state, r.version, r.attempt,
                  r.fields as "fields!: Json<BTreeMap<String, String>>", r.staged_fields, r.baseline, r.former_method,
                  r.is_manual, d.intended_submission_method as "intended_method?"
           from clawback.dispute_responses r
           left join clawback.disputes d on d.dispute_id = r.dispute_id
           where r.dispute_id = $1 and r.phase = $2"#,
        dispute_id,
        phase
    )
    .fetch_optional(conn)
    .await
}

/// The files of a response, by field.
pub async fn files(conn: &mut PgConnection, dispute_id: &str, phase: &str) -> sqlx::Result<Vec<EvidenceFile>> {
    sqlx::query_as!(
        EvidenceFile,
        "select id, field, name, content_type, file_id from clawback.evidence_files
         where dispute_id = $1 and phase = $2 order by field",
        dispute_id,
        phase
    )
    .fetch_all(conn)
    .await
}

/// The bytes of a file; none when they are gone, or the file was replaced.
pub async fn content(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    let content = sqlx::query_scalar!("select content from clawback.evidence_files where id = $1", id);
    Ok(content.fetch_optional(conn).await?.flatten())
}

/// Records Stripe's id of a file.
pub async fn uploaded(conn: &mut PgConnection, id: Uuid, file_id: &str) -> sqlx::Result<()> {
    sqlx::query!("update clawback.evidence_files set file_id = $2 where id = $1", id, file_id)
        .execute(conn)
        .await
        .map(drop)
}

/// Locks a response, before the account and the call are: staging holds it, and then enqueues a call.
pub async fn lock(conn: &mut PgConnection, dispute_id: &str, phase: &str) -> sqlx::Result<()> {
    sqlx::query_scalar!(
        r#"select 1 as "locked!" from clawback.dispute_responses where dispute_id = $1 and phase = $2 for update"#,
        dispute_id,
        phase
    )
    .fetch_optional(conn)
    .await
    .map(drop)
}

/// Records that these fields are about to be staged: from now on Stripe may hold them.
pub async fn will_stage(conn: &mut PgConnection, response: &Response, fields: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.dispute_responses
         set staged_fields = array(select distinct unnest(staged_fields || $3::text[]) order by 1)
         where dispute_id = $1 and phase = $2",
        response.dispute_id,
        response.phase,
        fields as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records that Stripe holds these fields of the draft, not submitted; a draft that changed meanwhile is not staged.
pub async fn staged(conn: &mut PgConnection, response: &Response, fields: &[String], all: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "with staged as (
         update clawback.dispute_responses
         set staged_version = case when $5 then $3 else staged_version end,
             staged_fields = case when $5 then $4::text[]
                 else array(select distinct unnest(staged_fields || $4::text[]) order by 1) end,
             error = case state when 'draft' then null else error end
         where dispute_id = $1 and phase = $2
         returning dispute_id, state
         )
         select clawback.withdraw_mend_evidence(s.dispute_id) as withdrawn from staged s where s.state = 'draft'",
        response.dispute_id,
        response.phase,
        response.version,
        fields,
        all
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records that Stripe was told to leave the response to us.
pub async fn is_manual(conn: &mut PgConnection, response: &Response, former: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.dispute_responses set is_manual = true, former_method = coalesce(former_method, $3)
         where dispute_id = $1 and phase = $2",
        response.dispute_id,
        response.phase,
        former
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Ended {
    /// Submitted by us.
    Submitted,
    /// Submitted by somebody else.
    SubmittedElsewhere,
    /// The dispute was accepted.
    Accepted,
}

/// Records how a response ended that was requested; `attempt` as it was when it was sent.
pub async fn ended(conn: &mut PgConnection, response: &Response, ended: Ended) -> sqlx::Result<()> {
    let state: &str = ended.into();
    sqlx::query!(
        "with ended as (
             update clawback.dispute_responses r
             set state = $4, submitted_at = now(), updated_at = now(), error = null
             where r.dispute_id = $1 and r.phase = $2 and r.attempt = $3
                 and r.state in ('submit_requested', 'accept_requested')
             returning r.dispute_id
         )
         select clawback.withdraw_mend_evidence(e.dispute_id) as withdrawn,
                clawback.record_action('response_' || $4, 'dispute', e.dispute_id, null, jsonb_build_object('phase', $2)) as recorded
         from ended e",
        response.dispute_id,
        response.phase,
        response.attempt,
        state
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Staging a draft, which stays open.
    Staging,
    /// Submitting or accepting: the draft is open again.
    Sending,
}

/// Records that Stripe refuses it, and asks a person to mend it.
pub async fn refused(
    conn: &mut PgConnection,
    response: &Response,
    what: Refused,
    error: &str,
    code: Option<&str>,
) -> sqlx::Result<()> {
    let is_news = sqlx::query_scalar!(
        "with refused as (
             update clawback.dispute_responses r
             set state = case when $4 then 'rejected' else r.state end, error = $5, updated_at = now()
             where r.dispute_id = $1 and r.phase = $2
                 and case when $4 then r.attempt = $3 and r.state in ('submit_requested', 'accept_requested')
                     else r.version = $7 and r.state = 'draft' end
             returning r.*
         )
         -- Stripe's words may quote the evidence, which is personal data: they stay in the response.
         select clawback.record_action(case when $4 then 'response_refused' else 'staging_refused' end, 'dispute',
             r.dispute_id, null, jsonb_strip_nulls(jsonb_build_object('phase', r.phase, 'code', $6::text)))::text from refused r",
        response.dispute_id,
        response.phase,
        response.attempt,
        what == Refused::Sending,
        error,
        code,
        response.version
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Response { phase, attempt, version, .. } = response;
    let round = match what {
        Refused::Sending => format!("{phase}/{attempt}"),
        Refused::Staging => format!("{phase}/staging/{version}"),
    };
    if is_news.is_some() { ask(conn, response, &round, code).await } else { Ok(()) }
}

/// Asks a person to mend a response, in place of what was asked about it before, while the dispute takes one.
pub async fn ask(conn: &mut PgConnection, response: &Response, round: &str, code: Option<&str>) -> sqlx::Result<()> {
    sqlx::query!("select clawback.withdraw_mend_evidence($1, $2) as withdrawn", response.dispute_id, round)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "with asked as (
             insert into clawback.follow_ups (kind, subject, round, order_id, payment_id, payload, run_at, due_at)
             select 'mend_evidence', d.dispute_id, $3, p.order_id, d.payment_id,
                    jsonb_build_object('dispute_id', d.dispute_id, 'phase', $2::text, 'due_by', d.evidence_due_by,
                        'code', $4::text, 'amount', d.amount, 'currency', d.currency, 'reason', d.reason),
                    now(), d.evidence_due_by
             from clawback.disputes d
             join clawback.payments p on p.payment_id = d.payment_id
             where d.dispute_id = $1 and d.can_respond
             on conflict on constraint follow_ups_once do nothing
             returning kind
         )
         select pg_notify('clawback_follow_ups', kind) from asked",
        response.dispute_id,
        response.phase,
        round,
        code
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Records why a request has not been sent yet.
pub async fn not_sent(conn: &mut PgConnection, response: &Response, error: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update clawback.dispute_responses set error = $4
         where dispute_id = $1 and phase = $2 and attempt = $3 and state in ('submit_requested', 'accept_requested')",
        response.dispute_id,
        response.phase,
        response.attempt,
        error
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The disputes whose evidence or acceptance is requested and not sent yet: each with the state of its response.
pub async fn unsent(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "select dispute_id, state from clawback.dispute_responses
         where state in ('submit_requested', 'accept_requested') order by dispute_id"
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.dispute_id, row.state)).collect())
}

/// Brings the open responses of these disputes in line with them.
pub async fn settle(conn: &mut PgConnection, dispute_ids: &[&str]) -> sqlx::Result<()> {
    sqlx::query!("select clawback.settle_responses($1) as settled", dispute_ids as _).execute(conn).await.map(drop)
}

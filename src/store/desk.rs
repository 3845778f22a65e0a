//! What the desk has to do by itself about responses to disputes: one query that finds it, and the functions that do it.
//!
//! Not here: deciding. Each function decides again under its lock.

use sqlx::PgConnection;
use uuid::Uuid;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What.
    pub kind: Kind,
    /// The dispute it is about.
    pub dispute_id: String,
    /// The file, where it is about one.
    pub file: Option<Uuid>,
    /// The limit in minor units below which the policy accepts it, and its currency.
    pub below: Option<i64>,
    /// See `below`.
    pub currency: Option<String>,
}

/// What there may be to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Count the pages of a file.
    Count,
    /// Stage a complete draft that no call stages yet.
    Stage,
    /// Begin the draft of a dispute that has none.
    Draft,
    /// Submit a complete draft.
    Submit,
    /// Announce that a dispute will be accepted.
    Announce,
    /// Accept a dispute whose announcement is over.
    Accept,
    /// Let Stripe respond by itself.
    LetRespond,
}

/// The policy as the query needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Whether drafts begin by themselves.
    pub draft: bool,
    /// How many seconds before the deadline complete drafts are submitted; none: never.
    pub submit_before: Option<f64>,
    /// How many seconds before the deadline Stripe may respond by itself again.
    pub respond_before: f64,
    /// The reasons whose disputes are accepted, each with its limit in minor units and the currency of that.
    pub accept: Vec<(String, i64, String)>,
}

impl Wanted {
    /// The reasons, limits and currencies of `accept`.
    pub(super) fn columns(&self) -> (Vec<&str>, Vec<i64>, Vec<&str>) {
        let accept = self.accept.iter();
        accept.map(|(reason, below, currency)| (reason.as_str(), *below, currency.as_str())).collect()
    }
}

/// What is to be done now, at most 100 tasks.
pub async fn due(conn: &mut PgConnection, wanted: &Wanted) -> sqlx::Result<Vec<Task>> {
    let (reasons, limits, currencies) = wanted.columns();
    let rows = sqlx::query!(
        r#"select t.kind as "kind!", t.dispute_id as "dispute_id!", t.file, t.below, t.currency
           from clawback.desk_tasks($1, $2, $3, $4, $5, $6) t"#,
        wanted.draft,
        wanted.submit_before,
        wanted.respond_before,
        &reasons as _,
        &limits,
        &currencies as _
    )
    .fetch_all(conn)
    .await?;
    let tasks = rows.into_iter().filter_map(|row| {
        let kind = row.kind.parse().ok()?;
        Some(Task { kind, dispute_id: row.dispute_id, file: row.file, below: row.below, currency: row.currency })
    });
    Ok(tasks.collect())
}

/// Records how many pages a file has, or why it cannot be read, unless it was replaced meanwhile. What is complete by it is
/// staged in the next round.
pub async fn counted(conn: &mut PgConnection, file: Uuid, pages: Result<i32, &str>) -> sqlx::Result<()> {
    sqlx::query!("select clawback.record_pages($1, $2, $3) as recorded", file, pages.ok(), pages.err())
        .execute(conn)
        .await
        .map(drop)
}

/// Enqueues the staging of a complete draft.
pub async fn stage(conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "select clawback.stage_if_complete(r) as staged from clawback.dispute_responses r
         where r.dispute_id = $1 and r.state = 'draft'",
        dispute_id
    )
    .fetch_all(conn)
    .await
    .map(drop)
}

/// Requests the submission of a complete draft. Returns whether it did.
pub async fn submit(conn: &mut PgConnection, dispute_id: &str, before: f64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select clawback.submit_automatically($1, make_interval(secs => $2)) as "is_done!""#,
        dispute_id,
        before
    )
    .fetch_one(conn)
    .await
}

/// Announces that a dispute will be accepted after `wait` seconds. Returns whether it did.
pub async fn announce(
    conn: &mut PgConnection,
    dispute_id: &str,
    below: i64,
    currency: &str,
    wait: f64,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select clawback.announce_acceptance($1, $2, $3, make_interval(secs => $4)) as "is_done!""#,
        dispute_id,
        below,
        currency,
        wait
    )
    .fetch_one(conn)
    .await
}

/// Requests the acceptance of a dispute whose announcement is over. Returns whether it did.
pub async fn accept(conn: &mut PgConnection, dispute_id: &str, below: i64, currency: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select clawback.accept_automatically($1, $2, $3) as "is_done!""#,
        dispute_id,
        below,
        currency
    )
    .fetch_one(conn)
    .await
}

/// Lets Stripe respond by itself, where nobody submitted. Returns whether it did.
pub async fn let_respond(conn: &mut PgConnection, dispute_id: &str, before: f64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select clawback.let_stripe_respond($1, make_interval(secs => $2)) as "is_done!""#,
        dispute_id,
        before
    )
    .fetch_one(conn)
    .await
}

/// Puts text into the draft of a dispute, if that is still this version, without changing anything at Stripe. The new
/// version.
pub async fn stage_draft(
    conn: &mut PgConnection,
    dispute_id: &str,
    fields: &serde_json::Value,
    version: i64,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select clawback.stage(clawback.lock_dispute($1), $2, $3, false) as "version!""#,
        dispute_id,
        fields,
        version
    )
    .fetch_one(conn)
    .await
}

/// Attaches a file to the draft in the same way. The new version.
pub async fn attach_to_draft(
    conn: &mut PgConnection,
    dispute_id: &str,
    field: &str,
    (name, content): (&str, &[u8]),
    version: i64,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select clawback.attach(clawback.lock_dispute($1), $2, $3, null, $4, $5, false) as "version!""#,
        dispute_id,
        field,
        name,
        content,
        version
    )
    .fetch_one(conn)
    .await
}

/// Stages the Visa Compelling Evidence 3.0 of a draft at Stripe, and nothing else of it: Stripe says whether it qualifies.
pub async fn dry_run(conn: &mut PgConnection, dispute_id: &str, phase: &str) -> sqlx::Result<()> {
    sqlx::query!("select clawback.stage_compelling_evidence($1, $2) as enqueued", dispute_id, phase)
        .fetch_one(conn)
        .await
        .map(drop)
}

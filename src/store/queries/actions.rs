//! Who did what, and saying who acts.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Page, page};

/// What somebody did.
#[derive(Debug, Serialize)]
pub struct Action {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What was done, such as `replay` or `submit_evidence`: see `docs/SQL.md`.
    pub action: String,
    /// The person, or the role when no name was given.
    pub actor: String,
    /// The database role.
    pub role: String,
    /// `console`, `cli` or `sql`.
    pub via: String,
    /// Why, if a reason was given.
    pub reason: Option<String>,
    /// What else is known of it.
    pub detail: Value,
}

/// By what means somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Via {
    /// A command.
    Cli,
    /// The console.
    Console,
}

/// Records for the rest of this transaction who acts, and by what means. No actor: the database role.
pub async fn act_as(conn: &mut PgConnection, actor: Option<&str>, via: Via) -> sqlx::Result<()> {
    let via: &str = via.into();
    sqlx::query!(
        "select set_config('clawback.actor', coalesce($1, ''), true), set_config('clawback.via', $2, true) as via",
        actor,
        via
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

/// Waits until nobody else is changing rows that were selected in a list, so that what a form was made from can be compared
/// with what is there now. Ends with the transaction.
pub async fn take_turn(conn: &mut PgConnection) -> sqlx::Result<()> {
    // Any number that no other lock has.
    sqlx::query!("select pg_advisory_xact_lock(4773418260317)").execute(conn).await.map(drop)
}

/// An action, and what it was done with.
#[derive(Debug, Serialize)]
pub struct Activity {
    /// Ascending.
    pub id: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The person, or the role when no name was given.
    pub actor: String,
    /// The database role.
    pub role: String,
    /// `console`, `cli` or `sql`.
    pub via: String,
    /// What was done, such as `replay`.
    pub action: String,
    /// Such as `event` or `dispute`.
    pub subject_kind: String,
    /// The id of what was acted on.
    pub subject: String,
    /// Why, if a reason was given.
    pub reason: Option<String>,
    /// What else is known of it.
    pub detail: Value,
}

/// Which actions are meant; none of a field: all.
#[derive(Clone, Debug, Default)]
pub struct ActivityFilter {
    /// By this person or role.
    pub actor: Option<String>,
    /// Of this kind, such as `replay`.
    pub action: Option<String>,
    /// With this, by its id.
    pub subject: Option<String>,
}

/// What was done, the newest first.
pub async fn activity(conn: &mut PgConnection, filter: &ActivityFilter, page: &Page) -> sqlx::Result<Vec<Activity>> {
    page!(
        conn,
        page,
        Activity,
        r#"select a.id as "id!", a.at as "at!", a.actor as "actor!", a.role as "role!", a.via as "via!",
                  a.action as "action!", a.subject_kind as "subject_kind!", a.subject as "subject!", a.reason,
                  a.detail as "detail!"
           from clawback_v1.actions a
           where ($1::text is null or a.actor = $1) and ($2::text is null or a.action = $2)
               and ($3::text is null or a.subject = $3)"#,
        after: "
               and ($4::bigint is null or a.id < $4)
           order by a.id desc
           limit $5",
        before: "
               and a.id > $4::bigint
           order by a.id
           limit $5",
        filter.actor,
        filter.action,
        filter.subject,
        page.number(),
        page.limit,
    )
}

/// What was done with a dispute and its follow-ups, oldest first.
pub async fn dispute_actions(conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<Vec<Action>> {
    sqlx::query_as!(
        Action,
        r#"select a.at as "at!", a.action as "action!", a.actor as "actor!", a.role as "role!", a.via as "via!", a.reason,
                  a.detail as "detail!"
           from clawback_v1.actions a
           where a.subject_kind = 'dispute' and a.subject = $1
               or a.subject_kind = 'follow_up'
                   and a.subject in (select f.id::text from clawback_v1.follow_ups f where f.subject = $1)
           order by a.id"#,
        dispute_id
    )
    .fetch_all(conn)
    .await
}

/// What was done with one `event`, `follow_up`, `payment` or `fraud_warning`, oldest first.
pub async fn actions(conn: &mut PgConnection, subject_kind: &str, subject: &str) -> sqlx::Result<Vec<Action>> {
    sqlx::query_as!(
        Action,
        r#"select at as "at!", action as "action!", actor as "actor!", role as "role!", via as "via!", reason,
                  detail as "detail!"
           from clawback_v1.actions
           where subject_kind = $1 and subject = $2
           order by id"#,
        subject_kind,
        subject
    )
    .fetch_all(conn)
    .await
}

/// What was done with payments and all that belongs to them, oldest first.
pub async fn payment_actions(conn: &mut PgConnection, payment_ids: &[String]) -> sqlx::Result<Vec<Activity>> {
    sqlx::query_as!(
        Activity,
        r#"select a.id as "id!", a.at as "at!", a.actor as "actor!", a.role as "role!", a.via as "via!",
                  a.action as "action!", a.subject_kind as "subject_kind!", a.subject as "subject!", a.reason,
                  a.detail as "detail!"
           from clawback_v1.actions a
           join (select 'payment' as kind, p.id from unnest($1::text[]) as p (id)
                 union select 'payment', p.charge_id from clawback_v1.payments p where p.payment_id = any($1)
                 union select 'dispute', d.dispute_id from clawback_v1.disputes d where d.payment_id = any($1)
                 union select 'fraud_warning', w.warning_id from clawback_v1.fraud_warnings w
                       where w.payment_id = any($1)
                 union select 'follow_up', f.id::text from clawback_v1.follow_ups f where f.payment_id = any($1)) as s
             on s.kind = a.subject_kind and s.id = a.subject
           order by a.id"#,
        payment_ids
    )
    .fetch_all(conn)
    .await
}

//! Follow-ups, and what people decide about them.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Page, page};

/// One follow-up.
#[derive(Clone, Debug, Serialize)]
pub struct FollowUp {
    /// Its id.
    pub id: i64,
    /// What is to be done.
    pub kind: String,
    /// The id of what it is about.
    pub subject: String,
    /// Tells several about one subject apart.
    pub round: String,
    /// An idempotency key for whatever acts outside.
    pub key: String,
    /// The order, if its payment is linked.
    pub order_id: Option<String>,
    /// The payment.
    pub payment_id: Option<String>,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// What its consumer needs to know.
    pub payload: Value,
    /// `ready`, `leased`, `done`, `cancelled`, `dead` or `discarded`.
    pub state: String,
    /// Whether the payment's state asks for it now.
    pub wanted: bool,
    /// Not to be claimed before.
    #[serde(with = "time::serde::rfc3339")]
    pub run_at: OffsetDateTime,
    /// To be done before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// How often it was tried.
    pub attempts: i32,
    /// It is dead when they are used up.
    pub max_attempts: i32,
    /// Who claimed it last.
    pub consumer: Option<String>,
    /// Until when its consumer holds it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub leased_until: Option<OffsetDateTime>,
    /// What its consumer left on completion.
    pub result: Option<Value>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was enqueued.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was done, cancelled, dead or discarded.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
}

impl FollowUp {
    /// Whether retention has emptied it. No kind has an empty payload.
    #[must_use]
    pub fn is_pruned(&self) -> bool {
        self.finished_at.is_some() && self.payload.as_object().is_some_and(serde_json::Map::is_empty)
    }
}

/// Which follow-ups are meant; none of a field: all.
#[derive(Clone, Debug, Default)]
pub struct FollowUpFilter {
    /// `ready`, `leased`, `done`, `cancelled`, `dead` or `discarded`.
    pub state: Option<String>,
    /// Such as `notify_refund`.
    pub kind: Option<String>,
    /// About this object.
    pub subject: Option<String>,
    /// In live or test mode.
    pub livemode: Option<bool>,
    /// Not finished, with a deadline that has passed.
    pub overdue: bool,
    /// Of this order.
    pub order_id: Option<String>,
    /// Of one of these payments.
    pub payment_ids: Option<Vec<String>>,
    /// Enqueued then or later.
    pub since: Option<OffsetDateTime>,
    /// This one.
    pub id: Option<i64>,
}

/// Follow-ups, the newest first.
pub async fn follow_ups(conn: &mut PgConnection, filter: &FollowUpFilter, page: &Page) -> sqlx::Result<Vec<FollowUp>> {
    page!(
        conn,
        page,
        FollowUp,
        r#"select f.id as "id!", f.kind as "kind!", f.subject as "subject!", f.round as "round!", f.key as "key!",
                  f.order_id, f.payment_id, f.account, f.livemode as "livemode!", f.payload as "payload!",
                  f.state as "state!", f.wanted as "wanted!", f.run_at as "run_at!", f.due_at,
                  f.attempts as "attempts!", f.max_attempts as "max_attempts!", f.consumer, f.leased_until, f.result,
                  f.last_error, f.created_at as "created_at!", f.finished_at
           from clawback_v1.follow_ups f
           where ($1::text is null or f.state = $1) and ($2::text is null or f.kind = $2)
               and ($3::text is null or f.order_id = $3) and ($4::text[] is null or f.payment_id = any($4))
               and ($5::timestamptz is null or f.created_at >= $5) and ($8::bigint is null or f.id = $8)
               and ($9::text is null or f.subject = $9) and ($10::boolean is null or f.livemode = $10)
               and (not $11::boolean or f.due_at < now() and f.finished_at is null)"#,
        after: "
               and ($6::bigint is null or f.id < $6)
           order by f.id desc
           limit $7",
        before: "
               and f.id > $6::bigint
           order by f.id
           limit $7",
        filter.state,
        filter.kind,
        filter.order_id,
        filter.payment_ids.as_deref(),
        filter.since,
        page.number(),
        page.limit,
        filter.id,
        filter.subject,
        filter.livemode,
        filter.overdue,
    )
}

/// One follow-up; none when it is not there.
pub async fn follow_up(conn: &mut PgConnection, id: i64) -> sqlx::Result<Option<FollowUp>> {
    let only = FollowUpFilter { id: Some(id), ..FollowUpFilter::default() };
    Ok(follow_ups(conn, &only, &Page::first(1)).await?.pop())
}

/// Makes one ready again, with fresh attempts; false: it is not there, leased, no longer wanted, or needs force.
pub async fn requeue(conn: &mut PgConnection, id: i64, reason: Option<&str>, force: bool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select clawback_v1.requeue_follow_up($1, $2, $3) as "done!""#, id, reason, force)
        .fetch_one(conn)
        .await
}

/// Discards one permanently; false: it is not there, or done or discarded already.
pub async fn discard(conn: &mut PgConnection, id: i64, reason: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select clawback_v1.discard_follow_up($1, $2) as "done!""#, id, reason).fetch_one(conn).await
}

//! How the responses to disputes stand, for a list of disputes.

use sqlx::PgConnection;
use time::OffsetDateTime;

/// How the response to a dispute stands in its present phase. Contains what Stripe said, which may quote the evidence.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The dispute.
    pub dispute_id: String,
    /// As in [`super::Response`].
    pub state: String,
    /// How many fields the reason calls for.
    pub called: i64,
    /// How many of them there are.
    pub there: i64,
    /// What Stripe refused last, or why it was not submitted.
    pub error: Option<String>,
    /// Who changed it last, or requested that it is submitted or accepted.
    pub touched_by: Option<String>,
    /// When the dispute is accepted automatically.
    pub accept_after: Option<OffsetDateTime>,
}

/// How the responses to these disputes stand; without those that have none. Owners only.
pub async fn answers(conn: &mut PgConnection, disputes: &[String]) -> sqlx::Result<Vec<Answer>> {
    sqlx::query_as!(
        Answer,
        r#"select r.dispute_id as "dispute_id!", r.state as "state!", n.called as "called!", n.there as "there!", r.error,
                  coalesce(r.submitted_by, r.staged_by) as touched_by, r.accept_after
           from clawback_v1.dispute_responses r
           join clawback_v1.disputes d on d.dispute_id = r.dispute_id and d.phase = r.phase
           cross join lateral (
               select count(*) as called, count(*) filter (where r.fields ? c.field or r.held ? c.field
                   or r.files @> jsonb_build_array(jsonb_build_object('field', c.field))) as there
               from clawback.evidence_called_for(d.reason, coalesce(r.fields ->> 'product_kind',
                   (select s.product_kind from clawback.settings s), 'physical')) c
               where r.phase <> 'appeal'
           ) n
           where r.dispute_id = any($1)"#,
        disputes
    )
    .fetch_all(conn)
    .await
}

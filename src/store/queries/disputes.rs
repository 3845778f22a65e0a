//! Disputes.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Page, page};

/// One dispute, in Stripe's words.
#[derive(Clone, Debug, Serialize)]
pub struct Dispute {
    /// Its id.
    pub dispute_id: String,
    /// The payment; none while no charge or intent of it is known.
    pub payment_id: Option<String>,
    /// The order, if the payment is linked.
    pub order_id: Option<String>,
    /// The disputed charge.
    pub charge_id: Option<String>,
    /// The connected account; none for the platform's own.
    pub account: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// Stripe's type, such as `card`.
    pub payment_method: Option<String>,
    /// Evidence is awaited and accepted.
    pub can_respond: bool,
    /// In minor units of `currency`.
    pub amount: i64,
    /// Lost for good; 0 while it is open.
    pub amount_lost: i64,
    /// Lower-case ISO code.
    pub currency: String,
    /// Why the buyer disputes it.
    pub reason: Option<String>,
    /// The card network's code for it.
    pub network_reason_code: Option<String>,
    /// Such as `needs_response`.
    pub status: String,
    /// `inquiry`, `chargeback`, `appeal`, `compliance` or `prevention`.
    pub phase: String,
    /// `won`, `lost`, `warning_closed` or `prevented`; none while it is open.
    pub outcome: Option<String>,
    /// Deadline for evidence; none when unknown, or when no response is accepted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub evidence_due_by: Option<OffsetDateTime>,
    /// Evidence is staged, not necessarily submitted.
    pub has_evidence: bool,
    /// The last submission was late.
    pub past_due: bool,
    /// How often evidence was submitted.
    pub submission_count: i64,
    /// Who is to answer at the deadline.
    pub intended_submission_method: Option<String>,
    /// Who answered.
    pub submission_method: Option<String>,
    /// The network programmes that the evidence qualifies for.
    pub enhanced_eligibility: Option<Value>,
    /// Whether the charge can still be refunded.
    pub is_charge_refundable: Option<bool>,
    /// Taken from the balance, in `settlement_currency`.
    pub amount_withdrawn: i64,
    /// Returned to the balance, in `settlement_currency`.
    pub amount_reinstated: i64,
    /// Stripe's fee, in `settlement_currency`.
    pub fee: i64,
    /// Currency of what moved on the balance; none while nothing did.
    pub settlement_currency: Option<String>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When the row changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Which disputes are meant; none of a field: all.
#[derive(Clone, Debug, Default)]
pub struct DisputeFilter {
    /// With one of these ids.
    pub dispute_ids: Option<Vec<String>>,
    /// In this status.
    pub status: Option<String>,
    /// Without an outcome.
    pub open: bool,
    /// Its status says that evidence is awaited. Also after the deadline; not where Stripe takes none.
    pub awaits_answer: bool,
    /// Open, with a deadline before then or passed.
    pub due_before: Option<OffsetDateTime>,
    /// Of this order.
    pub order_id: Option<String>,
    /// Of this payment.
    pub payment_id: Option<String>,
    /// Of this charge.
    pub charge_id: Option<String>,
    /// In this phase.
    pub phase: Option<String>,
    /// For this reason of Stripe's.
    pub reason: Option<String>,
    /// Live or test mode.
    pub livemode: Option<bool>,
    /// Of this connected account; empty: the platform's own.
    pub account: Option<String>,
    /// Opened then or later.
    pub since: Option<OffsetDateTime>,
}

/// Disputes: open ones first, by deadline; one without a deadline comes after those with one.
pub async fn disputes(conn: &mut PgConnection, filter: &DisputeFilter, page: &Page) -> sqlx::Result<Vec<Dispute>> {
    page!(
        conn,
        page,
        Dispute,
        r#"select d.dispute_id as "dispute_id!", d.payment_id, d.order_id, d.charge_id, d.account,
                  d.livemode as "livemode!", d.payment_method, coalesce(d.can_respond, false) as "can_respond!",
                  d.amount as "amount!", d.amount_lost as "amount_lost!", d.currency as "currency!", d.reason,
                  d.network_reason_code, d.status as "status!", d.phase as "phase!", d.outcome, d.evidence_due_by,
                  d.has_evidence as "has_evidence!", d.past_due as "past_due!",
                  d.submission_count as "submission_count!", d.intended_submission_method, d.submission_method,
                  d.enhanced_eligibility, d.is_charge_refundable, d.amount_withdrawn as "amount_withdrawn!",
                  d.amount_reinstated as "amount_reinstated!", d.fee as "fee!", d.settlement_currency,
                  d.created_at as "created_at!", d.updated_at as "updated_at!"
           from clawback_v1.disputes d
           where ($1::text[] is null or d.dispute_id = any($1)) and ($2::text is null or d.status = $2)
               and (not $3 or d.outcome is null)
               and ($4::timestamptz is null or d.outcome is null and d.evidence_due_by < $4)
               and ($5::text is null or d.order_id = $5) and ($6::timestamptz is null or d.created_at >= $6)
               and ($9::text is null or d.payment_id = $9) and ($10::text is null or d.charge_id = $10)
               and ($11::text is null or d.phase = $11) and ($12::text is null or d.reason = $12)
               and ($13::boolean is null or d.livemode = $13)
               and ($14::text is null or coalesce(d.account, '') = $14)
               and (not $15 or d.outcome is null and (d.can_respond or d.evidence_due_by <= now())
                   and d.status in ('needs_response', 'warning_needs_response', 'appeal_needs_response'))"#,
        after: "
               and ($7::text is null or (d.outcome is not null, coalesce(d.evidence_due_by, 'infinity'), d.dispute_id)
                   > (select b.outcome is not null, coalesce(b.evidence_due_by, 'infinity'), b.dispute_id
                      from clawback_v1.disputes b where b.dispute_id = $7))
           order by d.outcome is not null, coalesce(d.evidence_due_by, 'infinity'), d.dispute_id
           limit $8",
        before: "
               and (d.outcome is not null, coalesce(d.evidence_due_by, 'infinity'), d.dispute_id)
                   < (select b.outcome is not null, coalesce(b.evidence_due_by, 'infinity'), b.dispute_id
                      from clawback_v1.disputes b where b.dispute_id = $7)
           order by (d.outcome is not null) desc, coalesce(d.evidence_due_by, 'infinity') desc, d.dispute_id desc
           limit $8",
        filter.dispute_ids.as_deref(),
        filter.status,
        filter.open,
        filter.due_before,
        filter.order_id,
        filter.since,
        page.edge(),
        page.limit,
        filter.payment_id,
        filter.charge_id,
        filter.phase,
        filter.reason,
        filter.livemode,
        filter.account,
        filter.awaits_answer,
    )
}

/// One dispute; none when it was not seen.
pub async fn dispute(conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<Option<Dispute>> {
    let only = DisputeFilter { dispute_ids: Some(vec![dispute_id.to_owned()]), ..DisputeFilter::default() };
    Ok(disputes(conn, &only, &Page::first(1)).await?.pop())
}

/// Why a dispute takes no evidence; none while it does, or when it was not seen. Owners only.
pub async fn why_closed(conn: &mut PgConnection, dispute_id: &str) -> sqlx::Result<Option<String>> {
    let why = sqlx::query_scalar!(
        "select clawback.why_closed(d) as why from clawback.disputes d where d.dispute_id = $1",
        dispute_id
    );
    Ok(why.fetch_optional(conn).await?.flatten())
}

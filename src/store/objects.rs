//! Refunds, disputes, early fraud warnings and reviews, written from the facts of their payments.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::domain::{DisputeState, RefundState, ReviewState, WarningState};

/// Writes the refunds that differ from the stored ones.
pub async fn save_refunds(conn: &mut PgConnection, refunds: &[&RefundState]) -> sqlx::Result<()> {
    if refunds.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with derived as (
             select r.refund_id, r.payment_id, r.charge_id, r.amount, r.currency, r.status, r.reason, r.failure_reason,
                    to_timestamp(r.created) as created_at, r.is_release, r.destination_type, r.reference,
                    r.reference_status, r.pending_reason, r.metadata
             from jsonb_to_recordset($1) as r
                 (refund_id text, payment_id text, charge_id text, amount bigint, currency text, status text,
                  reason text, failure_reason text, created bigint, is_release boolean, destination_type text,
                  reference text, reference_status text, pending_reason text, metadata jsonb)
         )
         insert into clawback.refunds
             (refund_id, payment_id, charge_id, amount, currency, status, reason, failure_reason, created_at, is_release,
              destination_type, reference, reference_status, pending_reason, metadata)
         select d.* from derived d
         where not exists (
             select from clawback.refunds f where f.refund_id = d.refund_id and to_jsonb(f) || to_jsonb(d) = to_jsonb(f) offset 0)
         on conflict on constraint refunds_pkey do update
         set payment_id = excluded.payment_id, charge_id = excluded.charge_id, amount = excluded.amount,
             currency = excluded.currency, status = excluded.status, reason = excluded.reason,
             failure_reason = excluded.failure_reason, created_at = excluded.created_at,
             updated_at = excluded.updated_at, is_release = excluded.is_release,
             destination_type = excluded.destination_type, reference = excluded.reference,
             reference_status = excluded.reference_status, pending_reason = excluded.pending_reason,
             metadata = excluded.metadata",
        Json(refunds) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes the disputes that differ from the stored ones.
pub async fn save_disputes(conn: &mut PgConnection, disputes: &[&DisputeState]) -> sqlx::Result<()> {
    if disputes.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with derived as (
             select r.dispute_id, r.payment_id, r.charge_id, r.amount, r.currency, r.reason, r.network_reason_code,
                    r.status, r.phase, r.outcome, to_timestamp(r.evidence_due_by) as evidence_due_by, r.has_evidence,
                    r.past_due, r.submission_count, r.is_charge_refundable, r.amount_withdrawn, r.amount_reinstated,
                    r.fee, r.settlement_currency, to_timestamp(r.created) as created_at, r.payment_method,
                    r.can_respond, r.amount_lost, r.intended_submission_method, r.submission_method,
                    r.enhanced_eligibility::jsonb as enhanced_eligibility, r.card_brand, r.countered
             from jsonb_to_recordset($1) as r
                 (dispute_id text, payment_id text, charge_id text, amount bigint, currency text, reason text,
                  network_reason_code text, status text, phase text, outcome text, evidence_due_by bigint,
                  has_evidence boolean, past_due boolean, submission_count bigint, is_charge_refundable boolean,
                  amount_withdrawn bigint, amount_reinstated bigint, fee bigint, settlement_currency text,
                  created bigint, payment_method text, can_respond boolean, amount_lost bigint,
                  intended_submission_method text, submission_method text, enhanced_eligibility text,
                  card_brand text, countered boolean)
         )
         insert into clawback.disputes
             (dispute_id, payment_id, charge_id, amount, currency, reason, network_reason_code, status, phase, outcome,
              evidence_due_by, has_evidence, past_due, submission_count, is_charge_refundable, amount_withdrawn,
              amount_reinstated, fee, settlement_currency, created_at, payment_method, can_respond, amount_lost,
              intended_submission_method, submission_method, enhanced_eligibility, card_brand, countered)
         select d.* from derived d
         where not exists (
             select from clawback.disputes o where o.dispute_id = d.dispute_id and to_jsonb(o) || to_jsonb(d) = to_jsonb(o) offset 0)
         on conflict on constraint disputes_pkey do update
         set payment_id = excluded.payment_id, charge_id = excluded.charge_id, amount = excluded.amount,
             currency = excluded.currency, reason = excluded.reason,
             network_reason_code = excluded.network_reason_code, status = excluded.status, phase = excluded.phase,
             outcome = excluded.outcome, evidence_due_by = excluded.evidence_due_by,
             has_evidence = excluded.has_evidence, past_due = excluded.past_due,
             submission_count = excluded.submission_count, is_charge_refundable = excluded.is_charge_refundable,
             amount_withdrawn = excluded.amount_withdrawn, amount_reinstated = excluded.amount_reinstated,
             fee = excluded.fee, settlement_currency = excluded.settlement_currency,
             created_at = excluded.created_at, updated_at = excluded.updated_at,
             payment_method = excluded.payment_method, can_respond = excluded.can_respond,
             amount_lost = excluded.amount_lost, intended_submission_method = excluded.intended_submission_method,
             submission_method = excluded.submission_method, enhanced_eligibility = excluded.enhanced_eligibility,
             card_brand = excluded.card_brand, countered = excluded.countered",
        Json(disputes) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes the early fraud warnings that differ from the stored ones.
pub async fn save_warnings(conn: &mut PgConnection, warnings: &[&WarningState]) -> sqlx::Result<()> {
    if warnings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with derived as (
             select r.warning_id, r.payment_id, r.charge_id, r.fraud_type, r.actionable,
                    to_timestamp(r.created) as created_at, r.card_brand
             from jsonb_to_recordset($1) as r
                 (warning_id text, payment_id text, charge_id text, fraud_type text, actionable boolean, created bigint,
                  card_brand text)
         )
         insert into clawback.fraud_warnings
             (warning_id, payment_id, charge_id, fraud_type, actionable, created_at, card_brand)
         select d.* from derived d
         where not exists (
             select from clawback.fraud_warnings w where w.warning_id = d.warning_id and to_jsonb(w) || to_jsonb(d) = to_jsonb(w) offset 0)
         on conflict on constraint fraud_warnings_pkey do update
         set payment_id = excluded.payment_id, charge_id = excluded.charge_id, fraud_type = excluded.fraud_type,
             actionable = excluded.actionable, created_at = excluded.created_at, updated_at = excluded.updated_at,
             card_brand = excluded.card_brand",
        Json(warnings) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Writes the Radar reviews that differ from the stored ones.
pub async fn save_reviews(conn: &mut PgConnection, reviews: &[&ReviewState]) -> sqlx::Result<()> {
    if reviews.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with derived as (
             select r.review_id, r.payment_id, r.charge_id, r.open, r.opened_reason, r.closed_reason,
                    to_timestamp(r.created) as created_at
             from jsonb_to_recordset($1) as r
                 (review_id text, payment_id text, charge_id text, open boolean, opened_reason text,
                  closed_reason text, created bigint)
         )
         insert into clawback.reviews
             (review_id, payment_id, charge_id, open, opened_reason, closed_reason, created_at)
         select d.* from derived d
         where not exists (
             select from clawback.reviews r
             where r.review_id = d.review_id and to_jsonb(r) || to_jsonb(d) = to_jsonb(r) offset 0)
         on conflict on constraint reviews_pkey do update
         set payment_id = excluded.payment_id, charge_id = excluded.charge_id, open = excluded.open,
             opened_reason = excluded.opened_reason, closed_reason = excluded.closed_reason,
             created_at = excluded.created_at, updated_at = excluded.updated_at",
        Json(reviews) as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes the stored objects of these payments that are not among `known`.
pub async fn remove_others(conn: &mut PgConnection, payment_ids: &[&str], known: &[&str]) -> sqlx::Result<()> {
    sqlx::query!(
        "with known as materialized (
             select unnest($2::text[]) as id
         ), refunds as (
             delete from clawback.refunds where payment_id = any($1) and refund_id not in (select id from known)
         ), disputes as (
             delete from clawback.disputes where payment_id = any($1) and dispute_id not in (select id from known)
         ), warnings as (
             delete from clawback.fraud_warnings where payment_id = any($1) and warning_id not in (select id from known)
         )
         delete from clawback.reviews where payment_id = any($1) and review_id not in (select id from known)",
        payment_ids as _,
        known as _
    )
    .execute(conn)
    .await
    .map(drop)
}

-- Whose refund, dispute or warning it is, and in which mode: without a join. Appended last.

create or replace view clawback_v1.refunds as
select r.refund_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       r.amount, r.currency, r.status, r.reason, r.failure_reason, r.request_key, r.created_at, r.updated_at,
       nullif(p.account, '') as account, p.livemode
from clawback.refunds r
join clawback.payments p on p.payment_id = r.payment_id;

create or replace view clawback_v1.disputes as
select d.dispute_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, d.charge_id,
       d.amount, d.currency, d.reason, d.network_reason_code, d.status, d.phase, d.outcome, d.evidence_due_by,
       d.has_evidence, d.past_due, d.submission_count, d.is_charge_refundable, d.amount_withdrawn,
       d.amount_reinstated, d.fee, d.settlement_currency, d.created_at, d.updated_at, d.payment_method,
       d.can_respond and (d.evidence_due_by is null or d.evidence_due_by > now()) as can_respond, d.amount_lost,
       d.intended_submission_method, d.submission_method, d.enhanced_eligibility, nullif(p.account, '') as account,
       p.livemode
from clawback.disputes d
join clawback.payments p on p.payment_id = d.payment_id;

create or replace view clawback_v1.fraud_warnings as
select w.warning_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, w.charge_id,
       w.fraud_type, w.actionable, w.created_at, nullif(p.account, '') as account, p.livemode
from clawback.fraud_warnings w
join clawback.payments p on p.payment_id = w.payment_id;

do $$
declare
    shown text;
begin
    foreach shown in array array['refunds', 'disputes', 'fraud_warnings'] loop
        execute format('comment on column clawback_v1.%I.account is %L', shown,
            'Connected account; null for the platform''s own.');
        execute format('comment on column clawback_v1.%I.livemode is %L', shown,
            'Live mode or test mode. Always say which you mean.');
    end loop;
end
$$;

-- What people ask of a payment that went wrong, and payments that are for no order, found by a small index.

alter table clawback.payments
    add column payment_method      text,
    add column failure_code        text,
    add column cancellation_reason text;

create index payments_unlinked on clawback.payments (payment_id)
    where order_id is null and not orphan and amount_paid is distinct from 0;

create or replace view clawback_v1.payments as
select p.payment_id, p.order_id, p.charge_id, nullif(p.account, '') as account, p.livemode,
       nullif(p.currency, '') as currency, p.amount, p.amount_paid, p.amount_refunded, p.amount_disputed,
       p.amount_lost, p.state, p.hold, p.evidence_due_by, p.updated_at, p.payment_method, p.failure_code,
       p.cancellation_reason
from clawback.payments p
where not p.orphan;
comment on column clawback_v1.payments.payment_method is 'Stripe''s type, such as card or klarna, of the charge that charge_id names.';
comment on column clawback_v1.payments.failure_code is 'Why the charge that charge_id names failed, in Stripe''s word.';
comment on column clawback_v1.payments.cancellation_reason is 'Why the intent was canceled, in Stripe''s word.';

-- Appeals, and what people need of a dispute: whether it can be answered, what it cost, and who answered it.

set local lock_timeout = '5s';

alter table clawback.disputes
    drop constraint disputes_phase,
    add constraint disputes_phase check (phase in ('inquiry', 'chargeback', 'appeal', 'compliance', 'prevention')),
    add column payment_method             text,
    add column can_respond                boolean not null default false,
    add column amount_lost                bigint  not null default 0,
    add column intended_submission_method text,
    add column submission_method          text,
    add column enhanced_eligibility       jsonb,
    add constraint disputes_amount_lost check (amount_lost between 0 and amount);

create or replace view clawback_v1.disputes as
select d.dispute_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, d.charge_id,
       d.amount, d.currency, d.reason, d.network_reason_code, d.status, d.phase, d.outcome, d.evidence_due_by,
       d.has_evidence, d.past_due, d.submission_count, d.is_charge_refundable, d.amount_withdrawn,
       d.amount_reinstated, d.fee, d.settlement_currency, d.created_at, d.updated_at, d.payment_method,
       d.can_respond and (d.evidence_due_by is null or d.evidence_due_by > now()) as can_respond, d.amount_lost,
       d.intended_submission_method, d.submission_method, d.enhanced_eligibility
from clawback.disputes d
join clawback.payments p on p.payment_id = d.payment_id;

comment on column clawback_v1.disputes.phase is 'inquiry, chargeback, appeal, compliance or prevention. An inquiry that escalates enters a new phase, and so does an appeal.';
comment on column clawback_v1.disputes.payment_method is 'Stripe''s word: card, klarna and so on; null where it does not say.';
comment on column clawback_v1.disputes.can_respond is 'Evidence is awaited and taken. false: by status, deadline or method it is not.';
comment on column clawback_v1.disputes.amount_lost is 'Gone for good, in currency; 0 while it is open.';
comment on column clawback_v1.disputes.intended_submission_method is 'Who is to answer at the deadline, in Stripe''s word.';
comment on column clawback_v1.disputes.submission_method is 'Who answered, in Stripe''s word.';
comment on column clawback_v1.disputes.enhanced_eligibility is 'For which of the networks'' programmes the evidence qualifies, as Stripe has it.';
comment on column clawback_v1.follow_ups.round is 'Tells apart several askings about one subject: a dispute''s phase (with mark and due date for a warning), a charge''s refunded total.';

-- Reviews to read --------------------------------------------------------------------------------

create table clawback.reviews (
    review_id     text        not null,
    payment_id    text        not null,
    charge_id     text,
    open          boolean     not null,
    opened_reason text,
    closed_reason text,
    created_at    timestamptz not null,
    updated_at    timestamptz not null default now(),
    constraint reviews_pkey primary key (review_id),
    constraint reviews_payment_fkey foreign key (payment_id) references clawback.payments (payment_id)
);
create index reviews_payment on clawback.reviews (payment_id);

create view clawback_v1.reviews as
select r.review_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       nullif(p.account, '') as account, p.livemode, r.open, r.opened_reason, r.closed_reason, r.created_at
from clawback.reviews r
join clawback.payments p on p.payment_id = r.payment_id;
comment on view clawback_v1.reviews is
    'One row per Radar review. While one is open, nothing is shipped. The reasons are Stripe''s words.';

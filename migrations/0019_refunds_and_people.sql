-- What people ask of a refund; and who paid, apart from everything else, since it is personal data.

alter table clawback.refunds
    add column is_release       boolean not null default false,
    add column destination_type text,
    add column reference        text,
    add column reference_status text,
    add column pending_reason   text,
    add column metadata         jsonb;

create or replace view clawback_v1.refunds as
select r.refund_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       r.amount, r.currency, r.status, r.reason, r.failure_reason, r.request_key, r.created_at, r.updated_at,
       nullif(p.account, '') as account, p.livemode, r.is_release, r.destination_type, r.reference,
       r.reference_status, r.pending_reason, r.metadata
from clawback.refunds r
join clawback.payments p on p.payment_id = r.payment_id;
comment on column clawback_v1.refunds.is_release is 'It gives back no captured money: an authorization, or the rest of one, was let go. Not in amount_refunded.';
comment on column clawback_v1.refunds.destination_type is 'Where the money goes, in Stripe''s word: card and so on.';
comment on column clawback_v1.refunds.reference is 'By which the buyer''s bank finds the refund: an ARN or the like.';
comment on column clawback_v1.refunds.reference_status is 'pending, available or unavailable, in Stripe''s word.';
comment on column clawback_v1.refunds.pending_reason is 'What a pending refund waits for, in Stripe''s word.';
comment on column clawback_v1.refunds.metadata is 'The merchant''s own fields, as Stripe has them.';

-- By object: where it belongs says payment_objects, so that nothing moves when payments merge.
create table clawback.people (
    object_id   text   not null,
    seen_at     bigint not null,
    event_id    text   not null,
    customer_id text,
    email       text,
    name        text,
    constraint people_pkey primary key (object_id)
);

create view clawback_v1.payment_people as
select p.payment_id,
       (array_agg(w.customer_id order by w.seen_at desc, w.event_id desc) filter (where w.customer_id is not null))[1]
           as customer_id,
       (array_agg(w.email order by w.seen_at desc, w.event_id desc) filter (where w.email is not null))[1] as email,
       (array_agg(w.name order by w.seen_at desc, w.event_id desc) filter (where w.name is not null))[1] as name
from clawback.payments p
join clawback.payment_objects o on o.payment_id = p.payment_id
join clawback.people w on w.object_id = o.object_id
where not p.orphan
group by p.payment_id;
comment on view clawback_v1.payment_people is
    'Who paid: personal data, for those who may see it. One row per payment of which somebody is known.';
comment on column clawback_v1.payment_people.payment_id is 'The payment, as in payments.';
comment on column clawback_v1.payment_people.customer_id is 'Stripe''s customer, as last seen.';
comment on column clawback_v1.payment_people.email is 'E-mail address, as last seen.';
comment on column clawback_v1.payment_people.name is 'Name, as last seen.';

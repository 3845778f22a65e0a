-- Early fraud warnings to read, and a way to say which order a payment is for.

create table clawback.fraud_warnings (
    warning_id text        not null,
    payment_id text        not null,
    charge_id  text,
    fraud_type text,
    actionable boolean     not null,
    created_at timestamptz not null,
    updated_at timestamptz not null default now(),
    constraint fraud_warnings_pkey primary key (warning_id),
    constraint fraud_warnings_payment_fkey foreign key (payment_id) references clawback.payments (payment_id)
);
create index fraud_warnings_payment on clawback.fraud_warnings (payment_id);

create view clawback_v1.fraud_warnings as
select w.warning_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, w.charge_id,
       w.fraud_type, w.actionable, w.created_at
from clawback.fraud_warnings w
join clawback.payments p on p.payment_id = w.payment_id;
comment on view clawback_v1.fraud_warnings is
    'One row per early fraud warning. actionable: neither disputed nor fully refunded yet, so that a refund can still prevent a dispute.';

create function clawback_v1.link_payment(payment_id text, order_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    event_id text := 'evt_clawback_' || replace(gen_random_uuid()::text, '-', '');
    home clawback.payments;
    body text;
begin
    if coalesce(link_payment.payment_id, '') = '' or octet_length(link_payment.payment_id) > 255 then
        raise exception 'link_payment: payment_id must have 1 to 255 bytes' using errcode = '22023';
    end if;
    if coalesce(link_payment.order_id, '') = '' or octet_length(link_payment.order_id) > 2000 then
        raise exception 'link_payment: order_id must have 1 to 2000 bytes' using errcode = '22023';
    end if;
    -- The payment may not have been seen yet; then it is linked as soon as it is.
    select p.* into home
    from clawback.payments p
    where p.payment_id = coalesce(
        (select o.payment_id from clawback.payment_objects o where o.object_id = link_payment.payment_id),
        link_payment.payment_id);
    if home.payment_id <> link_payment.payment_id
        and not (coalesce(home.facts -> 'charges', '{}') ? link_payment.payment_id)
        and not (coalesce(home.facts -> 'intents', '{}') ? link_payment.payment_id) then
        raise exception 'link_payment: % is no payment', link_payment.payment_id
            using errcode = '22023', hint = format('It belongs to payment %s: link that.', home.payment_id);
    end if;
    body := jsonb_build_object(
        'id', event_id, 'object', 'event', 'type', 'clawback.linked',
        'created', floor(extract(epoch from moment))::bigint,
        'account', nullif(home.account, ''), 'livemode', coalesce(home.livemode, false),
        'data', jsonb_build_object('object', jsonb_build_object(
            'object', 'clawback.link', 'id', link_payment.payment_id, 'order_id', link_payment.order_id,
            'microsecond', extract(microseconds from moment)::bigint % 1000000)))::text;
    with event as (
        insert into clawback.events (event_id, type, account, livemode, object_id, created_at)
        values (event_id, 'clawback.linked', nullif(home.account, ''), home.livemode, link_payment.payment_id, moment)
        returning events.event_id, events.seq
    ), payload as (
        insert into clawback.event_payloads (event_id, payload)
        select event.event_id, body from event
    )
    insert into clawback.pending_events (seq, event_id) select event.seq, event.event_id from event;
end
$$;
comment on function clawback_v1.link_payment(text, text) is
    'Says which order a payment is for, above all metadata; the latest wins. Enters the ledger as event clawback.linked and shows once that is processed. A payment not seen yet is linked when it is.';

revoke all on function clawback_v1.link_payment(text, text) from public;

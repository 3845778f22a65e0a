-- Of a refund or dispute that names no payment, link_payment said nothing and did nothing: it is refused, as one
-- that belongs to a payment is. Arguments and result are as they were.

create or replace function clawback_v1.link_payment(payment_id text, order_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    event_id text := 'evt_clawback_' || replace(gen_random_uuid()::text, '-', '');
    owner text;
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
    select o.payment_id into owner from clawback.payment_objects o where o.object_id = link_payment.payment_id;
    select p.* into home from clawback.payments p where p.payment_id = coalesce(owner, link_payment.payment_id);
    if owner is not null
        and not (coalesce(home.facts -> 'charges', '{}') ? link_payment.payment_id)
        and not (coalesce(home.facts -> 'intents', '{}') ? link_payment.payment_id) then
        raise exception 'link_payment: % is no payment', link_payment.payment_id
            using errcode = '22023', hint = case
                when home.orphan then 'It names no payment.'
                else format('It belongs to payment %s: link that.', home.payment_id) end;
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

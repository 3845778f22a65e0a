-- What outlives a release and a start: since when the service asks, and by which key it finds orders.

-- One row, made by the first start of the service.
create table clawback.settings (
    is_only   boolean     not null default true,
    -- What is newly wanted for a cause before it is history; null: nothing is.
    ask_since timestamptz,
    -- The metadata key of the merchant's order reference; null until a service started.
    order_key text,
    constraint settings_pkey primary key (is_only),
    constraint settings_only check (is_only)
);

-- The same, for what making this payment again newly wants.
alter table clawback.rebuilds add column ask_since timestamptz;

-- What an object is, in Stripe's word; objects that a payment only names stand here too. None where an older release
-- wrote the row.
alter table clawback.payment_objects add column kind text;

-- Bodies that are gone ------------------------------------------------------------------------------------

-- The body of one of its events is gone: what was misread of it cannot be retracted any more.
alter table clawback.payments add column pruned boolean not null default false;

-- Whoever removes bodies, and in the same transaction.
create function clawback.bodies_removed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    own text;
begin
    select e.event_id into own
    from removed r
    join clawback.events e on e.event_id = r.event_id
    where starts_with(e.type, 'clawback.')
    limit 1;
    if found then
        raise exception 'the body of % stays: nobody can send an event of our own again', own using errcode = '23001';
    end if;
    update clawback.payments p
    set pruned = true
    from removed r
    join clawback.events e on e.event_id = r.event_id
    join clawback.payment_objects o on o.object_id = e.object_id
    where p.payment_id = o.payment_id and not p.pruned;
    return null;
end
$$;
revoke all on function clawback.bodies_removed() from public;

create trigger event_payloads_removed after delete on clawback.event_payloads
    referencing old table as removed for each statement execute function clawback.bodies_removed();

-- Nobody but the core reads inside `facts` ----------------------------------------------------------------

create or replace function clawback_v1.find(term text)
returns table (kind text, id text, payment_id text, order_id text, account text, livemode boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select case
               when p.payment_id = h.object_id and not p.orphan then 'payment'
               when h.kind in ('charge', 'refund', 'dispute', 'fraud_warning', 'checkout_session', 'review') then h.kind
               else 'object'
           end,
           h.object_id, case when not p.orphan then p.payment_id end, p.order_id, nullif(p.account, ''), p.livemode
    from clawback.payment_objects h
    join clawback.payments p on p.payment_id = h.payment_id
    where h.object_id = find.term
    union all
    select distinct 'order', o.order_id, null::text, o.order_id, nullif(o.account, ''), o.livemode
    from clawback.orders o
    where o.order_id = find.term
    union all
    select 'event', e.event_id, case when not p.orphan then p.payment_id end, p.order_id, e.account, e.livemode
    from clawback.events e
    left join clawback.payment_objects h on h.object_id = e.payment_id
    left join clawback.payments p on p.payment_id = coalesce(h.payment_id, e.payment_id)
    where e.event_id = find.term
    union all
    -- Of an object that nothing here reads, all that is known is that there were events.
    select distinct 'object', e.object_id, null::text, null::text, e.account, e.livemode
    from clawback.events e
    where e.object_id = find.term
        and not exists (select from clawback.payment_objects h where h.object_id = find.term);
end
$$;

create or replace function clawback_v1.link_payment(payment_id text, order_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    owner text;
    owned_kind text;
    home clawback.payments;
begin
    if coalesce(link_payment.payment_id, '') = '' or octet_length(link_payment.payment_id) > 255 then
        raise exception 'link_payment: payment_id must have 1 to 255 bytes' using errcode = '22023';
    end if;
    if coalesce(link_payment.order_id, '') = '' or octet_length(link_payment.order_id) > 2000 then
        raise exception 'link_payment: order_id must have 1 to 2000 bytes' using errcode = '22023';
    end if;
    -- The payment may not have been seen yet; then it is linked as soon as it is.
    select o.payment_id, o.kind into owner, owned_kind from clawback.payment_objects o where o.object_id = link_payment.payment_id;
    select p.* into home from clawback.payments p where p.payment_id = coalesce(owner, link_payment.payment_id);
    if owner is not null and owned_kind not in ('charge', 'payment_intent', 'payment') then
        raise exception 'link_payment: % is no payment', link_payment.payment_id
            using errcode = '22023', hint = case
                when home.orphan then 'It names no payment.'
                else format('It belongs to payment %s: link that.', home.payment_id) end;
    end if;
    perform clawback.enter_event('clawback.linked', jsonb_build_object(
        'object', 'clawback.link', 'id', link_payment.payment_id, 'order_id', link_payment.order_id),
        home.account, home.livemode);
    perform clawback.record_action('link', 'payment', link_payment.payment_id, null,
        jsonb_strip_nulls(jsonb_build_object('order_id', link_payment.order_id, 'before', home.order_id)));
end
$$;

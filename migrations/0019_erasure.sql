-- Erasure of personal data: what is recorded of it, and the statements that leave nothing personal of a payment behind.
-- Bodies and the facts' document are rewritten by the command: it knows what the readers read.

-- The body no longer is what Stripe signed: what is not read was removed.
alter table clawback.event_payloads add erased boolean not null default false;
alter table clawback.unvouched_events add erased boolean not null default false;

-- Payments of which personal data was erased, to find what arrived for them afterwards. The ID is the payment's at that time:
-- one that was merged since is an object of its successor.
create table clawback.erased_payments (
    payment_id text        not null,
    erased_at  timestamptz not null default now(),
    constraint erased_payments_pkey primary key (payment_id)
);

create index people_customer on clawback.people (customer_id) where customer_id is not null;

-- The audit log stays append-only, except for what an erasure removes from it.
create or replace function clawback.refuse_to_forget() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'UPDATE' and current_setting('clawback.erasing', true) = 'on' then
        return null;
    end if;
    raise exception 'clawback.actions is append-only' using errcode = '42501';
end
$$;

-- The events about a payment.
create function clawback.events_of(of_payment text) returns table (event_id text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select e.event_id
    from clawback.events e
    where e.object_id in (select o.object_id from clawback.payment_objects o where o.payment_id = of_payment)
        or e.object_id = of_payment;
end
$$;
revoke all on function clawback.events_of(text) from public;

-- Why a payment cannot be erased now; null: it can.
create function clawback.why_not_erased(of_payment text, even_needed boolean) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from clawback.rebuilds r where r.payment_id = of_payment) then
        return 'waits for a rebuild';
    elsif exists (
        select from clawback.pending_events p join clawback.events_of(of_payment) e on e.event_id = p.event_id)
    then
        return 'has events that are not processed yet';
    elsif exists (
        select from clawback.disputes d
        join clawback.dispute_responses r on r.dispute_id = d.dispute_id
        where d.payment_id = of_payment and r.state in ('submit_requested', 'accept_requested'))
    then
        return 'has a response to a dispute that is being sent';
    elsif exists (
        select from clawback.refund_requests q
        where q.payment_id = of_payment and q.state in ('requested', 'sent', 'unknown'))
    then
        return 'has a refund that is being made';
    elsif not even_needed and exists (
        select from clawback.disputes d where d.payment_id = of_payment and d.outcome is null)
    then
        return 'has an open dispute, whose evidence needs the data';
    end if;
    return null;
end
$$;
revoke all on function clawback.why_not_erased(text, boolean) from public;

-- Erases what people wrote about a payment and what names its payer, except bodies, facts and the metadata of refunds.
create function clawback.erase_payment(of_payment text)
returns table (people bigint, evidence bigint, notes bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    objects text[] := array(
        select o.object_id from clawback.payment_objects o where o.payment_id = of_payment union select of_payment);
    event_ids text[] := array(select e.event_id from clawback.events_of(of_payment) e);
    follow_up_ids text[] := array(select f.id::text from clawback.follow_ups f where f.payment_id = of_payment);
    request_ids text[] := array(select q.id::text from clawback.refund_requests q where q.payment_id = of_payment);
    response record;
    changed bigint;
begin
    delete from clawback.people w where w.object_id = any(objects);
    get diagnostics people = row_count;
    -- Of a draft that can still be sent, files go; of what was sent, size and hash stay.
    delete from clawback.evidence_files f using clawback.dispute_responses r
    where f.dispute_id = any(objects) and r.dispute_id = f.dispute_id and r.phase = f.phase
        and r.state in ('draft', 'rejected');
    get diagnostics evidence = row_count;
    update clawback.evidence_files f set content = null, name = 'erased', unreadable = null
    where f.dispute_id = any(objects) and (f.content is not null or f.name <> 'erased' or f.unreadable is not null);
    get diagnostics changed = row_count;
    evidence := evidence + changed;
    update clawback.dispute_responses r
    set fields = jsonb_strip_nulls(jsonb_build_object('product_kind', r.fields -> 'product_kind')), held = '{}',
        letter = null, error = null, updated_at = now()
    where r.dispute_id = any(objects)
        and (r.fields - 'product_kind' <> '{}' or r.held <> '{}' or r.letter is not null or r.error is not null);
    get diagnostics changed = row_count;
    evidence := evidence + changed;
    for response in
        select r.dispute_id, r.phase from clawback.dispute_responses r
        where r.dispute_id = any(objects) and r.state in ('draft', 'rejected')
    loop
        perform clawback.refresh_response(response.dispute_id, response.phase);
    end loop;
    -- The payload has IDs, amounts and Stripe's words only; that of work that follows from a refusal has Stripe's message.
    update clawback.follow_ups f
    set result = null, last_error = null, payload = case when f.from_refusal then f.payload - 'error' else f.payload end
    where f.payment_id = of_payment and (f.result is not null or f.last_error is not null
        or f.from_refusal and f.payload ? 'error');
    get diagnostics notes = row_count;
    update clawback.notices n set last_error = null
    where n.last_error is not null and n.follow_up_id::text = any(follow_up_ids);
    update clawback.api_calls c set last_error = null
    where c.last_error is not null
        and (split_part(c.subject, '/', 1) = any(objects) or c.subject = any(request_ids));
    -- That of a request whose refund failed follows from the refund.
    update clawback.refund_requests q set error = 'erased'
    where q.payment_id = of_payment and q.refund_id is null and q.state in ('failed', 'cancelled') and q.error <> 'erased';
    update clawback.replays r set reason = 'erased' where r.event_id = any(event_ids) and r.reason <> 'erased';
    get diagnostics changed = row_count;
    notes := notes + changed;
    perform set_config('clawback.erasing', 'on', true);
    update clawback.actions a set reason = null
    where a.reason is not null and a.subject = any(objects || event_ids || follow_up_ids || request_ids);
    get diagnostics changed = row_count;
    perform set_config('clawback.erasing', '', true);
    notes := notes + changed;
    insert into clawback.erased_payments as e (payment_id) values (of_payment)
    on conflict on constraint erased_payments_pkey do update set erased_at = now();
    return next;
end
$$;
revoke all on function clawback.erase_payment(text) from public;

-- Replaces an order reference wherever the database has it outside bodies and facts.
create function clawback.replace_reference(old_id text, new_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    subjects text[];
begin
    -- Payments that were given it by an earlier erasure may have it again.
    if exists (select from clawback.orders o where o.order_id = new_id)
        or exists (
            select from clawback.order_history h
            where h.order_id = new_id
                and not exists (select from clawback.erased_payments e where e.payment_id = h.payment_id))
    then
        raise exception 'the reference % is in use', new_id using errcode = '55000', hint = 'Choose another.';
    end if;
    subjects := array(
        select p.payment_id from clawback.payments p where p.order_id = old_id
        union select q.id::text from clawback.refund_requests q where q.order_id = old_id);
    update clawback.orders o set order_id = new_id where o.order_id = old_id;
    update clawback.payments p set order_id = new_id where p.order_id = old_id;
    update clawback.order_history h set order_id = new_id where h.order_id = old_id;
    update clawback.follow_ups f set order_id = new_id where f.order_id = old_id;
    -- Keys and audit entries of other orders may hold the same characters: they stay.
    update clawback.refund_requests q
    set order_id = new_id, request_key = left(replace(q.request_key, old_id, new_id), 255)
    where q.order_id = old_id;
    perform set_config('clawback.erasing', 'on', true);
    update clawback.actions a
    set detail = (select jsonb_object_agg(d.key, case
                      when d.value = to_jsonb(old_id) then to_jsonb(new_id)
                      when d.key = 'request_key' then to_jsonb(replace(d.value #>> '{}', old_id, new_id))
                      else d.value end)
                  from jsonb_each(a.detail) d)
    where (a.detail ->> 'order_id' = old_id or a.subject = any(subjects)) and jsonb_typeof(a.detail) = 'object'
        and a.detail <> '{}';
    perform set_config('clawback.erasing', '', true);
end
$$;
revoke all on function clawback.replace_reference(text, text) from public;

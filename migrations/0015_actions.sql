-- Who did what: one table that the functions write themselves, in the transaction of what they do.

create table clawback.actions (
    id           bigint      generated always as identity,
    at           timestamptz not null default now(),
    actor        text        not null,
    role         text        not null,
    via          text        not null,
    action       text        not null,
    subject_kind text        not null,
    subject      text        not null,
    reason       text,
    detail       jsonb       not null default '{}',
    constraint actions_pkey primary key (id),
    constraint actions_via check (via in ('console', 'cli', 'sql'))
);
create index actions_subject on clawback.actions (subject, id);

create function clawback.refuse_to_forget() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'clawback.actions is append-only' using errcode = '42501';
end
$$;
revoke all on function clawback.refuse_to_forget() from public;
create trigger actions_append_only before update or delete or truncate on clawback.actions
    for each statement execute function clawback.refuse_to_forget();

-- A person's name is believed only from the owner's role, which the commands and the console use: several people
-- share it. Whoever else claims one is written down under the role's name, with the claim beside it.
create function clawback.record_action(action text, subject_kind text, subject text, reason text, detail jsonb)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    claimed text := nullif(current_setting('clawback.actor', true), '');
    claimed_via text := nullif(current_setting('clawback.via', true), '');
    believed boolean := pg_has_role(session_user, current_user, 'member');
begin
    insert into clawback.actions (actor, role, via, action, subject_kind, subject, reason, detail)
    values (
        case when believed and claimed is not null then left(claimed, 255) else session_user end,
        session_user,
        case when believed and claimed_via in ('console', 'cli') then claimed_via else 'sql' end,
        record_action.action, record_action.subject_kind, record_action.subject,
        left(nullif(record_action.reason, ''), 2000),
        coalesce(record_action.detail, '{}') || case when believed then '{}'::jsonb else jsonb_strip_nulls(
            jsonb_build_object('claimed_actor', left(claimed, 255), 'claimed_via', left(claimed_via, 255))) end);
end
$$;
revoke all on function clawback.record_action(text, text, text, text, jsonb) from public;

create view clawback_v1.actions as
select a.id, a.at, a.actor, a.role, a.via, a.action, a.subject_kind, a.subject, a.reason, a.detail
from clawback.actions a;
comment on view clawback_v1.actions is
    'Append-only: who replayed, requeued, discarded, linked or dismissed what, and why. Written in the transaction that did it.';
comment on column clawback_v1.actions.actor is 'The person, where the owner''s role says who it is; else the role.';
comment on column clawback_v1.actions.role is 'The database role that was logged in.';
comment on column clawback_v1.actions.via is 'console, cli or sql.';
comment on column clawback_v1.actions.detail is 'What else there is to know; a name that was claimed and not believed.';

-- What was written down before.
insert into clawback.actions (at, actor, role, via, action, subject_kind, subject, reason)
select r.requested_at, coalesce(r.person, r.requested_by), r.requested_by, 'cli', 'replay', 'event', r.event_id, r.reason
from clawback.replays r
union all
select q.requested_at, coalesce(q.person, q.requested_by), q.requested_by,
       case when q.person is null then 'sql' else 'cli' end, 'requeue', 'follow_up', q.follow_up_id::text, null
from clawback.requeues q
order by 1;
drop table clawback.requeues;

-- Looking ---------------------------------------------------------------------------------------------


create function clawback_v1.find(term text)
returns table (kind text, id text, payment_id text, order_id text, account text, livemode boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select case
               when p.payment_id = h.object_id and not p.orphan then 'payment'
               when exists (select from clawback.refunds r where r.refund_id = h.object_id) then 'refund'
               when exists (select from clawback.disputes d where d.dispute_id = h.object_id) then 'dispute'
               when exists (select from clawback.fraud_warnings w where w.warning_id = h.object_id) then 'fraud_warning'
               when coalesce(p.facts -> 'charges', '{}') ? h.object_id then 'charge'
               when coalesce(p.facts -> 'sessions', '{}') ? h.object_id then 'checkout_session'
               when coalesce(p.facts -> 'reviews', '{}') ? h.object_id then 'review'
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
comment on function clawback_v1.find(text) is
    'What a term is: any Stripe id that was seen, or an order''s reference; exact. kind: payment, charge, refund, dispute, fraud_warning, review, checkout_session, event, order, or object for any other.';

-- Acting ----------------------------------------------------------------------------------------------

create function clawback_v1.replay_event(event_id text, reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    place bigint;
begin
    if coalesce(replay_event.reason, '') = '' then
        raise exception 'replay_event: say why event % is processed again', replay_event.event_id using errcode = '22023';
    end if;
    update clawback.events e
    set state = 'pending', processed_at = null, last_error = null, attempts = 0
    where e.event_id = replay_event.event_id and e.state <> 'pending'
        and exists (select from clawback.event_payloads b where b.event_id = e.event_id)
    returning e.seq into place;
    if not found then
        return false;
    end if;
    delete from clawback.failed_events f where f.event_id = replay_event.event_id;
    insert into clawback.pending_events (seq, event_id) values (place, replay_event.event_id);
    insert into clawback.replays (event_id, reason) values (replay_event.event_id, replay_event.reason);
    perform clawback.record_action('replay', 'event', replay_event.event_id, replay_event.reason, null);
    return true;
end
$$;
comment on function clawback_v1.replay_event(text, text) is
    'For people: the event is processed again; what was right stays as it is. false: it is not in the ledger, is pending already, or its body was pruned.';

-- An event of our own: what somebody says is an input like Stripe's, so that the ledger stays the whole truth.
create function clawback.enter_event(type text, object jsonb, account text, livemode boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    event_id text := 'evt_clawback_' || replace(gen_random_uuid()::text, '-', '');
    object_id text := enter_event.object ->> 'id';
    body text := jsonb_build_object(
        'id', event_id, 'object', 'event', 'type', enter_event.type,
        'created', floor(extract(epoch from moment))::bigint,
        'account', nullif(enter_event.account, ''), 'livemode', coalesce(enter_event.livemode, false),
        'data', jsonb_build_object('object', enter_event.object || jsonb_build_object(
            'microsecond', extract(microseconds from moment)::bigint % 1000000)))::text;
    place bigint;
begin
    insert into clawback.events (event_id, type, account, livemode, object_id, created_at)
    values (event_id, enter_event.type, nullif(enter_event.account, ''), enter_event.livemode, object_id, moment)
    returning events.seq into place;
    insert into clawback.event_payloads (event_id, payload) values (event_id, body);
    insert into clawback.pending_events (seq, event_id) values (place, event_id);
end
$$;
revoke all on function clawback.enter_event(text, jsonb, text, boolean) from public;

create or replace function clawback_v1.link_payment(payment_id text, order_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    owner text;
    home clawback.payments;
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
    perform clawback.enter_event('clawback.linked', jsonb_build_object(
        'object', 'clawback.link', 'id', link_payment.payment_id, 'order_id', link_payment.order_id),
        home.account, home.livemode);
    perform clawback.record_action('link', 'payment', link_payment.payment_id, null,
        jsonb_strip_nulls(jsonb_build_object('order_id', link_payment.order_id, 'before', home.order_id)));
end
$$;

create function clawback_v1.dismiss_warning(warning_id text, reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    home record;
begin
    if coalesce(dismiss_warning.reason, '') = '' then
        raise exception 'dismiss_warning: say why warning % is dismissed', dismiss_warning.warning_id
            using errcode = '22023';
    end if;
    select p.account, p.livemode into home
    from clawback.fraud_warnings w
    join clawback.payments p on p.payment_id = w.payment_id
    where w.warning_id = dismiss_warning.warning_id and w.actionable;
    if not found then
        return false;
    end if;
    perform clawback.enter_event('clawback.dismissed', jsonb_build_object(
        'object', 'clawback.dismissal', 'id', dismiss_warning.warning_id), home.account, home.livemode);
    perform clawback.record_action('dismiss', 'fraud_warning', dismiss_warning.warning_id, dismiss_warning.reason, null);
    return true;
end
$$;
comment on function clawback_v1.dismiss_warning(text, text) is
    'For people: the early fraud warning was looked at, and holds and asks no more. Enters the ledger as event clawback.dismissed and shows once that is processed. false: there is no such warning, or it is not actionable.';

revoke all on function clawback_v1.find(text), clawback_v1.replay_event(text, text),
    clawback_v1.dismiss_warning(text, text) from public;

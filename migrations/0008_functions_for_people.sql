-- Functions for operators, called by the commands or directly: look up an ID, link, dismiss, replay, requeue, discard.
-- Every change is recorded in actions. What 0007 says about functions applies here too.

create function clawback_v1.find(term text)
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
    -- Of an object that Clawback does not read, only its events are known.
    select distinct 'object', e.object_id, null::text, null::text, e.account, e.livemode
    from clawback.events e
    where e.object_id = find.term
        and not exists (select from clawback.payment_objects h where h.object_id = find.term);
end
$$;
comment on function clawback_v1.find(text) is
    'What an ID is and where it belongs: any Stripe ID that was seen, or an order reference; exact match. kind is payment, charge, refund, dispute, fraud_warning, review, checkout_session, event, order, or object for anything else.';

create function clawback_v1.link_payment(payment_id text, order_id text) returns void
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
    -- A payment that was not seen yet is linked when it is.
    select o.payment_id, o.kind into owner, owned_kind
    from clawback.payment_objects o
    where o.object_id = link_payment.payment_id;
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
comment on function clawback_v1.link_payment(text, text) is
    'Links a payment to an order. Overrides the metadata; the latest call wins. Recorded as event clawback.linked, and visible once that is processed. A payment that was not seen yet is linked when it is.';

create function clawback_v1.dismiss_warning(warning_id text, reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    home record;
begin
    if coalesce(dismiss_warning.reason, '') = '' then
        raise exception 'dismiss_warning: say why warning % is dismissed', left(dismiss_warning.warning_id, 255)
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
    'For operators: dismisses an early fraud warning, so that it no longer holds the order or asks for a refund. Recorded as event clawback.dismissed, and visible once that is processed. Returns false when there is no such warning or it is not actionable.';

create function clawback_v1.replay_event(event_id text, reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    place bigint;
    counted boolean;
begin
    if coalesce(replay_event.reason, '') = '' then
        raise exception 'replay_event: say why event % is processed again', left(replay_event.event_id, 255) using errcode = '22023';
    end if;
    select e.seq, e.state = 'processed' into place, counted
    from clawback.events e
    where e.event_id = replay_event.event_id and e.state <> 'pending'
        and exists (select from clawback.event_payloads b where b.event_id = e.event_id)
    for no key update;
    if not found then
        return false;
    end if;
    -- Waits for whoever removes the body, and keeps it until this transaction ends.
    perform from clawback.event_payloads b where b.event_id = replay_event.event_id for key share;
    if not found then
        return false;
    end if;
    update clawback.events e
    set state = 'pending', processed_at = null, last_error = null, attempts = 0
    where e.event_id = replay_event.event_id;
    delete from clawback.failed_events f where f.event_id = replay_event.event_id;
    insert into clawback.pending_events (seq, event_id, counted) values (place, replay_event.event_id, counted);
    insert into clawback.replays (event_id, reason) values (replay_event.event_id, left(replay_event.reason, 2000));
    perform clawback.record_action('replay', 'event', replay_event.event_id, replay_event.reason, null);
    return true;
end
$$;
comment on function clawback_v1.replay_event(text, text) is
    'For operators: processes an event again. Rows that are already right do not change. Returns false when the event does not exist, is pending, or its body was pruned.';

create function clawback_v1.requeue_follow_up(id bigint, reason text default null, force boolean default false)
returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    before text;
    of_kind text;
begin
    if requeue_follow_up.force and coalesce(requeue_follow_up.reason, '') = '' then
        raise exception 'requeue_follow_up: say why follow-up % is forced', requeue_follow_up.id using errcode = '22023';
    end if;
    select f.state, f.kind into before, of_kind from clawback.follow_ups f
    where f.id = requeue_follow_up.id and f.wanted
        and (f.state in ('dead', 'ready')
            -- An emptied one says nothing to its consumer.
            or requeue_follow_up.force and f.state in ('done', 'discarded') and f.payload <> '{}')
    for update;
    if not found then
        return false;
    end if;
    update clawback.follow_ups f
    set state = 'ready', attempts = 0, run_at = clock_timestamp(), rescheduled = true, finished_at = null,
        lease_token = null, result = null
    where f.id = requeue_follow_up.id;
    perform clawback.record_action('requeue', 'follow_up', requeue_follow_up.id::text, requeue_follow_up.reason,
        jsonb_build_object('before', before, 'force', coalesce(requeue_follow_up.force, false)));
    perform pg_notify('clawback_follow_ups', of_kind);
    return true;
end
$$;
comment on function clawback_v1.requeue_follow_up(bigint, text, boolean) is
    'For operators: makes a follow-up ready at once, with fresh attempts. One that is done or discarded needs force and a reason: its consumer will act a second time. Returns false when it does not exist, is leased, is no longer wanted, needs force, or was emptied after its retention.';

create function clawback_v1.discard_follow_up(id bigint, reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    before text;
begin
    if coalesce(discard_follow_up.reason, '') = '' then
        raise exception 'discard_follow_up: say why follow-up % is discarded', discard_follow_up.id using errcode = '22023';
    end if;
    select f.state into before from clawback.follow_ups f
    where f.id = discard_follow_up.id and f.state in ('ready', 'leased', 'cancelled', 'dead')
    for update;
    if not found then
        return false;
    end if;
    update clawback.follow_ups f
    set state = 'discarded', finished_at = clock_timestamp(), leased_until = null, lease_token = null
    where f.id = discard_follow_up.id;
    perform clawback.record_action('discard', 'follow_up', discard_follow_up.id::text, discard_follow_up.reason,
        jsonb_build_object('before', before));
    return true;
end
$$;
comment on function clawback_v1.discard_follow_up(bigint, text) is
    'For operators: discards a follow-up for good. Its last error is kept; who discarded it and why is in actions. Returns false when it does not exist or is already done or discarded.';

revoke all on all functions in schema clawback_v1 from public;

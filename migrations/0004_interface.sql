-- Schema clawback_v1: how services read and act. A promise of stability: columns are appended, never
-- dropped or retyped; a function's arguments and results never change. Views call only built-in
-- functions. Functions run with the owner's rights, fix their search_path, qualify every name, and
-- nobody may execute them before `clawback grants` says so.

revoke all on schema clawback, clawback_v1 from public;

comment on schema clawback is 'Clawback: private tables. Read and act through clawback_v1.';
comment on schema clawback_v1 is 'Clawback: the interface for services. Views to read, functions to act. Money is in minor units.';

-- Views ------------------------------------------------------------------------------------------

create view clawback_v1.orders as
select o.order_id, nullif(o.account, '') as account, o.livemode, nullif(o.currency, '') as currency, o.state,
       o.amount_paid, o.amount_refunded, o.amount_disputed, o.amount_lost, o.hold, o.open_disputes,
       o.evidence_due_by, o.updated_at
from clawback.orders o;
comment on view clawback_v1.orders is
    'One row per order, account, mode and currency: what was paid, what went back, what is contested. hold: do not ship. amount_paid is null while no charge or intent was seen.';

create view clawback_v1.payments as
select p.payment_id, p.order_id, p.charge_id, nullif(p.account, '') as account, p.livemode,
       nullif(p.currency, '') as currency, p.amount, p.amount_paid, p.amount_refunded, p.amount_disputed,
       p.amount_lost, p.state, p.hold, p.evidence_due_by, p.updated_at
from clawback.payments p
where not p.orphan;
comment on view clawback_v1.payments is
    'One row per payment intent, or per charge that has none. order_id is null while the payment is unlinked; charge_id is the captured charge, else the newest.';

create view clawback_v1.refunds as
select r.refund_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       r.amount, r.currency, r.status, r.reason, r.failure_reason, r.request_key, r.created_at, r.updated_at
from clawback.refunds r
join clawback.payments p on p.payment_id = r.payment_id;
comment on view clawback_v1.refunds is
    'One row per refund, in Stripe''s status. A succeeded refund can fail weeks later. request_key is ours; null for a refund made elsewhere.';

create view clawback_v1.disputes as
select d.dispute_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, d.charge_id,
       d.amount, d.currency, d.reason, d.network_reason_code, d.status, d.phase, d.outcome, d.evidence_due_by,
       d.has_evidence, d.past_due, d.submission_count, d.is_charge_refundable, d.amount_withdrawn,
       d.amount_reinstated, d.fee, d.settlement_currency, d.created_at, d.updated_at
from clawback.disputes d
join clawback.payments p on p.payment_id = d.payment_id;
comment on view clawback_v1.disputes is
    'One row per dispute. status is Stripe''s word; outcome is null while it is open. amount_withdrawn, amount_reinstated and fee come from balance transactions, in settlement_currency.';

create view clawback_v1.order_history as
select h.id, h.order_id, h.payment_id, h.from_state, h.to_state, h.event_id, h.event_type, h.event_created_at,
       h.recorded_at, nullif(h.account, '') as account, h.livemode, nullif(h.currency, '') as currency
from clawback.order_history h;
comment on view clawback_v1.order_history is
    'Append-only feed of state changes: the order''s, or the payment''s while it is unlinked. Ids are given in commit order: keep the last one you read and ask for `where id > $last order by id`.';

create view clawback_v1.events as
select e.event_id, e.type, e.api_version, e.account, e.livemode, e.object_id,
       -- A charge that turned out to belong to an intent: its earlier events are the intent's now.
       coalesce(o.payment_id, e.payment_id) as payment_id, e.created_at,
       e.received_at, e.state, e.attempts, e.last_error, e.processed_at
from clawback.events e
left join clawback.payment_objects o on o.object_id = e.payment_id;
comment on view clawback_v1.events is
    'The ledger: every event acknowledged. state: pending, processed, ignored (nothing here reads it; last_error says why) or failed (last_error names the field).';

create view clawback_v1.event_payloads as
select b.event_id,
       regexp_replace(b.payload, '("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"', '\1"***"', 'g') as payload
from clawback.event_payloads b;
comment on view clawback_v1.event_payloads is
    'The body of each event as received, client secrets masked. Holds personal data: granted apart.';

create view clawback_v1.follow_ups as
select f.id, f.kind, f.subject, f.round, f.order_id, case when p.orphan then null else f.payment_id end as payment_id,
       f.payload, f.state, f.wanted, f.run_at, f.due_at, f.attempts, f.max_attempts, f.last_error, f.created_at,
       f.finished_at
from clawback.follow_ups f
left join clawback.payments p on p.payment_id = f.payment_id;
comment on view clawback_v1.follow_ups is
    'What is to be done: one row per kind, subject and round, for ever. wanted follows the state of the payment; cancelled means wanted no longer, dead that all attempts failed.';

-- Follow-ups: the private half -------------------------------------------------------------------

-- An expired lease counts as an attempt: the row is ready again, or dead, or cancelled if unwanted.
create function clawback.reap_follow_ups() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    reaped bigint;
begin
    with expired as (
        select f.id from clawback.follow_ups f
        where f.state = 'leased' and f.leased_until < clock_timestamp()
        order by f.id
        limit 1000
        for update skip locked
    )
    update clawback.follow_ups f
    set state = case when not f.wanted then 'cancelled' when f.attempts >= f.max_attempts then 'dead' else 'ready' end,
        finished_at = case when not f.wanted or f.attempts >= f.max_attempts then clock_timestamp() end,
        run_at = case when f.wanted and f.attempts < f.max_attempts then clock_timestamp() else f.run_at end,
        leased_until = null,
        lease_token = null,
        last_error = coalesce('lease of consumer ' || f.consumer || ' expired', f.last_error)
    from expired
    where f.id = expired.id;
    get diagnostics reaped = row_count;
    return reaped;
end
$$;
revoke all on function clawback.reap_follow_ups() from public;

-- Follow-ups: the public half --------------------------------------------------------------------

create function clawback_v1.claim_follow_ups(
    consumer text, kinds text[], max_count integer default 10, lease interval default '60 seconds'
) returns table (
    id bigint, kind text, subject text, round text, order_id text, payment_id text, payload jsonb,
    attempt integer, due_at timestamptz, lease_token uuid, leased_until timestamptz
)
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- A generic plan does not know the limit and sorts the whole queue: 150 claims a second instead of 2,000.
set plan_cache_mode = force_custom_plan as $$
declare
    wanted_kind text;
begin
    if coalesce(claim_follow_ups.consumer, '') = '' or octet_length(claim_follow_ups.consumer) > 255 then
        raise exception 'claim_follow_ups: consumer must name the caller in 1 to 255 bytes' using errcode = '22023';
    end if;
    if coalesce(cardinality(claim_follow_ups.kinds), 0) = 0 then
        raise exception 'claim_follow_ups: kinds must name at least one kind, such as notify_refund' using errcode = '22023';
    end if;
    foreach wanted_kind in array claim_follow_ups.kinds loop
        if wanted_kind is null or starts_with(wanted_kind, 'stripe_') then
            raise exception 'claim_follow_ups: kind % is the service''s own', coalesce(wanted_kind, 'null')
                using errcode = '22023', hint = 'Leave out null and every kind that begins with stripe_.';
        end if;
    end loop;
    if claim_follow_ups.max_count is null or claim_follow_ups.max_count not between 1 and 1000 then
        raise exception 'claim_follow_ups: max_count must be between 1 and 1000' using errcode = '22023';
    end if;
    if claim_follow_ups.lease is null
        or claim_follow_ups.lease not between interval '1 second' and interval '1 hour' then
        raise exception 'claim_follow_ups: lease must be between 1 second and 1 hour' using errcode = '22023';
    end if;

    -- A statement of its own: "ready or expired" in one condition would read the whole table.
    perform clawback.reap_follow_ups();

    return query
    -- Kind by kind, so that each is read from its own part of the index, in order, and no further than needed.
    with due as (
        select r.id
        from (select distinct k from unnest(claim_follow_ups.kinds) as u (k)) kinds
        cross join lateral (
            select f.id, f.run_at from clawback.follow_ups f
            where f.state = 'ready' and f.kind = kinds.k and f.run_at <= clock_timestamp()
            order by f.run_at, f.id
            limit claim_follow_ups.max_count
            for update skip locked
        ) r
        order by r.run_at, r.id
        limit claim_follow_ups.max_count
    ), claimed as (
        update clawback.follow_ups f
        set state = 'leased', attempts = f.attempts + 1, consumer = claim_follow_ups.consumer,
            lease_token = gen_random_uuid(), leased_until = clock_timestamp() + claim_follow_ups.lease
        from due
        where f.id = due.id
        returning f.*
    )
    select c.id, c.kind, c.subject, c.round, c.order_id, case when p.orphan then null else c.payment_id end,
           c.payload, c.attempts, c.due_at, c.lease_token, c.leased_until
    from claimed c
    left join clawback.payments p on p.payment_id = c.payment_id
    order by c.run_at, c.id;
end
$$;
comment on function clawback_v1.claim_follow_ups(text, text[], integer, interval) is
    'Leases up to max_count (1 to 1000) ready follow-ups of these kinds to consumer for lease (1 second to 1 hour). What others hold is skipped; an expired lease counts as an attempt and is handed out again. Commit, work, then complete or fail each with its lease_token.';

-- The row a consumer speaks of, locked; null when there is none, so that its lease was lost. Refuses the
-- service's own kinds.
create function clawback.follow_up_for_consumer(id bigint) returns clawback.follow_ups
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_row clawback.follow_ups;
begin
    select f.* into found_row from clawback.follow_ups f where f.id = follow_up_for_consumer.id for update;
    if starts_with(found_row.kind, 'stripe_') then
        raise exception 'follow-up % is of kind %, which is the service''s own', found_row.id, found_row.kind
            using errcode = '42501';
    end if;
    return found_row;
end
$$;
revoke all on function clawback.follow_up_for_consumer(bigint) from public;

create function clawback_v1.complete_follow_up(id bigint, lease_token uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    held clawback.follow_ups := clawback.follow_up_for_consumer(complete_follow_up.id);
begin
    if held.lease_token is null or held.lease_token is distinct from complete_follow_up.lease_token then
        return false;
    end if;
    if held.state = 'leased' then
        update clawback.follow_ups f
        set state = 'done', finished_at = clock_timestamp(), leased_until = null, last_error = null
        where f.id = held.id;
    end if;
    return held.state in ('leased', 'done');
end
$$;
comment on function clawback_v1.complete_follow_up(bigint, uuid) is
    'The work is done. false: the lease was lost, somebody else has or had it. Twice with one token: true.';

create function clawback_v1.fail_follow_up(id bigint, lease_token uuid, error text, retry_in interval default null)
returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    held clawback.follow_ups := clawback.follow_up_for_consumer(fail_follow_up.id);
    next_state text;
    delay interval;
begin
    if fail_follow_up.retry_in not between interval '0' and interval '30 days' then
        raise exception 'fail_follow_up: retry_in must be between 0 and 30 days' using errcode = '22023';
    end if;
    if held.state is distinct from 'leased' or held.lease_token is distinct from fail_follow_up.lease_token then
        return null;
    end if;
    next_state := case when not held.wanted then 'cancelled'
                       when held.attempts >= held.max_attempts then 'dead'
                       else 'ready' end;
    -- 5 s, 10 s, 20 s … an hour at most, a quarter either way so that a crowd does not come back at once.
    delay := coalesce(fail_follow_up.retry_in,
        least(interval '1 hour', interval '5 seconds' * power(2, least(held.attempts - 1, 20))) * (0.75 + random() / 2));
    update clawback.follow_ups f
    set state = next_state,
        finished_at = case when next_state <> 'ready' then clock_timestamp() end,
        run_at = case when next_state = 'ready' then clock_timestamp() + delay else f.run_at end,
        leased_until = null,
        lease_token = null,
        last_error = left(fail_follow_up.error, 2000)
    where f.id = held.id;
    return next_state;
end
$$;
comment on function clawback_v1.fail_follow_up(bigint, uuid, text, interval) is
    'The work failed. Returns the new state: ready (again after retry_in, else exponential back-off from 5 seconds to an hour), dead after max_attempts, cancelled if wanted no longer; null: the lease was lost.';

create function clawback_v1.extend_follow_up(id bigint, lease_token uuid, lease interval) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    held clawback.follow_ups := clawback.follow_up_for_consumer(extend_follow_up.id);
begin
    if extend_follow_up.lease is null
        or extend_follow_up.lease not between interval '1 second' and interval '1 hour' then
        raise exception 'extend_follow_up: lease must be between 1 second and 1 hour' using errcode = '22023';
    end if;
    if held.state is distinct from 'leased' or not held.wanted
        or held.lease_token is distinct from extend_follow_up.lease_token then
        return false;
    end if;
    update clawback.follow_ups f
    set leased_until = clock_timestamp() + extend_follow_up.lease
    where f.id = held.id;
    return true;
end
$$;
comment on function clawback_v1.extend_follow_up(bigint, uuid, interval) is
    'Holds on for lease from now (1 second to 1 hour). false: the lease was lost, or the work is wanted no longer: stop.';

create function clawback_v1.requeue_follow_up(id bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update clawback.follow_ups f
    set state = 'ready', attempts = 0, run_at = clock_timestamp(), finished_at = null, lease_token = null
    where f.id = requeue_follow_up.id and f.wanted and f.state in ('dead', 'done', 'ready');
    if not found then
        return false;
    end if;
    perform pg_notify('clawback_follow_ups', '');
    return true;
end
$$;
comment on function clawback_v1.requeue_follow_up(bigint) is
    'For people: ready again at once, with fresh attempts. false: it does not exist, is leased, discarded, or wanted no longer.';

create function clawback_v1.discard_follow_up(id bigint, reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(discard_follow_up.reason, '') = '' then
        raise exception 'discard_follow_up: say why follow-up % is discarded', discard_follow_up.id using errcode = '22023';
    end if;
    update clawback.follow_ups f
    set state = 'discarded', finished_at = clock_timestamp(), leased_until = null, lease_token = null,
        last_error = left(format('discarded by %s: %s', session_user, discard_follow_up.reason), 2000)
    where f.id = discard_follow_up.id and f.state in ('ready', 'leased', 'cancelled', 'dead');
    return found;
end
$$;
comment on function clawback_v1.discard_follow_up(bigint, text) is
    'For people: never to be done, for ever. false: it does not exist, or is done or discarded already.';

revoke all on all functions in schema clawback_v1 from public;

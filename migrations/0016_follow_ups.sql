-- Follow-ups for services that act outside: whose they are and in which mode, a key that never changes, results,
-- waiting without an attempt, and giving up.

alter table clawback.follow_ups
    add column account     text,
    add column livemode    boolean not null default false,
    add column key         text,
    add column result      jsonb,
    -- A consumer or a person said when: new facts do not move it.
    add column rescheduled boolean not null default false;

update clawback.follow_ups f
set key = f.kind || '/' || f.subject || '/' || f.round,
    account = (select nullif(p.account, '') from clawback.payments p where p.payment_id = f.payment_id),
    livemode = coalesce((select p.livemode from clawback.payments p where p.payment_id = f.payment_id), false);

alter table clawback.follow_ups
    alter column key set not null,
    add constraint follow_ups_result check (octet_length(result::text) <= 16384);

-- Once, when a follow-up begins: when payments become one its subject may change, its key does not.
create function clawback.begin_follow_up() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    home record;
begin
    new.key := new.kind || '/' || new.subject || '/' || new.round;
    select p.account, p.livemode into home from clawback.payments p where p.payment_id = new.payment_id;
    if found then
        new.account := nullif(home.account, '');
        new.livemode := home.livemode;
    end if;
    return new;
end
$$;
revoke all on function clawback.begin_follow_up() from public;
create trigger follow_ups_begin before insert on clawback.follow_ups
    for each row execute function clawback.begin_follow_up();

drop index clawback.follow_ups_ready;
create index follow_ups_ready on clawback.follow_ups (kind, livemode, run_at, id) where state = 'ready';

create or replace view clawback_v1.follow_ups as
select f.id, f.kind, f.subject, f.round, f.order_id, case when p.orphan then null else f.payment_id end as payment_id,
       f.payload, f.state, f.wanted, f.run_at, f.due_at, f.attempts, f.max_attempts, f.last_error, f.created_at,
       f.finished_at, f.account, f.livemode, f.key, f.consumer, f.leased_until, f.result
from clawback.follow_ups f
left join clawback.payments p on p.payment_id = f.payment_id;
comment on column clawback_v1.follow_ups.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.follow_ups.livemode is 'Live mode or test mode. Always say which you mean.';
comment on column clawback_v1.follow_ups.key is 'kind/subject/round as they first were, for ever: an idempotency key for what acts outside.';
comment on column clawback_v1.follow_ups.consumer is 'Who claimed it last; holds it until leased_until.';
comment on column clawback_v1.follow_ups.result is 'What its consumer left when it was completed; at most 16 kB, no personal data.';

-- Claiming ----------------------------------------------------------------------------------------------

drop function clawback_v1.claim_follow_ups(text, text[], integer, interval);

create function clawback.lease_follow_ups(
    for_consumer text, of_kinds text[], at_most integer, for_time interval, of_mode boolean
) returns setof clawback.follow_ups
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- A generic plan does not know the limit and sorts the whole queue: 150 claims a second instead of 2,000.
set plan_cache_mode = force_custom_plan as $$
declare
    wanted_kind text;
begin
    if coalesce(for_consumer, '') = '' or octet_length(for_consumer) > 255 then
        raise exception 'claim_follow_ups: consumer must name the caller in 1 to 255 bytes' using errcode = '22023';
    end if;
    if coalesce(cardinality(of_kinds), 0) = 0 then
        raise exception 'claim_follow_ups: kinds must name at least one kind, such as notify_refund' using errcode = '22023';
    end if;
    foreach wanted_kind in array of_kinds loop
        if wanted_kind is null or starts_with(wanted_kind, 'stripe_') then
            raise exception 'claim_follow_ups: kind % is the service''s own', coalesce(wanted_kind, 'null')
                using errcode = '22023', hint = 'Leave out null and every kind that begins with stripe_.';
        end if;
    end loop;
    if at_most is null or at_most not between 1 and 1000 then
        raise exception 'claim_follow_ups: max_count must be between 1 and 1000' using errcode = '22023';
    end if;
    if for_time is null or for_time not between interval '1 second' and interval '1 hour' then
        raise exception 'claim_follow_ups: lease must be between 1 second and 1 hour' using errcode = '22023';
    end if;

    -- A statement of its own: "ready or expired" in one condition would read the whole table.
    perform clawback.reap_follow_ups();

    return query
    -- Kind by kind and mode by mode, so that each is read from its own part of the index, in order, and no further
    -- than needed.
    with due as (
        select r.id
        from (select distinct k from unnest(of_kinds) as u (k)) kinds
        cross join unnest(case when of_mode is null then array[true, false] else array[of_mode] end) as modes (m)
        cross join lateral (
            select f.id, f.run_at from clawback.follow_ups f
            where f.state = 'ready' and f.kind = kinds.k and f.livemode = modes.m and f.run_at <= clock_timestamp()
            order by f.run_at, f.id
            limit at_most
            for update skip locked
        ) r
        order by r.run_at, r.id
        limit at_most
    ), claimed as (
        update clawback.follow_ups f
        set state = 'leased', attempts = f.attempts + 1, consumer = for_consumer,
            lease_token = gen_random_uuid(), leased_until = clock_timestamp() + for_time
        from due
        where f.id = due.id
        returning f.*
    )
    select c.* from claimed c order by c.run_at, c.id;
end
$$;
revoke all on function clawback.lease_follow_ups(text, text[], integer, interval, boolean) from public;

-- In SQL, since plpgsql allows no argument and result column of one name; so by position.
create function clawback_v1.claim_follow_ups(
    consumer text, kinds text[], max_count integer default 10, lease interval default '60 seconds',
    livemode boolean default null
) returns table (
    id bigint, kind text, subject text, round text, key text, order_id text, payment_id text, account text,
    livemode boolean, payload jsonb, attempt integer, max_attempts integer, due_at timestamptz, lease_token uuid,
    leased_until timestamptz
)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select c.id, c.kind, c.subject, c.round, c.key, c.order_id,
           -- Neither a join nor `exists`, which could read all payments for a few rows.
           case when (select p.orphan from clawback.payments p where p.payment_id = c.payment_id) is not true
               then c.payment_id end,
           c.account, c.livemode, c.payload, c.attempts, c.max_attempts, c.due_at, c.lease_token, c.leased_until
    from clawback.lease_follow_ups($1, $2, $3, $4, $5) c
    order by c.run_at, c.id
$$;
comment on function clawback_v1.claim_follow_ups(text, text[], integer, interval, boolean) is
    'Leases up to max_count (1 to 1000) ready follow-ups of these kinds to consumer for lease (1 second to 1 hour); of live or test mode only with livemode. What others hold is skipped; an expired lease counts as an attempt and is handed out again. Commit, work, then complete or fail each with its lease_token.';

-- Ending a lease ------------------------------------------------------------------------------------------

drop function clawback_v1.complete_follow_up(bigint, uuid);

create function clawback_v1.complete_follow_up(id bigint, lease_token uuid, result jsonb default null) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    held clawback.follow_ups := clawback.follow_up_for_consumer(complete_follow_up.id);
begin
    if octet_length(complete_follow_up.result::text) > 16384 then
        raise exception 'complete_follow_up: result must have at most 16 kB' using errcode = '22023';
    end if;
    if held.lease_token is null or held.lease_token is distinct from complete_follow_up.lease_token then
        return false;
    end if;
    if held.state = 'leased' then
        update clawback.follow_ups f
        set state = 'done', finished_at = clock_timestamp(), leased_until = null, last_error = null,
            result = complete_follow_up.result
        where f.id = held.id;
    end if;
    return held.state in ('leased', 'done');
end
$$;
comment on function clawback_v1.complete_follow_up(bigint, uuid, jsonb) is
    'The work is done; result (at most 16 kB, no personal data) is kept beside it. false: the lease was lost, somebody else has or had it. Twice with one token: true, and the first result stays.';

create function clawback_v1.snooze_follow_up(id bigint, lease_token uuid, until timestamptz) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    held clawback.follow_ups := clawback.follow_up_for_consumer(snooze_follow_up.id);
    moment timestamptz := clock_timestamp();
begin
    if snooze_follow_up.until is null or snooze_follow_up.until > moment + interval '90 days' then
        raise exception 'snooze_follow_up: until must be at most 90 days ahead' using errcode = '22023';
    end if;
    if held.state is distinct from 'leased' or held.lease_token is distinct from snooze_follow_up.lease_token then
        return false;
    end if;
    update clawback.follow_ups f
    set state = case when held.wanted then 'ready' else 'cancelled' end,
        finished_at = case when not held.wanted then moment end,
        attempts = held.attempts - 1,
        -- A deadline that is past already holds nothing up.
        run_at = case when held.wanted then greatest(moment, least(snooze_follow_up.until,
            case when held.due_at > moment then held.due_at end)) else f.run_at end,
        rescheduled = held.wanted,
        leased_until = null,
        lease_token = null
    where f.id = held.id;
    return held.wanted;
end
$$;
comment on function clawback_v1.snooze_follow_up(bigint, uuid, timestamptz) is
    'Given back until then, at most 90 days ahead and never past due_at, without an attempt counted: for work that waits for a person or another system. false: the lease was lost, or the work is wanted no longer.';

create function clawback_v1.give_up_follow_up(id bigint, lease_token uuid, error text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    held clawback.follow_ups := clawback.follow_up_for_consumer(give_up_follow_up.id);
    next_state text := case when held.wanted then 'dead' else 'cancelled' end;
begin
    if held.state is distinct from 'leased' or held.lease_token is distinct from give_up_follow_up.lease_token then
        return null;
    end if;
    update clawback.follow_ups f
    set state = next_state, finished_at = clock_timestamp(), leased_until = null, lease_token = null,
        last_error = left(give_up_follow_up.error, 2000)
    where f.id = held.id;
    return next_state;
end
$$;
comment on function clawback_v1.give_up_follow_up(bigint, uuid, text) is
    'The work cannot succeed, however often it is tried: dead at once, so that a person looks; cancelled if wanted no longer; null: the lease was lost.';

-- For people ----------------------------------------------------------------------------------------------

drop function clawback_v1.requeue_follow_up(bigint);

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
        and (f.state in ('dead', 'ready') or requeue_follow_up.force and f.state in ('done', 'discarded'))
    for update;
    if not found then
        return false;
    end if;
    update clawback.follow_ups f
    set state = 'ready', attempts = 0, run_at = clock_timestamp(), rescheduled = true, finished_at = null,
        lease_token = null
    where f.id = requeue_follow_up.id;
    perform clawback.record_action('requeue', 'follow_up', requeue_follow_up.id::text, requeue_follow_up.reason,
        jsonb_build_object('before', before, 'force', coalesce(requeue_follow_up.force, false)));
    perform pg_notify('clawback_follow_ups', of_kind);
    return true;
end
$$;
comment on function clawback_v1.requeue_follow_up(bigint, text, boolean) is
    'For people: ready again at once, with fresh attempts. What is done or discarded only with force and a reason: whoever works it off acts a second time. false: it does not exist, is leased, wanted no longer, or needs force.';

create or replace function clawback_v1.discard_follow_up(id bigint, reason text) returns boolean
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
    'For people: never to be done, for ever; its last error is kept, and who said so and why is in actions. false: it does not exist, or is done or discarded already.';

revoke all on function
    clawback_v1.claim_follow_ups(text, text[], integer, interval, boolean),
    clawback_v1.complete_follow_up(bigint, uuid, jsonb),
    clawback_v1.snooze_follow_up(bigint, uuid, timestamptz),
    clawback_v1.give_up_follow_up(bigint, uuid, text),
    clawback_v1.requeue_follow_up(bigint, text, boolean)
    from public;

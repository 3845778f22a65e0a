-- Follow-ups: work that the state of a payment asks for and consumers do. This file has the table and what the functions
-- for consumers share; the functions are in 0007.

create table clawback.follow_ups (
    id           bigint      generated always as identity,
    kind         text        not null,
    subject      text        not null,
    round        text        not null,
    key          text        not null,
    order_id     text,
    -- The payment's row, as in `refunds`; null for work that is not about a payment.
    payment_id   text,
    account      text,
    livemode     boolean     not null default false,
    payload      jsonb       not null,
    -- It follows from a refusal of Stripe's and not from the state of a payment.
    from_refusal boolean     not null generated always as (kind in ('resolve_refused_request', 'mend_evidence')) stored,
    state        text        not null default 'ready',
    wanted       boolean     not null default true,
    run_at       timestamptz not null,
    -- A consumer or an operator chose run_at: new facts do not change it.
    rescheduled  boolean     not null default false,
    due_at       timestamptz,
    attempts     integer     not null default 0,
    max_attempts integer     not null default 20,
    consumer     text,
    lease_token  uuid,
    leased_until timestamptz,
    result       jsonb,
    last_error   text,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    constraint follow_ups_pkey primary key (id),
    -- Never deleted, so that nothing is asked for twice.
    constraint follow_ups_once unique (subject, kind, round),
    -- Deferred: a payment that is merged into another takes its follow-ups along.
    constraint follow_ups_payment_fkey foreign key (payment_id)
        references clawback.payments (payment_id) deferrable initially deferred,
    constraint follow_ups_names check (kind <> '' and subject <> ''),
    constraint follow_ups_state check (state in ('ready', 'leased', 'done', 'cancelled', 'dead', 'discarded')),
    constraint follow_ups_finished check ((state in ('done', 'cancelled', 'dead', 'discarded')) = (finished_at is not null)),
    constraint follow_ups_leased check ((state = 'leased') = (leased_until is not null)),
    constraint follow_ups_lease_token check (state <> 'leased' or lease_token is not null),
    constraint follow_ups_cancelled check (state <> 'cancelled' or not wanted),
    constraint follow_ups_attempts check (attempts >= 0 and attempts <= max_attempts),
    constraint follow_ups_result check (octet_length(result::text) <= 16384)
) with (fillfactor = 80);

create index follow_ups_ready on clawback.follow_ups (kind, livemode, run_at, id) where state = 'ready';
create index follow_ups_leased on clawback.follow_ups (leased_until) where state = 'leased';
create index follow_ups_dead on clawback.follow_ups (kind) where state = 'dead';
create index follow_ups_ended on clawback.follow_ups (state, id) where state in ('cancelled', 'discarded');
create index follow_ups_order on clawback.follow_ups (order_id) where order_id is not null;
create index follow_ups_payment on clawback.follow_ups (payment_id);

-- Sets the key once, on insert: when payments merge, the subject may change, but the key does not. The processor, which
-- knows the payment, gives these columns itself.
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
    for each row when (new.key is null) execute function clawback.begin_follow_up();

-- An expired lease counts as an attempt: the row becomes ready, dead, or cancelled if it is no longer wanted.
create function clawback.reap_follow_ups() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
    -- A variable, because a volatile function cannot limit how much of an index is read.
    moment timestamptz := clock_timestamp();
    reaped bigint;
begin
    update clawback.follow_ups f
    set state = case when not f.wanted then 'cancelled' when f.attempts >= f.max_attempts then 'dead' else 'ready' end,
        finished_at = case when not f.wanted or f.attempts >= f.max_attempts then clock_timestamp() end,
        run_at = case when f.wanted and f.attempts < f.max_attempts then clock_timestamp() else f.run_at end,
        leased_until = null,
        lease_token = null,
        last_error = coalesce('lease of consumer ' || f.consumer || ' expired', f.last_error)
    where f.id = any (array(
        select e.id from clawback.follow_ups e
        where e.state = 'leased' and e.leased_until < moment
        order by e.id
        limit 1000
        for update skip locked));
    get diagnostics reaped = row_count;
    return reaped;
end
$$;
revoke all on function clawback.reap_follow_ups() from public;

-- The body of clawback_v1.claim_follow_ups; its errors name that function. The columns are those that consumers see.
create function clawback.lease_follow_ups(
    for_consumer text, of_kinds text[], at_most integer, for_time interval, of_mode boolean
) returns table (
    id bigint, kind text, subject text, round text, key text, order_id text, payment_id text, account text,
    livemode boolean, payload jsonb, attempt integer, max_attempts integer, due_at timestamptz, lease_token uuid,
    leased_until timestamptz
)
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- Planning takes longer than claiming: planned once for each session. That plan does not know the limit and, left a
-- choice, reads and sorts the whole queue.
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
#variable_conflict use_column
declare
    wanted_kind text;
    -- A variable, because a volatile function cannot limit how much of an index is read.
    moment timestamptz := clock_timestamp();
begin
    if coalesce(for_consumer, '') = '' or octet_length(for_consumer) > 255 then
        raise exception 'claim_follow_ups: consumer must name the caller in 1 to 255 bytes' using errcode = '22023';
    end if;
    if coalesce(cardinality(of_kinds), 0) = 0 then
        raise exception 'claim_follow_ups: kinds must name at least one kind, such as notify_refund' using errcode = '22023';
    end if;
    foreach wanted_kind in array of_kinds loop
        if wanted_kind is null then
            raise exception 'claim_follow_ups: kinds must not contain null' using errcode = '22023';
        end if;
    end loop;
    if at_most is null or at_most not between 1 and 1000 then
        raise exception 'claim_follow_ups: max_count must be between 1 and 1000' using errcode = '22023';
    end if;
    if for_time is null or for_time not between interval '1 second' and interval '1 hour' then
        raise exception 'claim_follow_ups: lease must be between 1 second and 1 hour' using errcode = '22023';
    end if;

    -- A separate statement: "ready or expired" in one condition would read the whole table.
    if exists (select from clawback.follow_ups f where f.state = 'leased' and f.leased_until < moment) then
        perform clawback.reap_follow_ups();
        -- What was leased is ready since a moment ago.
        moment := clock_timestamp();
    end if;

    return query
    -- Kind by kind and mode by mode, so that each is read from its own range of the index, in order, and only as far as
    -- needed.
    with due as (
        select r.id
        from (select distinct k from unnest(of_kinds) as u (k)) kinds
        cross join unnest(case when of_mode is null then array[true, false] else array[of_mode] end) as modes (m)
        cross join lateral (
            select f.id, f.run_at from clawback.follow_ups f
            where f.state = 'ready' and f.kind = kinds.k and f.livemode = modes.m and f.run_at <= moment
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
    select c.id, c.kind, c.subject, c.round, c.key, c.order_id,
           -- Not a join or `exists`, which might read all payments for a few rows.
           case when (select p.orphan from clawback.payments p where p.payment_id = c.payment_id) is not true
               then c.payment_id end,
           c.account, c.livemode, c.payload, c.attempts, c.max_attempts, c.due_at, c.lease_token, c.leased_until
    from claimed c
    order by c.run_at, c.id;
end
$$;
revoke all on function clawback.lease_follow_ups(text, text[], integer, interval, boolean) from public;

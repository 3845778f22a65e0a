-- The ledger: every acknowledged event, its exact body, and pending work. Separate tables, because their rows live
-- differently: `events` is small and kept long, bodies are large and may be pruned by age, pending work is inserted by
-- intake and deleted by the processor.

-- `clawback` holds private tables, `clawback_v1` the interface for services: 0006 and later files.
create schema if not exists clawback;
create schema if not exists clawback_v1;
revoke all on schema clawback, clawback_v1 from public;

comment on schema clawback is 'Clawback: private tables. Use clawback_v1 instead.';
comment on schema clawback_v1 is 'Clawback: the interface for services. Views to read, functions to act. Amounts are in minor units.';

create table clawback.events (
    event_id     text        not null,
    -- Order of receipt. Not the order of commit: never use it as a cursor.
    seq          bigint      generated always as identity,
    type         text        not null,
    api_version  text,
    account      text,
    livemode     boolean,
    object_id    text,
    -- No foreign key: the payment may have been merged into another.
    payment_id   text,
    created_at   timestamptz,
    received_at  timestamptz not null default now(),
    state        text        not null default 'pending',
    attempts     integer     not null default 0,
    last_error   text,
    processed_at timestamptz,
    constraint events_pkey primary key (event_id),
    constraint events_event_id_length check (octet_length(event_id) between 1 and 255),
    constraint events_type check (type <> ''),
    constraint events_state check (state in ('pending', 'processed', 'ignored', 'failed')),
    constraint events_processed_at check ((state = 'pending') = (processed_at is null)),
    constraint events_attempts check (attempts >= 0),
    -- An operator must know why.
    constraint events_reason check (state not in ('ignored', 'failed') or last_error is not null)
) with (fillfactor = 40);
-- Nearly every row is updated once, when it is processed, in one transaction with its neighbours. No index contains a
-- column that changes, and pages keep room for a second version of all their rows, which may have an error: so the updates
-- stay on their page and touch no index (HOT).

-- For lists, newest first.
create index events_received on clawback.events (received_at desc);
-- Finds the events of a payment without reading the whole ledger; costs about 5 µs per event at intake.
create index events_object on clawback.events (object_id) where object_id is not null;

create table clawback.event_payloads (
    event_id text not null,
    -- The body exactly as signed: jsonb would refuse \u0000, reorder keys and take twice as long.
    payload  text not null,
    -- No foreign key to events: it would cost a fifth of the statement that stores an event, which inserts both rows.
    constraint event_payloads_pkey primary key (event_id)
);

do $$
begin
    alter table clawback.event_payloads alter column payload set compression lz4;
exception when feature_not_supported then
    raise notice 'this server was built without lz4: bodies are compressed with its default';
end
$$;

-- No foreign key to events, which would cost time for each row: the statement that stores an event inserts its row here.
create table clawback.pending_events (
    -- The event's: so an event is pending once at most.
    seq      bigint      not null,
    event_id text        not null,
    -- When it was queued; a replay queues an old event again.
    since    timestamptz not null default now(),
    -- In the future while a failed attempt backs off.
    run_at   timestamptz not null default now(),
    -- True for a replay of a processed event: it still counts when facts are made from the ledger.
    counted  boolean     not null default false,
    constraint pending_events_pkey primary key (seq)
) with (
    -- A queue: every row is deleted soon, so vacuum runs long before the default of 20 %.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

-- The failed events, in a table of their own: an index on events.state would be touched by every update of an event.
create table clawback.failed_events (
    event_id  text        not null,
    failed_at timestamptz not null default now(),
    constraint failed_events_pkey primary key (event_id),
    constraint failed_events_event_fkey foreign key (event_id) references clawback.events (event_id)
);

-- Who replayed an event, and why.
create table clawback.replays (
    id           bigint      generated always as identity,
    event_id     text        not null,
    requested_by text        not null default session_user,
    -- The person's name, because several people may share a role.
    person       text,
    reason       text        not null,
    requested_at timestamptz not null default now(),
    constraint replays_pkey primary key (id),
    constraint replays_event_fkey foreign key (event_id) references clawback.events (event_id),
    constraint replays_person check (person <> ''),
    constraint replays_reason check (reason <> '')
);
create index replays_event on clawback.replays (event_id);

-- Correctly signed events whose livemode does not match the mode of their signing secret: Stripe sends test events to live
-- Connect endpoints by design. Stored separately, so that the same event is processed when it arrives with a matching
-- secret, and no replay or rebuild reads them.
create table clawback.unvouched_events (
    event_id    text        not null,
    type        text        not null,
    api_version text,
    account     text,
    livemode    boolean     not null,
    object_id   text,
    created_at  timestamptz,
    received_at timestamptz not null default now(),
    payload     text        not null,
    constraint unvouched_events_pkey primary key (event_id),
    constraint unvouched_events_event_id_length check (octet_length(event_id) between 1 and 255)
);
-- As in events: both are listed together.
create index unvouched_events_received on clawback.unvouched_events (received_at desc);
create index unvouched_events_object on clawback.unvouched_events (object_id) where object_id is not null;

-- Stores the new ones of these events, which are sorted by id, with their bodies and a pending row each, and returns
-- their ids. An event whose mode does not match goes to unvouched_events. The arrays are parallel.
--
-- A function, so that the statement is planned once a session: planned each time, it takes a lone event twice as long.
create function clawback.store_events(
    event_ids text[], types text[], api_versions text[], accounts text[], livemodes boolean[], object_ids text[],
    created bigint[], payloads text[], mode_matches boolean[]
) returns setof text
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- Whatever the statistics say, a batch finds a few rows by key.
set plan_cache_mode = force_generic_plan set enable_seqscan = off
-- Read when a wait begins: whoever holds a row or the table, deliveries get their answer in time.
set lock_timeout = '2s' as $$
begin
    -- The commit is on disk before it is acknowledged, whatever the server's setting; a stronger one stays.
    if current_setting('synchronous_commit') = 'off' then
        perform set_config('synchronous_commit', 'on', true);
    end if;
    if false = any (mode_matches) then
        insert into clawback.unvouched_events
            (event_id, type, api_version, account, livemode, object_id, created_at, payload)
        select t.event_id, t.type, t.api_version, t.account, t.livemode, t.object_id, to_timestamp(t.created), t.payload
        from unnest(
            event_ids, types, api_versions, accounts, livemodes, object_ids, created, payloads, mode_matches
        ) as t (event_id, type, api_version, account, livemode, object_id, created, payload, mode_matches)
        where not t.mode_matches
            and not exists (select from clawback.events e where e.event_id = t.event_id offset 0)
            and not exists (select from clawback.unvouched_events u where u.event_id = t.event_id offset 0)
        order by t.event_id
        on conflict on constraint unvouched_events_pkey do nothing;
    end if;
    return query
    with received as materialized (
        select t.*
        from unnest(
            event_ids, types, api_versions, accounts, livemodes, object_ids, created, payloads, mode_matches
        ) as t (event_id, type, api_version, account, livemode, object_id, created, payload, mode_matches)
        -- A plain read skips known ids: `on conflict` would wait for whoever holds the row. `offset 0` keeps the look-up
        -- on the index.
        where t.mode_matches and not exists (select from clawback.events e where e.event_id = t.event_id offset 0)
    ), stored as (
        insert into clawback.events (event_id, type, api_version, account, livemode, object_id, created_at)
        select r.event_id, r.type, r.api_version, r.account, r.livemode, r.object_id, to_timestamp(r.created)
        from received r
        -- Locks rows in this order, whatever the plan.
        order by r.event_id
        on conflict on constraint events_pkey do nothing
        returning events.event_id, events.seq
    ), bodies as (
        insert into clawback.event_payloads (event_id, payload)
        select r.event_id, r.payload from received r
        -- `is true` keeps the planner from making this a join, which would put the bodies into a hash.
        where (r.event_id in (select s.event_id from stored s)) is true
    ), work as (
        insert into clawback.pending_events (seq, event_id) select s.seq, s.event_id from stored s
    )
    select s.event_id from stored s;
end
$$;
revoke all on function clawback.store_events(text[], text[], text[], text[], boolean[], text[], bigint[], text[], boolean[])
    from public;

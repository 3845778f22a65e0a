-- The ledger: every event that was acknowledged, its exact body, and the work it still asks for. Tables apart, since
-- they live differently: `events` is small and kept long, bodies are large and pruned by age, pending work is inserted
-- by intake and deleted by the processor.

-- Private tables, and what services see of them: 0006 and the files after it.
create schema if not exists clawback;
create schema if not exists clawback_v1;
revoke all on schema clawback, clawback_v1 from public;

comment on schema clawback is 'Clawback: private tables. Read and act through clawback_v1.';
comment on schema clawback_v1 is 'Clawback: the interface for services. Views to read, functions to act. Money is in minor units.';

create table clawback.events (
    event_id     text        not null,
    -- The order received. Not the order committed: never page by it.
    seq          bigint      generated always as identity,
    type         text        not null,
    api_version  text,
    account      text,
    livemode     boolean,
    object_id    text,
    -- No foreign key: it may name a payment that has become part of another.
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
    -- What an operator needs to act: why.
    constraint events_reason check (state not in ('ignored', 'failed') or last_error is not null)
) with (fillfactor = 80);
-- Each row is updated once, when it is processed. No index holds a column that changes, and pages
-- keep a fifth free, so that the update stays on its page and touches no index.

-- The last received first.
create index events_received on clawback.events (received_at desc);
-- Finds the events of a payment: about 5 µs an event at intake, against reading the whole ledger.
create index events_object on clawback.events (object_id) where object_id is not null;

create table clawback.event_payloads (
    event_id text not null,
    -- The body exactly as it was signed: jsonb would refuse \u0000, reorder keys and cost twice the time.
    payload  text not null,
    constraint event_payloads_pkey primary key (event_id),
    constraint event_payloads_event_fkey foreign key (event_id) references clawback.events (event_id)
);

do $$
begin
    alter table clawback.event_payloads alter column payload set compression lz4;
exception when feature_not_supported then
    raise notice 'this server was built without lz4: bodies are compressed with its default';
end
$$;

-- No foreign key to events, which each row of a burst would pay for: rows come here by the statement that stores
-- their event.
create table clawback.pending_events (
    seq      bigint      not null,
    event_id text        not null,
    -- When it was queued; a replay queues an old event again.
    since    timestamptz not null default now(),
    -- Later than now while a failed attempt backs off.
    run_at   timestamptz not null default now(),
    -- It was processed before, and counts while it waits to be processed again.
    counted  boolean     not null default false,
    constraint pending_events_pkey primary key (seq),
    constraint pending_events_event_key unique (event_id)
) with (
    -- A queue: as many rows die as are born, so it is swept long before the default twenty per cent.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

-- Events in state failed, apart: an index on events.state would make every update of an event touch it.
create table clawback.failed_events (
    event_id  text        not null,
    failed_at timestamptz not null default now(),
    constraint failed_events_pkey primary key (event_id),
    constraint failed_events_event_fkey foreign key (event_id) references clawback.events (event_id)
);

-- Who asked for an event to be processed again, and why.
create table clawback.replays (
    id           bigint      generated always as identity,
    event_id     text        not null,
    requested_by text        not null default session_user,
    -- Several people share one role, so a person's own name stands beside the role's.
    person       text,
    reason       text        not null,
    requested_at timestamptz not null default now(),
    constraint replays_pkey primary key (id),
    constraint replays_event_fkey foreign key (event_id) references clawback.events (event_id),
    constraint replays_person check (person <> ''),
    constraint replays_reason check (reason <> '')
);
create index replays_event on clawback.replays (event_id);

-- Events that are rightly signed, but of the other mode than their secret vouches for: Stripe sends test events to live
-- Connect endpoints by design. Kept apart, so that they take no id from the same event that comes rightly vouched, and
-- no replay or rebuild reads them.
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
-- As those of events: they are listed together.
create index unvouched_events_received on clawback.unvouched_events (received_at desc);
create index unvouched_events_object on clawback.unvouched_events (object_id) where object_id is not null;

-- The ledger: every event that was acknowledged, its exact body, and the work it still asks for.
-- Three tables, since they live differently: `events` is small and kept long, bodies are large and
-- pruned by age, pending work is inserted by intake and deleted by the processor.

create schema if not exists clawback;
create schema if not exists clawback_v1;

create table clawback.events (
    event_id     text        not null,
    -- The order received. Not the order committed: never page by it.
    seq          bigint      generated always as identity,
    type         text        not null,
    api_version  text,
    account      text,
    livemode     boolean,
    object_id    text,
    created_at   timestamptz,
    received_at  timestamptz not null default now(),
    payment_id   text,
    state        text        not null default 'pending',
    attempts     integer     not null default 0,
    last_error   text,
    processed_at timestamptz,
    constraint events_pkey primary key (event_id),
    constraint events_event_id_length check (octet_length(event_id) between 1 and 255),
    constraint events_state check (state in ('pending', 'processed', 'ignored', 'failed')),
    constraint events_processed_at check ((state = 'pending') = (processed_at is null)),
    constraint events_attempts check (attempts >= 0)
) with (fillfactor = 80);
-- Each row is updated once, when it is processed. No index holds a column that changes, and pages
-- keep a fifth free, so that the update stays on its page and touches no index.

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

create table clawback.pending_events (
    seq      bigint      not null,
    event_id text        not null,
    -- Later than now while a failed attempt backs off.
    run_at   timestamptz not null default now(),
    constraint pending_events_pkey primary key (seq),
    constraint pending_events_event_key unique (event_id)
) with (
    -- A queue: as many rows die as are born, so it is swept long before the default twenty per cent.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

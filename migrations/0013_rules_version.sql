-- Releases change the rules. A payment's facts carry the version of the rules that made them; facts of another
-- version are made again from the ledger before anything is added to them.

alter table clawback.payments add column rules integer not null default 0;

-- Finds the events of a payment: about 5 µs an event at intake, against reading the whole ledger.
create index events_object on clawback.events (object_id) where object_id is not null;

-- Payments that somebody asked to be made again from the ledger. The processor takes a few at a time.
create table clawback.rebuilds (
    payment_id text        not null,
    asked_at   timestamptz not null default now(),
    -- Later than now while one that failed backs off.
    run_at     timestamptz not null default now(),
    last_error text,
    constraint rebuilds_pkey primary key (payment_id)
);

-- Processors at work and the rules that they follow: an older one stands by while a newer one lives.
create table clawback.processors (
    processor_id uuid        not null,
    rules        integer     not null,
    seen_at      timestamptz not null default now(),
    constraint processors_pkey primary key (processor_id)
);

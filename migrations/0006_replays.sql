-- Who asked for an event to be processed again, and why.

create table clawback.replays (
    id           bigint      generated always as identity,
    event_id     text        not null,
    requested_by text        not null default session_user,
    reason       text        not null,
    requested_at timestamptz not null default now(),
    constraint replays_pkey primary key (id),
    constraint replays_event_fkey foreign key (event_id) references clawback.events (event_id),
    constraint replays_reason check (reason <> '')
);
create index replays_event on clawback.replays (event_id);

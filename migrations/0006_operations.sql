-- What operators need: events that failed, replays written down, and indexes for looking.

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
    reason       text        not null,
    requested_at timestamptz not null default now(),
    constraint replays_pkey primary key (id),
    constraint replays_event_fkey foreign key (event_id) references clawback.events (event_id),
    constraint replays_reason check (reason <> '')
);
create index replays_event on clawback.replays (event_id);

-- The last received first.
create index events_received on clawback.events (received_at desc);
create index follow_ups_order on clawback.follow_ups (order_id) where order_id is not null;
create index orders_hold on clawback.orders (order_id) where hold;
create index follow_ups_dead on clawback.follow_ups (kind) where state = 'dead';
create index payments_evidence_due on clawback.payments (evidence_due_by) where evidence_due_by is not null;

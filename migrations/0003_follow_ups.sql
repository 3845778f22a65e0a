-- Follow-ups: what somebody has to do now, wanted by the state of a payment and worked off by consumers.

create table clawback.follow_ups (
    id           bigint      generated always as identity,
    kind         text        not null,
    subject      text        not null,
    round        text        not null,
    order_id     text,
    -- The payment's row, as in `refunds`; none for work that is about no payment.
    payment_id   text,
    payload      jsonb       not null,
    state        text        not null default 'ready',
    wanted       boolean     not null default true,
    run_at       timestamptz not null,
    due_at       timestamptz,
    attempts     integer     not null default 0,
    max_attempts integer     not null default 20,
    last_error   text,
    consumer     text,
    lease_token  uuid,
    leased_until timestamptz,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    constraint follow_ups_pkey primary key (id),
    -- For ever: nothing is ever asked for twice.
    constraint follow_ups_once unique (kind, subject, round),
    constraint follow_ups_state check (state in ('ready', 'leased', 'done', 'cancelled', 'dead', 'discarded')),
    constraint follow_ups_finished check ((state in ('done', 'cancelled', 'dead', 'discarded')) = (finished_at is not null)),
    constraint follow_ups_leased check ((state = 'leased') = (leased_until is not null)),
    constraint follow_ups_lease_token check (state <> 'leased' or lease_token is not null),
    constraint follow_ups_cancelled check (state <> 'cancelled' or not wanted),
    constraint follow_ups_attempts check (attempts >= 0 and attempts <= max_attempts)
) with (fillfactor = 80);

create index follow_ups_ready on clawback.follow_ups (kind, run_at, id) where state = 'ready';
create index follow_ups_leased on clawback.follow_ups (leased_until) where state = 'leased';
create index follow_ups_payment on clawback.follow_ups (payment_id);

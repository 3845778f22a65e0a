-- Calls to Stripe's API. A call is a row that is committed before it is made; the executor leases it, commits, calls, and
-- records the answer.

-- The modes that a running service has an API key for, written at its start.
create table clawback.api_keys (
    livemode boolean     not null,
    since    timestamptz not null default now(),
    constraint api_keys_pkey primary key (livemode)
);

-- One row per account and mode that was ever called: the rate of all replicas together, and why calls pause.
create table clawback.api_accounts (
    account      text        not null,
    livemode     boolean     not null,
    -- When the bucket of tokens is full again: each call moves it by the interval between two calls.
    full_at      timestamptz not null default now(),
    -- Calls that failed in a row.
    failures     integer     not null default 0,
    paused_until timestamptz,
    -- What keeps calls from succeeding, such as a refused key; null while they succeed.
    problem      text,
    -- The start of the last complete listing of missed events: what happened before is in the ledger.
    caught_up_at timestamptz,
    -- Follow-ups of this account whose cause is older are created as discarded: it was imported then. Null: it was not.
    ask_since    timestamptz,
    constraint api_accounts_pkey primary key (account, livemode),
    constraint api_accounts_failures check (failures >= 0)
) with (fillfactor = 50);

create table clawback.api_calls (
    id           bigint      generated always as identity,
    -- refund: create the refund of a request; others read.
    kind         text        not null,
    -- The ID of what it is about: a refund request, a Stripe object.
    subject      text        not null,
    -- Distinguishes several calls of one kind and subject.
    round        text        not null default '',
    account      text        not null,
    livemode     boolean     not null,
    state        text        not null default 'ready',
    attempts     integer     not null default 0,
    run_at       timestamptz not null default now(),
    lease_token  uuid,
    leased_until timestamptz,
    last_error   text,
    -- Stripe's error code and request ID.
    error_code   text,
    request_id   text,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    constraint api_calls_pkey primary key (id),
    -- Nothing is asked of Stripe twice.
    constraint api_calls_once unique (kind, subject, round),
    constraint api_calls_names check (kind <> '' and subject <> ''),
    constraint api_calls_state check (state in ('ready', 'leased', 'done', 'refused', 'cancelled')),
    constraint api_calls_leased check ((state = 'leased') = (leased_until is not null and lease_token is not null)),
    constraint api_calls_finished check ((state in ('done', 'refused', 'cancelled')) = (finished_at is not null)),
    constraint api_calls_attempts check (attempts >= 0)
) with (fillfactor = 80);
create index api_calls_ready on clawback.api_calls (account, livemode, run_at, id) where state = 'ready';
create index api_calls_leased on clawback.api_calls (account, livemode) where state = 'leased';

-- Enqueues a call, once.
create function clawback.enqueue_call(kind text, subject text, round text, account text, livemode boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    -- Only where there is none: "do nothing" waits as well for whoever is changing the row, and may deadlock with it.
    insert into clawback.api_accounts (account, livemode)
    select enqueue_call.account, enqueue_call.livemode
    where not exists (select from clawback.api_accounts a
        where a.account = enqueue_call.account and a.livemode = enqueue_call.livemode)
    on conflict on constraint api_accounts_pkey do nothing;
    insert into clawback.api_calls (kind, subject, round, account, livemode)
    values (enqueue_call.kind, enqueue_call.subject, enqueue_call.round, enqueue_call.account, enqueue_call.livemode)
    on conflict on constraint api_calls_once do nothing;
end
$$;
revoke all on function clawback.enqueue_call(text, text, text, text, boolean) from public;

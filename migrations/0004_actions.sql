-- The audit log, written by the functions in the transaction of the action; and the function that records events of our own.

create table clawback.actions (
    id           bigint      generated always as identity,
    at           timestamptz not null default now(),
    actor        text        not null,
    role         text        not null,
    via          text        not null,
    action       text        not null,
    subject_kind text        not null,
    subject      text        not null,
    reason       text,
    detail       jsonb       not null default '{}',
    constraint actions_pkey primary key (id),
    constraint actions_via check (via in ('console', 'cli', 'sql'))
);
create index actions_subject on clawback.actions (subject, id);

create function clawback.refuse_to_forget() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'clawback.actions is append-only' using errcode = '42501';
end
$$;
revoke all on function clawback.refuse_to_forget() from public;
create trigger actions_append_only before update or delete or truncate on clawback.actions
    for each statement execute function clawback.refuse_to_forget();

-- Who is logged in to the console.
create table clawback.console_sessions (
    -- SHA-256 of the token in the cookie.
    token_hash bytea       not null,
    person     text        not null,
    created_at timestamptz not null default now(),
    -- Accurate to a minute.
    seen_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint console_sessions_pkey primary key (token_hash),
    constraint console_sessions_token_hash check (octet_length(token_hash) = 32),
    constraint console_sessions_person check (char_length(person) between 1 and 255),
    constraint console_sessions_expires check (expires_at > created_at)
);

-- Whether the role that is logged in may name the person who acts: the commands and the console do, for several people.
-- The right to open a session makes a role the console's.
create function clawback.acts_for_people() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return pg_has_role(session_user, current_user, 'member')
        or has_table_privilege(session_user, 'clawback.console_sessions', 'insert');
end
$$;
revoke all on function clawback.acts_for_people() from public;

-- Who acts. For a role that does not act for people, the actor is the role.
create function clawback.acting() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return case when clawback.acts_for_people()
        then left(coalesce(nullif(current_setting('clawback.actor', true), ''), session_user), 255) else session_user end;
end
$$;
revoke all on function clawback.acting() from public;

-- A name that is not accepted is kept in detail.
create function clawback.record_action(action text, subject_kind text, subject text, reason text, detail jsonb)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    claimed text := nullif(current_setting('clawback.actor', true), '');
    claimed_via text := nullif(current_setting('clawback.via', true), '');
    believed boolean := clawback.acts_for_people();
begin
    insert into clawback.actions (actor, role, via, action, subject_kind, subject, reason, detail)
    values (
        clawback.acting(),
        session_user,
        case when believed and claimed_via in ('console', 'cli') then claimed_via else 'sql' end,
        record_action.action, record_action.subject_kind, record_action.subject,
        left(nullif(record_action.reason, ''), 2000),
        coalesce(record_action.detail, '{}') || case when believed then '{}'::jsonb else jsonb_strip_nulls(
            jsonb_build_object('claimed_actor', left(claimed, 255), 'claimed_via', left(claimed_via, 255))) end);
end
$$;
revoke all on function clawback.record_action(text, text, text, text, jsonb) from public;

-- Records an event of our own. What an operator says is an input like Stripe's events, so that everything can be derived
-- from the ledger.
create function clawback.enter_event(type text, object jsonb, account text, livemode boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    event_id text := 'evt_clawback_' || replace(gen_random_uuid()::text, '-', '');
    object_id text := enter_event.object ->> 'id';
    body text := jsonb_build_object(
        'id', event_id, 'object', 'event', 'type', enter_event.type,
        'created', floor(extract(epoch from moment))::bigint,
        'account', nullif(enter_event.account, ''), 'livemode', coalesce(enter_event.livemode, false),
        'data', jsonb_build_object('object', enter_event.object || jsonb_build_object(
            'microsecond', extract(microseconds from moment)::bigint % 1000000)))::text;
    place bigint;
begin
    insert into clawback.events (event_id, type, account, livemode, object_id, created_at)
    values (event_id, enter_event.type, nullif(enter_event.account, ''), enter_event.livemode, object_id, moment)
    returning events.seq into place;
    insert into clawback.event_payloads (event_id, payload) values (event_id, body);
    insert into clawback.pending_events (seq, event_id) values (place, event_id);
end
$$;
revoke all on function clawback.enter_event(text, jsonb, text, boolean) from public;

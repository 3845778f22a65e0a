-- The console: its sessions, and whose word is taken for who acts.

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

create or replace function clawback.acting() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return case when clawback.acts_for_people()
        then left(coalesce(nullif(current_setting('clawback.actor', true), ''), session_user), 255) else session_user end;
end
$$;

-- A name that is not accepted is kept in detail.
create or replace function clawback.record_action(
    action text, subject_kind text, subject text, reason text, detail jsonb) returns void
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

-- Stages the Visa Compelling Evidence 3.0 of a draft at Stripe, and nothing else of it: Stripe says whether it qualifies.
create function clawback.stage_compelling_evidence(dispute_id text, phase text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform clawback.enqueue_response(r, 'stage', 'ce3/' || r.version)
    from clawback.dispute_responses r
    where r.dispute_id = stage_compelling_evidence.dispute_id and r.phase = stage_compelling_evidence.phase
        and clawback.has_key(r.livemode);
end
$$;
revoke all on function clawback.stage_compelling_evidence(text, text) from public;

comment on column clawback_v1.actions.actor is 'The person, as named by the owner''s or the console''s role; else the database role.';
comment on column clawback_v1.actions.via is 'console, cli or sql.';
comment on column clawback_v1.actions.action is 'replay, requeue, discard, link, dismiss, request_refund, cancel_refund_request, stage_evidence, attach_evidence_file, detach_evidence_file, submit_evidence, accept_dispute; log_in, log_out, log_in_refused in the console; announce_acceptance, staging_refused, response_refused, response_submitted, response_submitted_elsewhere, response_accepted by the service itself. Others may be added.';
comment on column clawback_v1.actions.subject_kind is 'event, follow_up, payment, fraud_warning, dispute, session or database.';
comment on column clawback_v1.actions.subject is 'ID of what was acted on; of a session, the person.';

-- For lists in their order, with the id that tells equals apart. `create index` without `concurrently`: nothing is released.
drop index clawback.events_received;
create index events_received on clawback.events (received_at desc, event_id desc);
create index disputes_listed on clawback.disputes ((outcome is not null), coalesce(evidence_due_by, 'infinity'), dispute_id);
create index orders_changed on clawback.orders (updated_at desc, order_id desc);
create index orders_prefix on clawback.orders (order_id text_pattern_ops);
create index refunds_created on clawback.refunds (created_at desc, refund_id desc);
create index refund_requests_created on clawback.refund_requests (created_at desc, id desc);
create index follow_ups_subject on clawback.follow_ups (subject, id);
create index actions_actor on clawback.actions (actor, id);
create index actions_action on clawback.actions (action, id);
create index people_email on clawback.people (lower(email)) where email is not null;

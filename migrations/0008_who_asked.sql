-- Who asked: several people share one role, so a person's own name stands beside the role's.

alter table clawback.replays
    add column person text,
    add constraint replays_person check (person <> '');

-- Who asked for a follow-up to be done again.
create table clawback.requeues (
    id           bigint      generated always as identity,
    follow_up_id bigint      not null,
    requested_by text        not null default session_user,
    -- The commands say who runs them by this setting; nobody else has to.
    person       text        default nullif(current_setting('clawback.person', true), ''),
    requested_at timestamptz not null default now(),
    constraint requeues_pkey primary key (id),
    -- Of two payments that become one, one of two equal follow-ups goes, with what was asked of it.
    constraint requeues_follow_up_fkey foreign key (follow_up_id) references clawback.follow_ups (id)
        on delete cascade
);
create index requeues_follow_up on clawback.requeues (follow_up_id);

-- As it was, and written down.
create or replace function clawback_v1.requeue_follow_up(id bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update clawback.follow_ups f
    set state = 'ready', attempts = 0, run_at = clock_timestamp(), finished_at = null, lease_token = null
    where f.id = requeue_follow_up.id and f.wanted and f.state in ('dead', 'done', 'ready');
    if not found then
        return false;
    end if;
    insert into clawback.requeues (follow_up_id) values (requeue_follow_up.id);
    perform pg_notify('clawback_follow_ups', '');
    return true;
end
$$;

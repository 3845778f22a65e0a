-- Notices: short messages that the service posts to a webhook of the merchant's by itself, so that reminders reach people
-- without a consumer. They claim no follow-up. At least once: a notice that was posted and not recorded is posted again.

-- When notices were first configured: follow-ups created before are not reported.
alter table clawback.settings add notices_since timestamptz;

create table clawback.notices (
    -- follow_up/ID or digest/DATE
    key          text        not null,
    -- Null for a digest.
    follow_up_id bigint,
    -- dropped: it was wanted no longer, or there was nothing to say. failed: not posted within a day.
    state        text        not null default 'waiting',
    attempts     integer     not null default 0,
    run_at       timestamptz not null default now(),
    -- Until then, the replica that posts it has it to itself.
    held_until   timestamptz,
    last_error   text,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    constraint notices_pkey primary key (key),
    constraint notices_follow_up unique (follow_up_id),
    constraint notices_state check (state in ('waiting', 'sent', 'dropped', 'failed')),
    constraint notices_finished check ((state = 'waiting') = (finished_at is null)),
    constraint notices_attempts check (attempts >= 0)
) with (fillfactor = 80);
create index notices_waiting on clawback.notices (run_at) where state = 'waiting';
create index notices_failed on clawback.notices (finished_at) where state = 'failed';

-- Few rows: a follow-up of these kinds is wanted until its dispute or refund is settled.
create index follow_ups_to_report on clawback.follow_ups (run_at)
    where wanted and kind in ('warn_evidence_due', 'mend_evidence', 'resolve_failed_refund', 'resolve_refused_request');

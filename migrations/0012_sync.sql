-- Catching up with Stripe: what webhooks did not bring is listed and read.

-- One row per kind of pass, account and mode. Its holder works on it; whoever dies leaves a row that is free again when
-- held_until has passed, and the next holder goes on where the pass was.
create table clawback.syncs (
    -- missed: what happened since the last pass. import: what there was before the first webhook.
    kind       text        not null,
    account    text        not null,
    livemode   boolean     not null,
    -- When the pass under way began, and what it reads: objects created since reads_from. Null: none is under way.
    started_at timestamptz,
    reads_from timestamptz,
    -- The list it is at, and how far that list is read: a unix second, since lists go from the newest to the oldest
    -- object, or an ID. Null: from its beginning.
    part       integer     not null default 0,
    position   text,
    -- Of this pass, or of the last one.
    listed     bigint      not null default 0,
    added      bigint      not null default 0,
    held_by    uuid,
    held_until timestamptz,
    -- When the next pass is due, or the next attempt.
    run_at     timestamptz not null default now(),
    failures   integer     not null default 0,
    last_error text,
    -- The key has no access to the account any more: it is tried once a day, and raises no alarm.
    disconnected boolean   not null default false,
    constraint syncs_pkey primary key (kind, account, livemode),
    constraint syncs_kind check (kind in ('missed', 'import')),
    constraint syncs_under_way check ((started_at is null) = (reads_from is null)),
    constraint syncs_held check ((held_by is null) = (held_until is null))
) with (fillfactor = 50);

-- When open disputes and live refunds were last read.
create table clawback.object_reads (
    object_id text        not null,
    read_at   timestamptz not null default now(),
    constraint object_reads_pkey primary key (object_id)
) with (fillfactor = 80);
create index object_reads_read on clawback.object_reads (read_at);

-- Finds the accounts without reading all payments, and what is open without reading all that is closed.
create index payments_account on clawback.payments (livemode, account);
create index disputes_open on clawback.disputes (dispute_id) where outcome is null;
create index refunds_live on clawback.refunds (refund_id) where status in ('pending', 'requires_action');

-- What the service remembers across starts, releases and the removal of bodies.

-- One row, created by the first start of the service.
create table clawback.settings (
    is_only          boolean     not null default true,
    -- Follow-ups whose cause is older are created as discarded; null: none are.
    ask_since        timestamptz,
    -- The metadata key of the order reference; null before the first start.
    order_key        text,
    -- What a refund does with the transfer and the application fee of its charge; null: it is refused.
    refund_transfers text,
    refund_fees      text,
    -- What is sold, where nobody says otherwise: physical, digital or service.
    product_kind     text,
    -- The database was restored then: nothing is sent for an account until its missed events were listed since.
    restored_at      timestamptz,
    constraint settings_pkey primary key (is_only),
    constraint settings_only check (is_only),
    constraint settings_refund_transfers check (refund_transfers in ('reverse', 'keep')),
    constraint settings_refund_fees check (refund_fees in ('refund', 'keep')),
    constraint settings_product_kind check (product_kind in ('physical', 'digital', 'service'))
);

-- The running processors and the version of their rules: older ones pause while a newer one runs.
create table clawback.processors (
    processor_id uuid        not null,
    rules        integer     not null,
    seen_at      timestamptz not null default now(),
    constraint processors_pkey primary key (processor_id)
);

-- Payments to be derived again from the ledger. The processor takes a few at a time.
create table clawback.rebuilds (
    payment_id text        not null,
    asked_at   timestamptz not null default now(),
    -- Follow-ups whose cause is older are created as discarded; null: none are.
    ask_since  timestamptz,
    -- In the future while a failed attempt backs off.
    run_at     timestamptz not null default now(),
    last_error text,
    constraint rebuilds_pkey primary key (payment_id)
);

-- Marks payments whose bodies are deleted, in the same transaction, whoever deletes them.
create function clawback.bodies_removed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    own text;
begin
    select e.event_id into own
    from removed r
    join clawback.events e on e.event_id = r.event_id
    where starts_with(e.type, 'clawback.')
    limit 1;
    if found then
        raise exception 'the body of % stays: nobody can send an event of our own again', own using errcode = '23001';
    end if;
    update clawback.payments p
    set pruned = true
    from removed r
    join clawback.events e on e.event_id = r.event_id
    -- The payment of the event may have been merged: its ID is an object of the successor.
    cross join lateral unnest(array[e.object_id, e.payment_id]) as named (id)
    join clawback.payment_objects o on o.object_id = named.id
    where p.payment_id = o.payment_id and not p.pruned;
    return null;
end
$$;
revoke all on function clawback.bodies_removed() from public;

-- The default of 20 % would let a large table of bodies grow by a fifth before the space of removed ones is reused.
alter table clawback.event_payloads set (autovacuum_vacuum_scale_factor = 0.05);

create trigger event_payloads_removed after delete on clawback.event_payloads
    referencing old table as removed for each statement execute function clawback.bodies_removed();

-- Retention: what is removed once it is old enough, and how far that got. Each row is held by one process at a time; whoever
-- dies leaves a row that is free again when held_until has passed, and the next holder goes on where the pass was.
create table clawback.retention (
    -- bodies: of processed and ignored events. wrong_mode: unvouched_events. evidence: the bytes of sent files.
    -- follow_ups: the content of ended ones. calls: finished reads of Stripe.
    part        text        not null,
    -- The last row that was looked at, by time and ID or by ID alone. The next pass goes on from there.
    after_at    timestamptz not null default 'epoch',
    after_id    text        not null default '',
    -- When a pass last began with the oldest row, to find what was passed over before and can be removed now.
    begun_at    timestamptz,
    held_by     uuid,
    held_until  timestamptz,
    -- When the next pass is due; infinity: retention is off.
    run_at      timestamptz not null default now(),
    finished_at timestamptz,
    constraint retention_pkey primary key (part),
    constraint retention_part check (part in ('bodies', 'wrong_mode', 'follow_ups', 'calls', 'evidence')),
    constraint retention_held check ((held_by is null) = (held_until is null))
) with (fillfactor = 50);
insert into clawback.retention (part) values ('bodies'), ('wrong_mode'), ('follow_ups'), ('calls'), ('evidence');

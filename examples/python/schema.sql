-- The service's own table, in the database of Clawback: that is what lets one transaction span both.
create schema if not exists bookkeeping;

create table if not exists bookkeeping.entries (
    key        text        primary key,
    order_id   text,
    dispute_id text        not null,
    livemode   boolean     not null,
    account    text        not null check (account in ('dispute_losses', 'dispute_recoveries')),
    amount     bigint      not null check (amount >= 0),
    currency   text        not null,
    booked_at  timestamptz not null default now()
);

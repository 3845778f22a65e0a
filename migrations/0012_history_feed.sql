-- The history as a complete feed: a row whenever the state, the hold, the deadline or any amount changes, with
-- all of them as they are afterwards. A mirror kept from it alone is never wrong.

alter table clawback.order_history
    add column amount_paid bigint,
    add column amount_refunded bigint not null default 0,
    add column amount_disputed bigint not null default 0,
    add column amount_lost bigint not null default 0,
    add column hold boolean not null default false,
    add column open_disputes integer not null default 0,
    add column evidence_due_by timestamptz,
    alter column to_state drop not null,
    -- A row of a rebuild has no event.
    alter column event_id drop not null,
    drop constraint order_history_changes,
    add constraint order_history_ends check (from_state is not null or to_state is not null),
    add constraint order_history_amounts check (amount_paid >= 0 and amount_refunded >= 0 and amount_disputed >= 0
        and amount_lost >= 0 and open_disputes >= 0);

create or replace view clawback_v1.order_history as
select h.id, h.order_id, h.payment_id, h.from_state, h.to_state, h.event_id, h.event_type, h.event_created_at,
       h.recorded_at, nullif(h.account, '') as account, h.livemode, nullif(h.currency, '') as currency,
       h.amount_paid, h.amount_refunded, h.amount_disputed, h.amount_lost, h.hold, h.open_disputes, h.evidence_due_by
from clawback.order_history h;
comment on view clawback_v1.order_history is
    'Append-only feed: a row whenever the state, hold, deadline or any amount of an order changes (of a payment while it is unlinked), with all of them as they are after it. One entry per order_id, account, livemode and currency, or per payment_id while unlinked. Ids are given in commit order: keep the last one you read and ask for `where id > $last order by id`.';
comment on column clawback_v1.order_history.from_state is 'Null: the entry begins. Equal to to_state: only amounts, hold or deadline changed.';
comment on column clawback_v1.order_history.to_state is 'Null: the entry is no more (linked, merged or moved), and its amounts are 0. This row comes before the one that takes it over.';

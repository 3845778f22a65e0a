-- What outlives a release and a start: since when the service asks, and by which key it finds orders.

-- One row, made by the first start of the service.
create table clawback.settings (
    is_only   boolean     not null default true,
    -- What is newly wanted for a cause before it is history; null: nothing is.
    ask_since timestamptz,
    -- The metadata key of the merchant's order reference; null until a service started.
    order_key text,
    constraint settings_pkey primary key (is_only),
    constraint settings_only check (is_only)
);

-- The same, for what making this payment again newly wants.
alter table clawback.rebuilds add column ask_since timestamptz;

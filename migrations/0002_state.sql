-- What the events add up to. `payments.facts` is the truth derived from the ledger: the best snapshot
-- of each Stripe object of one payment, in our own words. Everything else here is derived from it by
-- the pure core, and can be derived again and compared.
--
-- An empty string stands for "none" where a column is part of a key: the platform's own account, a
-- currency not known yet. The public views show null.

create table clawback.payments (
    payment_id      text        not null,
    facts           jsonb       not null,
    -- True for objects that name neither charge nor intent: kept, but no payment of anybody's.
    orphan          boolean     not null,
    order_id        text,
    account         text        not null,
    livemode        boolean     not null,
    currency        text        not null,
    charge_id       text,
    amount          bigint,
    amount_paid     bigint,
    amount_refunded bigint      not null,
    amount_disputed bigint      not null,
    amount_lost     bigint      not null,
    state           text        not null,
    hold            boolean     not null,
    open_disputes   integer     not null,
    evidence_due_by timestamptz,
    updated_at      timestamptz not null default now(),
    constraint payments_pkey primary key (payment_id),
    constraint payments_state check (state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back',
        'refunded', 'partially_refunded', 'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown')),
    constraint payments_amounts check (amount >= 0 and amount_paid >= 0 and amount_refunded >= 0
        and amount_disputed >= 0 and amount_lost >= 0 and open_disputes >= 0)
);
create index payments_order on clawback.payments (order_id) where order_id is not null;

-- Which payment an object of Stripe's belongs to now: charges, intents, refunds, disputes, sessions.
create table clawback.payment_objects (
    object_id  text not null,
    payment_id text not null,
    constraint payment_objects_pkey primary key (object_id),
    constraint payment_objects_payment_fkey foreign key (payment_id) references clawback.payments (payment_id)
);
create index payment_objects_payment on clawback.payment_objects (payment_id);

create table clawback.orders (
    order_id        text        not null,
    account         text        not null,
    livemode        boolean     not null,
    currency        text        not null,
    state           text        not null,
    amount_paid     bigint,
    amount_refunded bigint      not null,
    amount_disputed bigint      not null,
    amount_lost     bigint      not null,
    hold            boolean     not null,
    open_disputes   integer     not null,
    evidence_due_by timestamptz,
    updated_at      timestamptz not null default now(),
    constraint orders_pkey primary key (order_id, account, livemode, currency),
    constraint orders_state check (state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back',
        'refunded', 'partially_refunded', 'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown')),
    constraint orders_amounts check (amount_paid >= 0 and amount_refunded >= 0
        and amount_disputed >= 0 and amount_lost >= 0 and open_disputes >= 0)
);
create index orders_evidence_due on clawback.orders (evidence_due_by) where evidence_due_by is not null;

create table clawback.refunds (
    refund_id      text        not null,
    -- The payment's row; a refund that names neither charge nor intent has one of its own.
    payment_id     text        not null,
    charge_id      text,
    amount         bigint      not null,
    currency       text        not null,
    status         text        not null,
    reason         text,
    failure_reason text,
    request_key    text,
    created_at     timestamptz not null,
    updated_at     timestamptz not null default now(),
    constraint refunds_pkey primary key (refund_id),
    constraint refunds_payment_fkey foreign key (payment_id) references clawback.payments (payment_id),
    constraint refunds_amount check (amount >= 0)
);
create index refunds_payment on clawback.refunds (payment_id);

create table clawback.disputes (
    dispute_id           text        not null,
    payment_id           text        not null,
    charge_id            text,
    amount               bigint      not null,
    currency             text        not null,
    reason               text,
    network_reason_code  text,
    status               text        not null,
    phase                text        not null,
    outcome              text,
    evidence_due_by      timestamptz,
    has_evidence         boolean     not null,
    past_due             boolean     not null,
    submission_count     bigint      not null,
    is_charge_refundable boolean,
    amount_withdrawn     bigint      not null,
    amount_reinstated    bigint      not null,
    fee                  bigint      not null,
    settlement_currency  text,
    created_at           timestamptz not null,
    updated_at           timestamptz not null default now(),
    constraint disputes_pkey primary key (dispute_id),
    constraint disputes_payment_fkey foreign key (payment_id) references clawback.payments (payment_id),
    constraint disputes_phase check (phase in ('inquiry', 'chargeback', 'compliance', 'prevention')),
    constraint disputes_outcome check (outcome in ('won', 'lost', 'warning_closed', 'prevented')),
    constraint disputes_amounts check (amount >= 0 and amount_withdrawn >= 0 and amount_reinstated >= 0
        and submission_count >= 0)
);
create index disputes_payment on clawback.disputes (payment_id);

-- Append-only. Only the processor writes it, one batch at a time, and its sequence caches nothing, so
-- ids are given in commit order: `where id > $last` never skips a row.
create table clawback.order_history (
    id               bigint      generated always as identity (cache 1),
    order_id         text,
    payment_id       text        not null,
    from_state       text,
    to_state         text        not null,
    event_id         text        not null,
    event_type       text        not null,
    event_created_at timestamptz,
    recorded_at      timestamptz not null default now(),
    account          text        not null,
    livemode         boolean     not null,
    currency         text        not null,
    constraint order_history_pkey primary key (id),
    constraint order_history_changes check (from_state is distinct from to_state)
);
create index order_history_order on clawback.order_history (order_id, id);
create index order_history_payment on clawback.order_history (payment_id, id);

-- The state derived from the events. `payments.facts` holds the latest snapshot of each Stripe object of one payment, in
-- our own format. Everything else here is derived from it by the pure core, and can be derived again and compared.
--
-- An empty string means "none" in columns that are part of a key: the platform account, an unknown currency. The public
-- views show null.
--
-- Constraints state the core's invariants about its rows, so a bug or a manual update that violates one is refused by
-- name. No CHECK can say that refunded is at most paid: a refund may be seen before its charge
-- (`clawback doctor` lists such payments). Where a state is checked against money, amounts are added as numeric: the
-- sum of two bigints may overflow. While a dispute is open, hold is true; only then can money be disputed and evidence awaited.

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
    constraint orders_currency check (currency ~ '^([a-z]{3})?$'),
    constraint orders_state check (state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back',
        'refunded', 'partially_refunded', 'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown')),
    constraint orders_amounts check (amount_paid >= 0 and amount_refunded >= 0
        and amount_disputed >= 0 and amount_lost >= 0 and open_disputes >= 0),
    constraint orders_state_money check (case state
        when 'disputed' then open_disputes > 0
        when 'inquiry' then open_disputes > 0
        when 'charged_back' then amount_lost > 0 and amount_paid > 0
            and amount_lost::numeric + amount_refunded >= amount_paid
        when 'partially_charged_back' then amount_lost > 0
        when 'refunded' then amount_lost = 0 and amount_refunded >= amount_paid and amount_paid > 0
        when 'partially_refunded' then amount_lost = 0 and amount_refunded > 0
        when 'paid' then amount_lost = 0 and amount_refunded = 0 and amount_paid > 0
        when 'unknown' then amount_lost = 0 and amount_refunded = 0 and amount_paid is null
        else amount_lost = 0 and amount_refunded = 0 and amount_paid = 0
    end is true),
    constraint orders_open_disputes check (
        case when open_disputes > 0 then hold else amount_disputed = 0 and evidence_due_by is null end)
);
create index orders_evidence_due on clawback.orders (evidence_due_by) where evidence_due_by is not null;
create index orders_hold on clawback.orders (order_id) where hold;

create table clawback.payments (
    payment_id          text        not null,
    -- True for an object that references no charge or payment intent: kept, but not a payment.
    orphan              boolean     not null,
    order_id            text,
    charge_id           text,
    account             text        not null,
    livemode            boolean     not null,
    payment_method      text,
    failure_code        text,
    cancellation_reason text,
    currency            text        not null,
    amount              bigint,
    amount_paid         bigint,
    amount_refunded     bigint      not null,
    amount_disputed     bigint      not null,
    amount_lost         bigint      not null,
    state               text        not null,
    hold                boolean     not null,
    open_disputes       integer     not null,
    evidence_due_by     timestamptz,
    -- The captured money by charge, written by the core: what can be refunded.
    captures            jsonb       not null default '[]',
    -- Counts refund requests: each updates the row, so that two cannot both have the last of the money.
    refund_requests     integer     not null default 0,
    -- JSON that only the core reads and writes: as text, the server neither parses nor prints it.
    facts               text        not null,
    -- The version of the rules that derived the facts. Facts of another version are derived again from the ledger before
    -- anything is merged into them.
    rules               integer     not null default 0,
    -- The body of one of its events was pruned, so a mistake in reading it can no longer be corrected.
    pruned              boolean     not null default false,
    updated_at          timestamptz not null default now(),
    constraint payments_pkey primary key (payment_id),
    -- A linked payment has a row in orders. Deferred: releases differ in the order in which they write.
    constraint payments_order_fkey foreign key (order_id, account, livemode, currency)
        references clawback.orders (order_id, account, livemode, currency) deferrable initially deferred,
    -- An object that references no payment belongs to no order.
    constraint payments_orphan check (not orphan or order_id is null),
    constraint payments_currency check (currency ~ '^([a-z]{3})?$'),
    constraint payments_state check (state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back',
        'refunded', 'partially_refunded', 'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown')),
    constraint payments_amounts check (amount >= 0 and amount_paid >= 0 and amount_refunded >= 0
        and amount_disputed >= 0 and amount_lost >= 0 and open_disputes >= 0),
    constraint payments_state_money check (case state
        when 'disputed' then open_disputes > 0
        when 'inquiry' then open_disputes > 0
        when 'charged_back' then amount_lost > 0 and amount_paid > 0
            and amount_lost::numeric + amount_refunded >= amount_paid
        when 'partially_charged_back' then amount_lost > 0
        when 'refunded' then amount_lost = 0 and amount_refunded >= amount_paid and amount_paid > 0
        when 'partially_refunded' then amount_lost = 0 and amount_refunded > 0
        when 'paid' then amount_lost = 0 and amount_refunded = 0 and amount_paid > 0
        when 'unknown' then amount_lost = 0 and amount_refunded = 0 and amount_paid is null
        else amount_lost = 0 and amount_refunded = 0 and amount_paid = 0
    end is true),
    constraint payments_open_disputes check (
        case when open_disputes > 0 then hold else amount_disputed = 0 and evidence_due_by is null end)
);

do $$
begin
    alter table clawback.payments alter column facts set compression lz4;
exception when feature_not_supported then
    raise notice 'this server was built without lz4: facts are compressed with its default';
end
$$;

create index payments_order on clawback.payments (order_id) where order_id is not null;
create index payments_unlinked on clawback.payments (payment_id)
    where order_id is null and not orphan and amount_paid is distinct from 0;
-- For lists, last changed first: all payments, and unlinked ones.
create index payments_changed on clawback.payments (updated_at desc, payment_id) where not orphan;
create index payments_unlinked_changed on clawback.payments (updated_at desc, payment_id)
    where order_id is null and not orphan;
create index payments_evidence_due on clawback.payments (evidence_due_by) where evidence_due_by is not null;

-- The payment that each Stripe object belongs to now: charges, PaymentIntents, refunds, disputes, sessions.
create table clawback.payment_objects (
    object_id  text not null,
    payment_id text not null,
    -- Stripe's type of object. Objects that were only referenced, not seen, are here too.
    kind       text,
    constraint payment_objects_pkey primary key (object_id),
    constraint payment_objects_payment_fkey foreign key (payment_id) references clawback.payments (payment_id)
);
create index payment_objects_payment on clawback.payment_objects (payment_id);

create table clawback.refunds (
    refund_id        text        not null,
    -- The payment's row; a refund that references neither charge nor PaymentIntent has one of its own.
    payment_id       text        not null,
    charge_id        text,
    amount           bigint      not null,
    currency         text        not null,
    status           text        not null,
    reason           text,
    failure_reason   text,
    pending_reason   text,
    is_release       boolean     not null default false,
    destination_type text,
    reference        text,
    reference_status text,
    metadata         jsonb,
    created_at       timestamptz not null,
    updated_at       timestamptz not null default now(),
    constraint refunds_pkey primary key (refund_id),
    constraint refunds_payment_fkey foreign key (payment_id) references clawback.payments (payment_id),
    constraint refunds_amount check (amount >= 0),
    constraint refunds_currency check (currency ~ '^[a-z]{3}$')
);
create index refunds_payment on clawback.refunds (payment_id);

create table clawback.disputes (
    dispute_id                 text        not null,
    payment_id                 text        not null,
    charge_id                  text,
    payment_method             text,
    amount                     bigint      not null,
    amount_lost                bigint      not null default 0,
    currency                   text        not null,
    reason                     text,
    network_reason_code        text,
    status                     text        not null,
    phase                      text        not null,
    outcome                    text,
    can_respond                boolean     not null default false,
    evidence_due_by            timestamptz,
    has_evidence               boolean     not null,
    past_due                   boolean     not null,
    submission_count           bigint      not null,
    intended_submission_method text,
    submission_method          text,
    enhanced_eligibility       jsonb,
    is_charge_refundable       boolean,
    amount_withdrawn           bigint      not null,
    amount_reinstated          bigint      not null,
    fee                        bigint      not null,
    settlement_currency        text,
    created_at                 timestamptz not null,
    updated_at                 timestamptz not null default now(),
    constraint disputes_pkey primary key (dispute_id),
    constraint disputes_payment_fkey foreign key (payment_id) references clawback.payments (payment_id),
    constraint disputes_currency check (currency ~ '^[a-z]{3}$'),
    constraint disputes_phase check (phase in ('inquiry', 'chargeback', 'appeal', 'compliance', 'prevention')),
    constraint disputes_outcome check (outcome in ('won', 'lost', 'warning_closed', 'prevented')),
    constraint disputes_outcome_phase check (
        (outcome = 'warning_closed' and phase = 'inquiry' or outcome is distinct from 'warning_closed')
        and (outcome = 'prevented' and phase = 'prevention' or outcome is distinct from 'prevented')),
    constraint disputes_amounts check (amount >= 0 and amount_withdrawn >= 0 and amount_reinstated >= 0
        and submission_count >= 0),
    constraint disputes_amount_lost check (amount_lost between 0 and amount),
    constraint disputes_settlement check (
        case when settlement_currency is null then amount_withdrawn = 0 and amount_reinstated = 0 and fee = 0
        else settlement_currency ~ '^[a-z]{3}$' end)
);
create index disputes_payment on clawback.disputes (payment_id);
-- For what awaits a response, which is looked at every few seconds.
create index disputes_awaiting on clawback.disputes (evidence_due_by) where can_respond;

-- Early fraud warnings.
create table clawback.fraud_warnings (
    warning_id text        not null,
    payment_id text        not null,
    charge_id  text,
    fraud_type text,
    actionable boolean     not null,
    created_at timestamptz not null,
    updated_at timestamptz not null default now(),
    constraint fraud_warnings_pkey primary key (warning_id),
    constraint fraud_warnings_payment_fkey foreign key (payment_id) references clawback.payments (payment_id)
);
create index fraud_warnings_payment on clawback.fraud_warnings (payment_id);

create table clawback.reviews (
    review_id     text        not null,
    payment_id    text        not null,
    charge_id     text,
    open          boolean     not null,
    opened_reason text,
    closed_reason text,
    created_at    timestamptz not null,
    updated_at    timestamptz not null default now(),
    constraint reviews_pkey primary key (review_id),
    constraint reviews_payment_fkey foreign key (payment_id) references clawback.payments (payment_id)
);
create index reviews_payment on clawback.reviews (payment_id);

-- Who paid. Separate from everything else, because it is personal data. Keyed by object, not by payment, so that no row
-- changes when payments merge: payment_objects says where an object belongs.
create table clawback.people (
    object_id   text   not null,
    seen_at     bigint not null,
    event_id    text   not null,
    customer_id text,
    email       text,
    name        text,
    constraint people_pkey primary key (object_id)
);

-- A complete change feed: a row whenever the state, the hold, the deadline or any amount changes, with all values after
-- the change. A consumer can keep an exact copy of the orders from it alone.
--
-- Append-only. Only the processor writes it, one batch at a time, and its sequence caches nothing, so IDs are assigned in
-- commit order: `where id > $last` never skips a row.
--
-- No foreign key to events, so that events can be deleted.
create table clawback.order_history (
    id               bigint      generated always as identity (cache 1),
    order_id         text,
    payment_id       text        not null,
    account          text        not null,
    livemode         boolean     not null,
    currency         text        not null,
    from_state       text,
    to_state         text,
    amount_paid      bigint,
    amount_refunded  bigint      not null default 0,
    amount_disputed  bigint      not null default 0,
    amount_lost      bigint      not null default 0,
    hold             boolean     not null default false,
    open_disputes    integer     not null default 0,
    evidence_due_by  timestamptz,
    -- Null for a rebuild.
    event_id         text,
    event_type       text        not null,
    event_created_at timestamptz,
    recorded_at      timestamptz not null default now(),
    constraint order_history_pkey primary key (id),
    constraint order_history_currency check (currency ~ '^([a-z]{3})?$'),
    constraint order_history_ends check (from_state is not null or to_state is not null),
    constraint order_history_states check (
        to_state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back', 'refunded', 'partially_refunded',
            'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown')
        and from_state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back', 'refunded',
            'partially_refunded', 'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown')),
    constraint order_history_amounts check (amount_paid >= 0 and amount_refunded >= 0 and amount_disputed >= 0
        and amount_lost >= 0 and open_disputes >= 0)
);
create index order_history_order on clawback.order_history (order_id, id);
create index order_history_payment on clawback.order_history (payment_id, id);

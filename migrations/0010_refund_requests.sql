-- Refunds that services and people request. A request reserves its amount in the transaction that records it; the executor
-- creates the refund at Stripe (kind refund in api_calls), and the refund's own events decide its state.

create table clawback.refund_requests (
    -- The idempotency key at Stripe, derived from account, mode, payment and request key: the same after a restore.
    id                     uuid        not null,
    request_key            text        not null,
    -- As it was requested: null where a payment was named.
    order_id               text,
    payment_id             text        not null,
    -- The charge to refund, or the PaymentIntent while its charge was not seen.
    source_id              text        not null,
    account                text        not null,
    livemode               boolean     not null,
    currency               text        not null,
    amount                 bigint      not null,
    -- As it was requested: null for all that was left.
    requested_amount       bigint,
    reason                 text,
    -- Whether the transfer and the fee are returned too; null where the charge has none.
    reverse_transfer       boolean,
    refund_application_fee boolean,
    state                  text        not null default 'requested',
    refund_id              text,
    error                  text,
    -- When it was sent first and last.
    first_sent_at          timestamptz,
    sent_at                timestamptz,
    -- Cancelled while its outcome was unknown: it is looked up, and not created any more.
    cancel_requested       boolean     not null default false,
    requested_by           text        not null default session_user,
    actor                  text        not null default clawback.acting(),
    created_at             timestamptz not null default now(),
    updated_at             timestamptz not null default now(),
    constraint refund_requests_pkey primary key (id),
    constraint refund_requests_key unique (payment_id, request_key),
    constraint refund_requests_refund unique (refund_id),
    constraint refund_requests_key_length check (octet_length(request_key) between 1 and 255),
    constraint refund_requests_amount check (amount > 0),
    constraint refund_requests_currency check (currency ~ '^[a-z]{3}$'),
    constraint refund_requests_reason check (reason in ('duplicate', 'fraudulent', 'requested_by_customer')),
    constraint refund_requests_state check (
        state in ('requested', 'sent', 'unknown', 'pending', 'succeeded', 'failed', 'cancelled')),
    constraint refund_requests_made check (state not in ('pending', 'succeeded') or refund_id is not null)
);
-- Stripe knows a request by this key: whoever sends one looks for others that used it.
create index refund_requests_same_key on clawback.refund_requests (request_key);
create index refund_requests_order on clawback.refund_requests (order_id) where order_id is not null;
create index refund_requests_unseen on clawback.refund_requests (created_at)
    where state in ('requested', 'sent', 'unknown');

create view clawback_v1.refund_requests as
select q.id, q.request_key, coalesce(q.order_id, p.order_id) as order_id, q.payment_id,
       nullif(q.account, '') as account, q.livemode, q.currency, q.amount, q.reason, q.state, q.refund_id, q.error,
       q.requested_by, q.actor, q.created_at, q.updated_at
from clawback.refund_requests q
left join clawback.payments p on p.payment_id = q.payment_id;
comment on view clawback_v1.refund_requests is
    'One row per refund requested through request_refund or request_payment_refund, with its state and the refund at Stripe.';
comment on column clawback_v1.refund_requests.id is 'Returned by request_refund. Also the idempotency key at Stripe, and clawback_request in the refund''s metadata.';
comment on column clawback_v1.refund_requests.request_key is 'Your key of the request: the same key for the same order or payment is the same request.';
comment on column clawback_v1.refund_requests.order_id is 'The order it was requested for, else the order of the payment; null while that is unlinked.';
comment on column clawback_v1.refund_requests.payment_id is 'The payment that is refunded.';
comment on column clawback_v1.refund_requests.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.refund_requests.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.refund_requests.currency is 'Lower-case ISO code.';
comment on column clawback_v1.refund_requests.amount is 'In minor units. Fixed by the first call.';
comment on column clawback_v1.refund_requests.reason is 'duplicate, fraudulent, requested_by_customer or null, as requested.';
comment on column clawback_v1.refund_requests.state is 'requested, sent, unknown (sent, and Stripe''s answer did not arrive: being looked up), pending (created, and Stripe has not paid it out yet), succeeded, failed (refused, or the refund failed or was canceled) or cancelled. succeeded becomes failed when the refund fails later.';
comment on column clawback_v1.refund_requests.refund_id is 'Stripe''s ID of the refund; null while none is known.';
comment on column clawback_v1.refund_requests.error is 'Why it failed, or why it was not sent yet, with Stripe''s error code and request ID.';
comment on column clawback_v1.refund_requests.requested_by is 'The database role that requested it.';
comment on column clawback_v1.refund_requests.actor is 'The person who requested it, where the command line or the console named one; else the role.';
comment on column clawback_v1.refund_requests.created_at is 'When it was requested.';
comment on column clawback_v1.refund_requests.updated_at is 'When a column of this row last changed.';

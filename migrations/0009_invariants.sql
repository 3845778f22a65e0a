-- What the core promises of its rows, held by the database: whoever breaks a promise, by a mistake here or by
-- hand, is refused and named. No CHECK can say that refunded is at most paid: a refund may be seen before its
-- charge (`clawback doctor` lists such payments).

-- Currencies ---------------------------------------------------------------------------------------

alter table clawback.payments add constraint payments_currency check (currency ~ '^([a-z]{3})?$');
alter table clawback.orders add constraint orders_currency check (currency ~ '^([a-z]{3})?$');
alter table clawback.order_history add constraint order_history_currency check (currency ~ '^([a-z]{3})?$');
alter table clawback.refunds add constraint refunds_currency check (currency ~ '^[a-z]{3}$');
alter table clawback.disputes add constraint disputes_currency check (currency ~ '^[a-z]{3}$');

-- States -------------------------------------------------------------------------------------------

alter table clawback.order_history add constraint order_history_states check (
    to_state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back', 'refunded', 'partially_refunded',
        'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown')
    and from_state in ('disputed', 'inquiry', 'charged_back', 'partially_charged_back', 'refunded',
        'partially_refunded', 'paid', 'authorized', 'canceled', 'failed', 'pending', 'unknown'));

-- The money of a state. Amounts are added as numeric: two of 64 bits may exceed 64 bits.
alter table clawback.payments add constraint payments_state_money check (case state
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
end is true);
alter table clawback.orders add constraint orders_state_money check (case state
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
end is true);

-- While a dispute is open: hold, and only then is money in dispute and evidence awaited.
alter table clawback.payments add constraint payments_open_disputes check (
    case when open_disputes > 0 then hold else amount_disputed = 0 and evidence_due_by is null end);
alter table clawback.orders add constraint orders_open_disputes check (
    case when open_disputes > 0 then hold else amount_disputed = 0 and evidence_due_by is null end);

alter table clawback.disputes
    add constraint disputes_outcome_phase check (
        (outcome = 'warning_closed' and phase = 'inquiry' or outcome is distinct from 'warning_closed')
        and (outcome = 'prevented' and phase = 'prevention' or outcome is distinct from 'prevented')),
    add constraint disputes_settlement check (
        case when settlement_currency is null then amount_withdrawn = 0 and amount_reinstated = 0 and fee = 0
        else settlement_currency ~ '^[a-z]{3}$' end);

-- What an operator needs to act: why.
alter table clawback.events
    add constraint events_type check (type <> ''),
    add constraint events_reason check (state not in ('ignored', 'failed') or last_error is not null);
alter table clawback.follow_ups add constraint follow_ups_names check (kind <> '' and subject <> '');

-- What belongs together, looked at when a batch commits: releases differ in the order in which they write --------

-- An object that names no payment is for no order.
alter table clawback.payments add constraint payments_orphan check (not orphan or order_id is null);
-- A linked payment has its order.
alter table clawback.payments add constraint payments_order_fkey foreign key (order_id, account, livemode, currency)
    references clawback.orders (order_id, account, livemode, currency) deferrable initially deferred;
-- A payment that becomes part of another takes its follow-ups along.
alter table clawback.follow_ups add constraint follow_ups_payment_fkey foreign key (payment_id)
    references clawback.payments (payment_id) deferrable initially deferred;
-- None from order_history to events, nor from events to payments: the first outlives events, and the second
-- names payments that have become part of others. None from pending_events, where each row of a burst would pay
-- for it: rows come there by the statement that stores their event.

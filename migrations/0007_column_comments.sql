-- What a column means where its name alone does not say it: shown by \d+ in psql.

comment on column clawback_v1.orders.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.orders.livemode is 'Live mode or test mode. Always say which you mean.';
comment on column clawback_v1.orders.currency is 'Lower-case ISO code; null while not known. One row per currency: amounts of two do not add up.';
comment on column clawback_v1.orders.state is 'The first that fits: disputed, inquiry, charged_back, partially_charged_back, refunded, partially_refunded, paid, authorized, canceled, failed, pending, unknown.';
comment on column clawback_v1.orders.amount_paid is 'Captured, in minor units; null while no charge or intent was seen. Compare it with what the order costs.';
comment on column clawback_v1.orders.amount_refunded is 'Went back or is on its way. Falls again when a refund fails.';
comment on column clawback_v1.orders.amount_disputed is 'In open chargebacks.';
comment on column clawback_v1.orders.amount_lost is 'Gone for good in disputes.';
comment on column clawback_v1.orders.hold is 'Do not ship: a dispute is open, a fraud warning actionable, or a review open.';
comment on column clawback_v1.orders.evidence_due_by is 'The nearest deadline for evidence that is awaited.';

comment on column clawback_v1.payments.payment_id is 'The payment intent''s id; the charge''s where it has none.';
comment on column clawback_v1.payments.order_id is 'By link_payment, else metadata of intent, charge, session, else client_reference_id; null while unlinked.';
comment on column clawback_v1.payments.charge_id is 'The captured charge, else the newest.';
comment on column clawback_v1.payments.amount is 'What was asked for.';

comment on column clawback_v1.refunds.status is 'Stripe''s word: pending, requires_action, succeeded, failed, canceled, or one not known yet.';
comment on column clawback_v1.refunds.request_key is 'The key of our own request; null for a refund made elsewhere.';

comment on column clawback_v1.disputes.status is 'Stripe''s word.';
comment on column clawback_v1.disputes.phase is 'inquiry, chargeback, compliance or prevention. An inquiry that escalates enters a new phase.';
comment on column clawback_v1.disputes.outcome is 'won, lost, warning_closed or prevented; null while open. A lost one can still be won.';
comment on column clawback_v1.disputes.evidence_due_by is 'Null: not known, or no response is allowed.';
comment on column clawback_v1.disputes.has_evidence is 'Evidence is staged, which is not the same as submitted.';
comment on column clawback_v1.disputes.submission_count is 'How often evidence was submitted. Normally once is all.';
comment on column clawback_v1.disputes.amount_withdrawn is 'Taken from the balance, positive, in settlement_currency.';
comment on column clawback_v1.disputes.amount_reinstated is 'Given back to the balance, in settlement_currency. Can be more than 0 on a lost dispute.';
comment on column clawback_v1.disputes.fee is 'In settlement_currency.';

comment on column clawback_v1.order_history.id is 'In commit order: a safe cursor.';
comment on column clawback_v1.order_history.order_id is 'Null while the payment was unlinked.';
comment on column clawback_v1.order_history.from_state is 'Null for the first state.';
comment on column clawback_v1.order_history.event_created_at is 'When it happened, as Stripe says; rows are in order of arrival.';

comment on column clawback_v1.events.created_at is 'When it happened, as Stripe says. No safe order.';
comment on column clawback_v1.events.received_at is 'When it was stored. No safe order either: page by nothing here.';
comment on column clawback_v1.events.last_error is 'Why it was ignored or failed; names the field that cannot be read.';

comment on column clawback_v1.follow_ups.kind is 'What is to be done. stripe_… are the service''s own.';
comment on column clawback_v1.follow_ups.subject is 'The id of what it is about: a refund, dispute, charge, payment, warning or review.';
comment on column clawback_v1.follow_ups.round is 'Tells apart several askings about one subject: a dispute''s phase, a charge''s refunded total.';
comment on column clawback_v1.follow_ups.wanted is 'Whether the state of the payment asks for it now.';
comment on column clawback_v1.follow_ups.run_at is 'Not to be claimed before.';
comment on column clawback_v1.follow_ups.due_at is 'To be done before.';

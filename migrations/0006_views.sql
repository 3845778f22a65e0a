-- Schema clawback_v1: how services read and act. It is stable: columns are appended, never dropped or retyped. Views
-- call only built-in functions.
--
-- Every column has a comment: docs/SQL.md is generated from them (see tests/it/reference.rs), and \d+ in psql shows them.

-- Money ------------------------------------------------------------------------------------------

create view clawback_v1.orders as
select o.order_id, nullif(o.account, '') as account, o.livemode, nullif(o.currency, '') as currency, o.state,
       o.amount_paid, o.amount_refunded, o.amount_disputed, o.amount_lost, o.hold, o.open_disputes,
       o.evidence_due_by, o.updated_at
from clawback.orders o;
comment on view clawback_v1.orders is
    'One row per order, account, mode and currency: what was paid, refunded, disputed and lost, and whether to hold the shipment.';
comment on column clawback_v1.orders.order_id is 'Your reference for the order.';
comment on column clawback_v1.orders.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.orders.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.orders.currency is 'Lower-case ISO code; null while it is not known. An order in two currencies has two rows.';
comment on column clawback_v1.orders.state is 'The first that applies: disputed, inquiry, charged_back, partially_charged_back, refunded, partially_refunded, paid, authorized, canceled, failed, pending, unknown.';
comment on column clawback_v1.orders.amount_paid is 'Captured, in minor units; null until a charge or PaymentIntent was seen. paid does not mean paid in full: compare it with the price of the order.';
comment on column clawback_v1.orders.amount_refunded is 'Refunded, in minor units, pending refunds included. Decreases when a refund fails or is canceled.';
comment on column clawback_v1.orders.amount_disputed is 'In open chargebacks, in minor units.';
comment on column clawback_v1.orders.amount_lost is 'Lost in closed disputes, in minor units.';
comment on column clawback_v1.orders.hold is 'Do not ship: a dispute is open, a fraud warning is actionable, or a review is open.';
comment on column clawback_v1.orders.open_disputes is 'Number of open disputes, inquiries included.';
comment on column clawback_v1.orders.evidence_due_by is 'Nearest deadline of a dispute that awaits evidence; null when none does.';
comment on column clawback_v1.orders.updated_at is 'When a column of this row last changed.';

create view clawback_v1.payments as
select p.payment_id, p.order_id, p.charge_id, nullif(p.account, '') as account, p.livemode, p.payment_method,
       p.failure_code, p.cancellation_reason, nullif(p.currency, '') as currency, p.amount, p.amount_paid,
       p.amount_refunded, p.amount_disputed, p.amount_lost, p.state, p.hold, p.evidence_due_by, p.updated_at
from clawback.payments p
where not p.orphan;
comment on view clawback_v1.payments is
    'One row per PaymentIntent, or per charge without one.';
comment on column clawback_v1.payments.payment_id is 'ID of the PaymentIntent, or of the charge where there is none.';
comment on column clawback_v1.payments.order_id is 'From link_payment, else from the metadata of the PaymentIntent, the charge or the Checkout Session, else client_reference_id; null while the payment is unlinked.';
comment on column clawback_v1.payments.charge_id is 'The captured charge, else the newest; null while there is none.';
comment on column clawback_v1.payments.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.payments.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.payments.payment_method is 'Stripe''s type of payment method, such as card or klarna, of that charge.';
comment on column clawback_v1.payments.failure_code is 'Stripe''s code for why that charge failed.';
comment on column clawback_v1.payments.cancellation_reason is 'Stripe''s reason why the PaymentIntent was canceled.';
comment on column clawback_v1.payments.currency is 'Lower-case ISO code; null while it is not known.';
comment on column clawback_v1.payments.amount is 'Requested, in minor units; null while it is not known.';
comment on column clawback_v1.payments.amount_paid is 'Captured, in minor units; null until a charge or PaymentIntent was seen.';
comment on column clawback_v1.payments.amount_refunded is 'Refunded, in minor units, pending refunds included. Decreases when a refund fails or is canceled.';
comment on column clawback_v1.payments.amount_disputed is 'In open chargebacks, in minor units.';
comment on column clawback_v1.payments.amount_lost is 'Lost in closed disputes, in minor units.';
comment on column clawback_v1.payments.state is 'As in orders, for this payment alone.';
comment on column clawback_v1.payments.hold is 'Do not ship: a dispute is open, a fraud warning is actionable, or a review is open.';
comment on column clawback_v1.payments.evidence_due_by is 'Nearest deadline of a dispute that awaits evidence; null when none does.';
comment on column clawback_v1.payments.updated_at is 'When a column of this row last changed.';

create view clawback_v1.refunds as
select r.refund_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       nullif(p.account, '') as account, p.livemode, r.amount, r.currency, r.status, r.reason, r.failure_reason,
       r.is_release, r.destination_type, r.reference, r.reference_status, r.pending_reason,
       r.metadata ->> 'clawback_request_key' as request_key, r.metadata,
       r.created_at, r.updated_at
from clawback.refunds r
join clawback.payments p on p.payment_id = r.payment_id;
comment on view clawback_v1.refunds is
    'One row per refund. A succeeded refund can still fail weeks later.';
comment on column clawback_v1.refunds.refund_id is 'Stripe''s ID.';
comment on column clawback_v1.refunds.payment_id is 'The payment it belongs to, as in payments; null while no charge or PaymentIntent names one.';
comment on column clawback_v1.refunds.order_id is 'The order the payment is for; null while it is unlinked.';
comment on column clawback_v1.refunds.charge_id is 'The charge it belongs to; null while it is not known.';
comment on column clawback_v1.refunds.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.refunds.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.refunds.amount is 'Refunded, in minor units.';
comment on column clawback_v1.refunds.currency is 'Lower-case ISO code of the amounts.';
comment on column clawback_v1.refunds.status is 'Stripe''s status: pending, requires_action, succeeded, failed or canceled; a status Stripe adds later is shown as it is.';
comment on column clawback_v1.refunds.reason is 'Stripe''s reason, such as requested_by_customer.';
comment on column clawback_v1.refunds.failure_reason is 'Stripe''s reason why the refund failed.';
comment on column clawback_v1.refunds.is_release is 'An authorization, or the rest of one, was released: no captured money was refunded. Not counted in amount_refunded.';
comment on column clawback_v1.refunds.destination_type is 'Where the money goes: Stripe''s type, such as card.';
comment on column clawback_v1.refunds.reference is 'Reference by which the customer''s bank finds the refund, such as an ARN.';
comment on column clawback_v1.refunds.reference_status is 'Stripe''s status of the reference: pending, available or unavailable.';
comment on column clawback_v1.refunds.pending_reason is 'Stripe''s reason why the refund is pending.';
comment on column clawback_v1.refunds.request_key is 'Key of the request that created the refund through Clawback; null for one created elsewhere.';
comment on column clawback_v1.refunds.metadata is 'The refund''s metadata at Stripe.';
comment on column clawback_v1.refunds.created_at is 'When it was created at Stripe.';
comment on column clawback_v1.refunds.updated_at is 'When a column of this row last changed.';

create view clawback_v1.disputes as
select d.dispute_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, d.charge_id,
       nullif(p.account, '') as account, p.livemode, d.payment_method,
       d.can_respond and (d.evidence_due_by is null or d.evidence_due_by > now()) as can_respond,
       d.amount, d.amount_lost, d.currency, d.reason, d.network_reason_code, d.status, d.phase, d.outcome,
       d.evidence_due_by, d.has_evidence, d.past_due, d.submission_count, d.intended_submission_method,
       d.submission_method, d.enhanced_eligibility, d.is_charge_refundable, d.amount_withdrawn, d.amount_reinstated,
       d.fee, d.settlement_currency, d.created_at, d.updated_at
from clawback.disputes d
join clawback.payments p on p.payment_id = d.payment_id;
comment on view clawback_v1.disputes is
    'One row per dispute, from inquiry to appeal.';
comment on column clawback_v1.disputes.dispute_id is 'Stripe''s ID.';
comment on column clawback_v1.disputes.payment_id is 'The payment it belongs to, as in payments; null while no charge or PaymentIntent names one.';
comment on column clawback_v1.disputes.order_id is 'The order the payment is for; null while it is unlinked.';
comment on column clawback_v1.disputes.charge_id is 'The charge it belongs to; null while it is not known.';
comment on column clawback_v1.disputes.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.disputes.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.disputes.payment_method is 'Stripe''s type of payment method, such as card or klarna; null where Stripe does not name it.';
comment on column clawback_v1.disputes.can_respond is 'Evidence is awaited and accepted: false when the status, the deadline or the payment method rules it out.';
comment on column clawback_v1.disputes.amount is 'Disputed, in minor units.';
comment on column clawback_v1.disputes.amount_lost is 'Lost, in minor units of currency; 0 while the dispute is open.';
comment on column clawback_v1.disputes.currency is 'Lower-case ISO code of the amounts.';
comment on column clawback_v1.disputes.reason is 'Stripe''s reason, such as fraudulent or product_not_received.';
comment on column clawback_v1.disputes.network_reason_code is 'Reason code of the card network.';
comment on column clawback_v1.disputes.status is 'Stripe''s status, such as needs_response, under_review, won or lost.';
comment on column clawback_v1.disputes.phase is 'inquiry, chargeback, appeal, compliance or prevention. An inquiry that becomes a chargeback enters a new phase, and so does an appeal.';
comment on column clawback_v1.disputes.outcome is 'won, lost, warning_closed or prevented; null while it is open. A lost dispute can still be won later.';
comment on column clawback_v1.disputes.evidence_due_by is 'Deadline for evidence; null when it is not known or no response is allowed.';
comment on column clawback_v1.disputes.has_evidence is 'Evidence is staged. It is not necessarily submitted.';
comment on column clawback_v1.disputes.past_due is 'Stripe says that the last submission came after the deadline.';
comment on column clawback_v1.disputes.submission_count is 'How often evidence was submitted. Normally it can be submitted once.';
comment on column clawback_v1.disputes.intended_submission_method is 'Stripe''s word for how the response will be submitted at the deadline, such as prefer_manual.';
comment on column clawback_v1.disputes.submission_method is 'Stripe''s word for how the response was submitted, such as manual.';
comment on column clawback_v1.disputes.enhanced_eligibility is 'Network programmes for which the evidence qualifies, as Stripe shows them.';
comment on column clawback_v1.disputes.is_charge_refundable is 'Stripe says that the charge can still be refunded.';
comment on column clawback_v1.disputes.amount_withdrawn is 'Withdrawn from the balance, as a positive amount in minor units of settlement_currency.';
comment on column clawback_v1.disputes.amount_reinstated is 'Returned to the balance, in minor units of settlement_currency. Can be above 0 for a lost dispute.';
comment on column clawback_v1.disputes.fee is 'Dispute fees, in minor units of settlement_currency.';
comment on column clawback_v1.disputes.settlement_currency is 'Lower-case ISO code of the balance; null while no money has moved.';
comment on column clawback_v1.disputes.created_at is 'When it was created at Stripe.';
comment on column clawback_v1.disputes.updated_at is 'When a column of this row last changed.';

create view clawback_v1.fraud_warnings as
select w.warning_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, w.charge_id,
       nullif(p.account, '') as account, p.livemode, w.fraud_type, w.actionable, w.created_at
from clawback.fraud_warnings w
join clawback.payments p on p.payment_id = w.payment_id;
comment on view clawback_v1.fraud_warnings is
    'One row per early fraud warning.';
comment on column clawback_v1.fraud_warnings.warning_id is 'Stripe''s ID.';
comment on column clawback_v1.fraud_warnings.payment_id is 'The payment it belongs to, as in payments; null while no charge or PaymentIntent names one.';
comment on column clawback_v1.fraud_warnings.order_id is 'The order the payment is for; null while it is unlinked.';
comment on column clawback_v1.fraud_warnings.charge_id is 'The charge it belongs to; null while it is not known.';
comment on column clawback_v1.fraud_warnings.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.fraud_warnings.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.fraud_warnings.fraud_type is 'Stripe''s type of fraud, such as made_with_stolen_card.';
comment on column clawback_v1.fraud_warnings.actionable is 'A refund can still prevent a dispute: Stripe says so, the charge has neither a dispute nor a full refund since, and nobody dismissed the warning.';
comment on column clawback_v1.fraud_warnings.created_at is 'When it was created at Stripe.';

create view clawback_v1.reviews as
select r.review_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       nullif(p.account, '') as account, p.livemode, r.open, r.opened_reason, r.closed_reason, r.created_at
from clawback.reviews r
join clawback.payments p on p.payment_id = r.payment_id;
comment on view clawback_v1.reviews is
    'One row per Radar review. Do not ship while it is open.';
comment on column clawback_v1.reviews.review_id is 'Stripe''s ID.';
comment on column clawback_v1.reviews.payment_id is 'The payment it belongs to, as in payments; null while no charge or PaymentIntent names one.';
comment on column clawback_v1.reviews.order_id is 'The order the payment is for; null while it is unlinked.';
comment on column clawback_v1.reviews.charge_id is 'The charge it belongs to; null while it is not known.';
comment on column clawback_v1.reviews.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.reviews.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.reviews.open is 'No decision has been made yet: do not ship.';
comment on column clawback_v1.reviews.opened_reason is 'Stripe''s reason why it was opened: rule or manual.';
comment on column clawback_v1.reviews.closed_reason is 'Stripe''s reason why it was closed, such as approved or refunded_as_fraud; null while it is open.';
comment on column clawback_v1.reviews.created_at is 'When it was created at Stripe.';

create view clawback_v1.order_history as
select h.id, h.order_id, h.payment_id, nullif(h.account, '') as account, h.livemode,
       nullif(h.currency, '') as currency, h.from_state, h.to_state, h.amount_paid, h.amount_refunded,
       h.amount_disputed, h.amount_lost, h.hold, h.open_disputes, h.evidence_due_by, h.event_id, h.event_type,
       h.event_created_at, h.recorded_at
from clawback.order_history h;
comment on view clawback_v1.order_history is
    'Append-only change feed of orders: a row whenever the state, hold, deadline, number of open disputes or any amount changes, with all values after the change. Payments have rows of their own while they are unlinked. Keep the last ID you read and select rows with a greater ID.';
comment on column clawback_v1.order_history.id is 'Assigned in commit order, so it is a safe cursor.';
comment on column clawback_v1.order_history.order_id is 'The order; null for a payment that was unlinked at that time.';
comment on column clawback_v1.order_history.payment_id is 'The payment whose change caused the row. While order_id is null, the row is about this payment.';
comment on column clawback_v1.order_history.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.order_history.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.order_history.currency is 'Lower-case ISO code; null while it is not known.';
comment on column clawback_v1.order_history.from_state is 'State before; null in the first row. Equal to to_state when only other values changed.';
comment on column clawback_v1.order_history.to_state is 'State after; null when the order or payment no longer has a row of its own (it was linked, merged or moved). Its amounts are then 0, and the row that takes over follows.';
comment on column clawback_v1.order_history.amount_paid is 'As in orders, after the change.';
comment on column clawback_v1.order_history.amount_refunded is 'As in orders, after the change.';
comment on column clawback_v1.order_history.amount_disputed is 'As in orders, after the change.';
comment on column clawback_v1.order_history.amount_lost is 'As in orders, after the change.';
comment on column clawback_v1.order_history.hold is 'As in orders, after the change.';
comment on column clawback_v1.order_history.open_disputes is 'As in orders, after the change.';
comment on column clawback_v1.order_history.evidence_due_by is 'As in orders, after the change.';
comment on column clawback_v1.order_history.event_id is 'The event that caused the change; null after a rebuild.';
comment on column clawback_v1.order_history.event_type is 'Type of that event; clawback.rebuilt after a rebuild.';
comment on column clawback_v1.order_history.event_created_at is 'When that event was created at Stripe. Rows are in order of arrival, which can differ.';
comment on column clawback_v1.order_history.recorded_at is 'When the row was written.';

-- The ledger -------------------------------------------------------------------------------------

-- Each branch is ordered by an index, so that the newest events can be read without sorting the whole ledger. `offset 0`
-- keeps the subquery an index look-up; as a join it would read all events.
create view clawback_v1.events as
select e.event_id, e.type, e.api_version, e.account, e.livemode, e.object_id,
       -- When a charge turns out to belong to a PaymentIntent, its earlier events belong to the PaymentIntent too.
       coalesce((select o.payment_id from clawback.payment_objects o where o.object_id = e.payment_id), e.payment_id)
           as payment_id,
       e.created_at, e.received_at, e.state, e.attempts, e.last_error, e.processed_at,
       exists (select from clawback.event_payloads b where b.event_id = e.event_id) as has_body
from clawback.events e
union all
(select u.event_id, u.type, u.api_version, u.account, u.livemode, u.object_id, null, u.created_at, u.received_at,
        'ignored', 0, 'livemode does not match the signing secret: stored separately, not processed', u.received_at,
        true
 from clawback.unvouched_events u
 where not exists (select from clawback.events e where e.event_id = u.event_id offset 0)
 order by u.received_at desc);
comment on view clawback_v1.events is
    'One row per acknowledged event.';
comment on column clawback_v1.events.event_id is 'Stripe''s ID.';
comment on column clawback_v1.events.type is 'Stripe''s event type, such as charge.refunded.';
comment on column clawback_v1.events.api_version is 'Stripe API version of the event.';
comment on column clawback_v1.events.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.events.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.events.object_id is 'ID of the object in the event.';
comment on column clawback_v1.events.payment_id is 'The payment the event belongs to; null while it is not processed or belongs to none.';
comment on column clawback_v1.events.created_at is 'When the event was created at Stripe. Not a safe cursor: events arrive out of order.';
comment on column clawback_v1.events.received_at is 'When it was stored. Not a safe cursor either: commits overtake each other.';
comment on column clawback_v1.events.state is 'pending, processed, ignored (no object that Clawback reads, or livemode does not match the signing secret) or failed.';
comment on column clawback_v1.events.attempts is 'Attempts to process it, since it arrived or was last replayed.';
comment on column clawback_v1.events.last_error is 'Why it was ignored or failed, with the name of the field that cannot be read. For a processed event: the fields that could not be read and were treated as absent.';
comment on column clawback_v1.events.processed_at is 'When it was processed, ignored or marked as failed; null while it is pending.';
comment on column clawback_v1.events.has_body is 'false: the body was pruned.';

create view clawback_v1.event_payloads as
select b.event_id,
       regexp_replace(b.payload, '("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"', '\1"***"', 'g') as payload
from (select event_id, payload from clawback.event_payloads
      union all
      select u.event_id, u.payload from clawback.unvouched_events u
      where not exists (select from clawback.events e where e.event_id = u.event_id)) b;
comment on view clawback_v1.event_payloads is
    'The body of each event as received, with client secrets masked. No row: the body was pruned. Of a payment that was erased, without personal data. Contains personal data: granted by --payloads only.';
comment on column clawback_v1.event_payloads.event_id is 'As in events.';
comment on column clawback_v1.event_payloads.payload is 'The JSON body, as text.';

-- Work -------------------------------------------------------------------------------------------

create view clawback_v1.follow_ups as
select f.id, f.kind, f.subject, f.round, f.key, f.order_id,
       case when p.orphan then null else f.payment_id end as payment_id, f.account, f.livemode, f.payload, f.state,
       f.wanted, f.run_at, f.due_at, f.attempts, f.max_attempts, f.consumer, f.leased_until, f.result, f.last_error,
       f.created_at, f.finished_at
from clawback.follow_ups f
left join clawback.payments p on p.payment_id = f.payment_id;
comment on view clawback_v1.follow_ups is
    'What is to be done: one row per kind, subject and round, never deleted.';
comment on column clawback_v1.follow_ups.id is 'Pass it to the functions, with the lease token of the claim.';
comment on column clawback_v1.follow_ups.kind is 'What is to be done, such as notify_refund. Kinds that begin with stripe_ are reserved for Clawback.';
comment on column clawback_v1.follow_ups.subject is 'ID of the object it is about: a refund, dispute, charge, payment, warning or review.';
comment on column clawback_v1.follow_ups.round is 'Tells follow-ups of one kind and subject apart: the phase of a dispute (with mark and date for a warning), the refunded total of a charge; else empty.';
comment on column clawback_v1.follow_ups.key is 'kind/subject/round as first created, such as notify_refund/re_1/ with an empty round. Never changes: use it as the idempotency key of calls to other systems.';
comment on column clawback_v1.follow_ups.order_id is 'The order the payment is for; null while it is unlinked.';
comment on column clawback_v1.follow_ups.payment_id is 'The payment it belongs to, as in payments; null while no charge or PaymentIntent names one.';
comment on column clawback_v1.follow_ups.account is 'Connected account; null for the platform account.';
comment on column clawback_v1.follow_ups.livemode is 'true in live mode, false in test mode. Filter on it in every query.';
comment on column clawback_v1.follow_ups.payload is 'What a consumer needs to know. Its fields depend on the kind and subject; amounts are in minor units. Empty ({}) once it has ended and was pruned.';
comment on column clawback_v1.follow_ups.state is 'ready, leased, done, cancelled (no longer wanted), dead (attempts used up, or given up by a consumer), or discarded (by a person, or because it happened before the first start or a rebuild).';
comment on column clawback_v1.follow_ups.wanted is 'Whether the state of the payment still asks for it.';
comment on column clawback_v1.follow_ups.run_at is 'Earliest time at which it can be claimed.';
comment on column clawback_v1.follow_ups.due_at is 'Deadline; null when there is none.';
comment on column clawback_v1.follow_ups.attempts is 'Claims so far. A snooze is not counted.';
comment on column clawback_v1.follow_ups.max_attempts is 'After this many failed attempts it is dead.';
comment on column clawback_v1.follow_ups.consumer is 'Who claimed it last.';
comment on column clawback_v1.follow_ups.leased_until is 'When the lease expires; null unless it is leased.';
comment on column clawback_v1.follow_ups.result is 'What the consumer passed to complete_follow_up: at most 16 kB, no personal data. Null once it was pruned.';
comment on column clawback_v1.follow_ups.last_error is 'Error of the last failed attempt, or why it was discarded on creation.';
comment on column clawback_v1.follow_ups.created_at is 'When it was created.';
comment on column clawback_v1.follow_ups.finished_at is 'When it became done, cancelled, dead or discarded.';

create view clawback_v1.actions as
select a.id, a.at, a.actor, a.role, a.via, a.action, a.subject_kind, a.subject, a.reason, a.detail
from clawback.actions a;
comment on view clawback_v1.actions is
    'Append-only audit log: who replayed, requeued, discarded, linked or dismissed what, and why. Written in the transaction of the action. An erasure of personal data removes reasons.';
comment on column clawback_v1.actions.id is 'Ascending.';
comment on column clawback_v1.actions.at is 'When.';
comment on column clawback_v1.actions.actor is 'The person, as named by the owner''s or the console''s role; else the database role.';
comment on column clawback_v1.actions.role is 'The database role that was logged in.';
comment on column clawback_v1.actions.via is 'console, cli or sql.';
comment on column clawback_v1.actions.action is 'replay, requeue, discard, link, dismiss, request_refund, cancel_refund_request, stage_evidence, attach_evidence_file, detach_evidence_file, submit_evidence, accept_dispute, erase; log_in, log_out, log_in_refused in the console; announce_acceptance, staging_refused, response_refused, response_submitted, response_submitted_elsewhere, response_accepted by the service itself. Others may be added.';
comment on column clawback_v1.actions.subject_kind is 'event, follow_up, payment, fraud_warning, dispute, session or database.';
comment on column clawback_v1.actions.subject is 'ID of what was acted on; of a session, the person.';
comment on column clawback_v1.actions.reason is 'Why, in that person''s words.';
comment on column clawback_v1.actions.detail is 'Further details, such as the state before.';

-- Personal data ----------------------------------------------------------------------------------

create view clawback_v1.payment_people as
select p.payment_id,
       (array_agg(w.customer_id order by w.seen_at desc, w.event_id desc) filter (where w.customer_id is not null))[1]
           as customer_id,
       (array_agg(w.email order by w.seen_at desc, w.event_id desc) filter (where w.email is not null))[1] as email,
       (array_agg(w.name order by w.seen_at desc, w.event_id desc) filter (where w.name is not null))[1] as name
from clawback.payments p
join clawback.payment_objects o on o.payment_id = p.payment_id
join clawback.people w on w.object_id = o.object_id
where not p.orphan
group by p.payment_id;
comment on view clawback_v1.payment_people is
    'Who paid, as last seen: one row per payment with a known person. Personal data: granted by --payloads only.';
comment on column clawback_v1.payment_people.payment_id is 'As in payments.';
comment on column clawback_v1.payment_people.customer_id is 'Stripe''s customer ID.';
comment on column clawback_v1.payment_people.email is 'E-mail address.';
comment on column clawback_v1.payment_people.name is 'Name.';

-- Schema clawback_v1: how services read and act. A promise of stability: columns are appended, never
-- dropped or retyped. Views call only built-in functions.
--
-- A comment on a column says what its name alone does not: shown by \d+ in psql.

-- Money ------------------------------------------------------------------------------------------

create view clawback_v1.orders as
select o.order_id, nullif(o.account, '') as account, o.livemode, nullif(o.currency, '') as currency, o.state,
       o.amount_paid, o.amount_refunded, o.amount_disputed, o.amount_lost, o.hold, o.open_disputes,
       o.evidence_due_by, o.updated_at
from clawback.orders o;
comment on view clawback_v1.orders is
    'One row per order, account, mode and currency: what was paid, what went back, what is contested. hold: do not ship. amount_paid is null while no charge or intent was seen.';
comment on column clawback_v1.orders.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.orders.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.orders.currency is 'Lower-case ISO code; null while not known. One row per currency: amounts of two do not add up.';
comment on column clawback_v1.orders.state is 'The first that fits: disputed, inquiry, charged_back, partially_charged_back, refunded, partially_refunded, paid, authorized, canceled, failed, pending, unknown.';
comment on column clawback_v1.orders.amount_paid is 'Captured, in minor units; null while no charge or intent was seen. Compare it with what the order costs.';
comment on column clawback_v1.orders.amount_refunded is 'Went back or is on its way. Falls again when a refund fails.';
comment on column clawback_v1.orders.amount_disputed is 'In open chargebacks.';
comment on column clawback_v1.orders.amount_lost is 'Gone for good in disputes.';
comment on column clawback_v1.orders.hold is 'Do not ship: a dispute is open, a fraud warning actionable, or a review open.';
comment on column clawback_v1.orders.evidence_due_by is 'The nearest deadline for evidence that is awaited.';

create view clawback_v1.payments as
select p.payment_id, p.order_id, p.charge_id, nullif(p.account, '') as account, p.livemode, p.payment_method,
       p.failure_code, p.cancellation_reason, nullif(p.currency, '') as currency, p.amount, p.amount_paid,
       p.amount_refunded, p.amount_disputed, p.amount_lost, p.state, p.hold, p.evidence_due_by, p.updated_at
from clawback.payments p
where not p.orphan;
comment on view clawback_v1.payments is
    'One row per payment intent, or per charge that has none. order_id is null while the payment is unlinked; charge_id is the captured charge, else the newest.';
comment on column clawback_v1.payments.amount_paid is 'Captured, in minor units; null while no charge or intent was seen.';
comment on column clawback_v1.payments.amount_refunded is 'Went back or is on its way, in minor units. Falls again when a refund fails.';
comment on column clawback_v1.payments.amount_disputed is 'In open chargebacks, in minor units.';
comment on column clawback_v1.payments.amount_lost is 'Gone for good in disputes, in minor units.';
comment on column clawback_v1.payments.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.payments.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.payments.payment_id is 'The payment intent''s id; the charge''s where it has none.';
comment on column clawback_v1.payments.order_id is 'By link_payment, else metadata of intent, charge, session, else client_reference_id; null while unlinked.';
comment on column clawback_v1.payments.charge_id is 'The captured charge, else the newest.';
comment on column clawback_v1.payments.payment_method is 'Stripe''s type, such as card or klarna, of the charge that charge_id names.';
comment on column clawback_v1.payments.failure_code is 'Why the charge that charge_id names failed, in Stripe''s word.';
comment on column clawback_v1.payments.cancellation_reason is 'Why the intent was canceled, in Stripe''s word.';
comment on column clawback_v1.payments.amount is 'What was asked for.';

create view clawback_v1.refunds as
select r.refund_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       nullif(p.account, '') as account, p.livemode, r.amount, r.currency, r.status, r.reason, r.failure_reason,
       r.is_release, r.destination_type, r.reference, r.reference_status, r.pending_reason, r.request_key, r.metadata,
       r.created_at, r.updated_at
from clawback.refunds r
join clawback.payments p on p.payment_id = r.payment_id;
comment on view clawback_v1.refunds is
    'One row per refund, in Stripe''s status. A succeeded refund can fail weeks later. request_key is ours; null for a refund made elsewhere.';
comment on column clawback_v1.refunds.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.refunds.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.refunds.status is 'Stripe''s word: pending, requires_action, succeeded, failed, canceled, or one not known yet.';
comment on column clawback_v1.refunds.is_release is 'It gives back no captured money: an authorization, or the rest of one, was let go. Not in amount_refunded.';
comment on column clawback_v1.refunds.destination_type is 'Where the money goes, in Stripe''s word: card and so on.';
comment on column clawback_v1.refunds.reference is 'By which the buyer''s bank finds the refund: an ARN or the like.';
comment on column clawback_v1.refunds.reference_status is 'pending, available or unavailable, in Stripe''s word.';
comment on column clawback_v1.refunds.pending_reason is 'What a pending refund waits for, in Stripe''s word.';
comment on column clawback_v1.refunds.request_key is 'The key of our own request; null for a refund made elsewhere.';
comment on column clawback_v1.refunds.metadata is 'The merchant''s own fields, as Stripe has them.';

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
    'One row per dispute. status is Stripe''s word; outcome is null while it is open. amount_withdrawn, amount_reinstated and fee come from balance transactions, in settlement_currency.';
comment on column clawback_v1.disputes.past_due is 'The last submission was late, in Stripe''s word.';
comment on column clawback_v1.disputes.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.disputes.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.disputes.payment_method is 'Stripe''s word: card, klarna and so on; null where it does not say.';
comment on column clawback_v1.disputes.can_respond is 'Evidence is awaited and taken. false: by status, deadline or method it is not.';
comment on column clawback_v1.disputes.amount_lost is 'Gone for good, in currency; 0 while it is open.';
comment on column clawback_v1.disputes.status is 'Stripe''s word.';
comment on column clawback_v1.disputes.phase is 'inquiry, chargeback, appeal, compliance or prevention. An inquiry that escalates enters a new phase, and so does an appeal.';
comment on column clawback_v1.disputes.outcome is 'won, lost, warning_closed or prevented; null while open. A lost one can still be won.';
comment on column clawback_v1.disputes.evidence_due_by is 'Null: not known, or no response is allowed.';
comment on column clawback_v1.disputes.has_evidence is 'Evidence is staged, which is not the same as submitted.';
comment on column clawback_v1.disputes.submission_count is 'How often evidence was submitted. Normally once is all.';
comment on column clawback_v1.disputes.intended_submission_method is 'Who is to answer at the deadline, in Stripe''s word.';
comment on column clawback_v1.disputes.submission_method is 'Who answered, in Stripe''s word.';
comment on column clawback_v1.disputes.enhanced_eligibility is 'For which of the networks'' programmes the evidence qualifies, as Stripe has it.';
comment on column clawback_v1.disputes.amount_withdrawn is 'Taken from the balance, positive, in settlement_currency.';
comment on column clawback_v1.disputes.amount_reinstated is 'Given back to the balance, in settlement_currency. Can be more than 0 on a lost dispute.';
comment on column clawback_v1.disputes.fee is 'In settlement_currency.';

create view clawback_v1.fraud_warnings as
select w.warning_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, w.charge_id,
       nullif(p.account, '') as account, p.livemode, w.fraud_type, w.actionable, w.created_at
from clawback.fraud_warnings w
join clawback.payments p on p.payment_id = w.payment_id;
comment on view clawback_v1.fraud_warnings is
    'One row per early fraud warning. actionable: neither disputed nor fully refunded yet, so that a refund can still prevent a dispute.';
comment on column clawback_v1.fraud_warnings.actionable is 'Stripe''s word, and neither a dispute nor a full refund of its charge is known since: a refund can still prevent a dispute.';
comment on column clawback_v1.fraud_warnings.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.fraud_warnings.livemode is 'Live mode or test mode: filter on it in every query.';

create view clawback_v1.reviews as
select r.review_id, case when p.orphan then null else p.payment_id end as payment_id, p.order_id, r.charge_id,
       nullif(p.account, '') as account, p.livemode, r.open, r.opened_reason, r.closed_reason, r.created_at
from clawback.reviews r
join clawback.payments p on p.payment_id = r.payment_id;
comment on view clawback_v1.reviews is
    'One row per Radar review. While one is open, nothing is shipped. The reasons are Stripe''s words.';
comment on column clawback_v1.reviews.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.reviews.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.reviews.open is 'Nobody decided yet: do not ship.';

create view clawback_v1.order_history as
select h.id, h.order_id, h.payment_id, nullif(h.account, '') as account, h.livemode,
       nullif(h.currency, '') as currency, h.from_state, h.to_state, h.amount_paid, h.amount_refunded,
       h.amount_disputed, h.amount_lost, h.hold, h.open_disputes, h.evidence_due_by, h.event_id, h.event_type,
       h.event_created_at, h.recorded_at
from clawback.order_history h;
comment on view clawback_v1.order_history is
    'Append-only feed: a row whenever the state, hold, deadline or any amount of an order changes (of a payment while it is unlinked), with all of them as they are after it. One entry per order_id, account, livemode and currency, or per payment_id while unlinked. Ids are given in commit order: keep the last one you read and ask for `where id > $last order by id`.';
comment on column clawback_v1.order_history.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.order_history.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.order_history.amount_paid is 'In minor units, as it is after this row.';
comment on column clawback_v1.order_history.amount_refunded is 'In minor units, as it is after this row.';
comment on column clawback_v1.order_history.amount_disputed is 'In minor units, as it is after this row.';
comment on column clawback_v1.order_history.amount_lost is 'In minor units, as it is after this row.';
comment on column clawback_v1.order_history.id is 'In commit order: a safe cursor.';
comment on column clawback_v1.order_history.order_id is 'Null while the payment was unlinked.';
comment on column clawback_v1.order_history.from_state is 'Null: the entry begins. Equal to to_state: only amounts, hold or deadline changed.';
comment on column clawback_v1.order_history.to_state is 'Null: the entry is no more (linked, merged or moved), and its amounts are 0. This row comes before the one that takes it over.';
comment on column clawback_v1.order_history.event_created_at is 'When it happened, as Stripe says; rows are in order of arrival.';

-- The ledger -------------------------------------------------------------------------------------

-- Each branch comes in the order of an index: only so can the newest be taken without sorting the whole ledger.
-- `offset 0` keeps the look-up on the index, where a join would read all events.
create view clawback_v1.events as
select e.event_id, e.type, e.api_version, e.account, e.livemode, e.object_id,
       -- A charge that turned out to belong to an intent: its earlier events are the intent's now.
       coalesce((select o.payment_id from clawback.payment_objects o where o.object_id = e.payment_id), e.payment_id)
           as payment_id,
       e.created_at, e.received_at, e.state, e.attempts, e.last_error, e.processed_at
from clawback.events e
union all
(select u.event_id, u.type, u.api_version, u.account, u.livemode, u.object_id, null, u.created_at, u.received_at,
        'ignored', 0, 'livemode does not match the signing secret: stored separately, not processed', u.received_at
 from clawback.unvouched_events u
 where not exists (select from clawback.events e where e.event_id = u.event_id offset 0)
 order by u.received_at desc);
comment on view clawback_v1.events is
    'The ledger: every event acknowledged. state: pending, processed (last_error names what was passed over), ignored (nothing here reads it; last_error says why) or failed (last_error names the field).';
comment on column clawback_v1.events.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.events.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.events.created_at is 'When it happened, as Stripe says. No safe order.';
comment on column clawback_v1.events.received_at is 'When it was stored. No safe order either: page by nothing here.';
comment on column clawback_v1.events.last_error is 'Why it was ignored or failed; names the field that cannot be read. Of a processed event: ''passed over: '' and the fields that could not be read and were taken as absent.';

create view clawback_v1.event_payloads as
select b.event_id,
       regexp_replace(b.payload, '("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"', '\1"***"', 'g') as payload
from (select event_id, payload from clawback.event_payloads
      union all
      select u.event_id, u.payload from clawback.unvouched_events u
      where not exists (select from clawback.events e where e.event_id = u.event_id)) b;
comment on view clawback_v1.event_payloads is
    'The body of each event as received, client secrets masked. Holds personal data: granted apart.';

-- Work -------------------------------------------------------------------------------------------

create view clawback_v1.follow_ups as
select f.id, f.kind, f.subject, f.round, f.key, f.order_id,
       case when p.orphan then null else f.payment_id end as payment_id, f.account, f.livemode, f.payload, f.state,
       f.wanted, f.run_at, f.due_at, f.attempts, f.max_attempts, f.consumer, f.leased_until, f.result, f.last_error,
       f.created_at, f.finished_at
from clawback.follow_ups f
left join clawback.payments p on p.payment_id = f.payment_id;
comment on view clawback_v1.follow_ups is
    'What is to be done: one row per kind, subject and round, for ever. wanted follows the state of the payment; cancelled means wanted no longer, dead that all attempts failed.';
comment on column clawback_v1.follow_ups.state is 'ready, leased, done, cancelled (wanted no longer), dead (all attempts failed), discarded (by a person, or what came about before the service was to ask).';
comment on column clawback_v1.follow_ups.kind is 'What is to be done. stripe_… are the service''s own.';
comment on column clawback_v1.follow_ups.subject is 'The id of what it is about: a refund, dispute, charge, payment, warning or review.';
comment on column clawback_v1.follow_ups.round is 'Tells apart several askings about one subject: a dispute''s phase (with mark and due date for a warning), a charge''s refunded total.';
comment on column clawback_v1.follow_ups.key is 'kind/subject/round as they first were, for ever: an idempotency key for what acts outside.';
comment on column clawback_v1.follow_ups.account is 'Connected account; null for the platform''s own.';
comment on column clawback_v1.follow_ups.livemode is 'Live mode or test mode: filter on it in every query.';
comment on column clawback_v1.follow_ups.wanted is 'Whether the state of the payment asks for it now.';
comment on column clawback_v1.follow_ups.run_at is 'Not to be claimed before.';
comment on column clawback_v1.follow_ups.due_at is 'To be done before.';
comment on column clawback_v1.follow_ups.consumer is 'Who claimed it last; holds it until leased_until.';
comment on column clawback_v1.follow_ups.result is 'What its consumer left when it was completed; at most 16 kB, no personal data.';

create view clawback_v1.actions as
select a.id, a.at, a.actor, a.role, a.via, a.action, a.subject_kind, a.subject, a.reason, a.detail
from clawback.actions a;
comment on view clawback_v1.actions is
    'Append-only: who replayed, requeued, discarded, linked or dismissed what, and why. Written in the transaction that did it.';
comment on column clawback_v1.actions.actor is 'The person, where the owner''s role says who it is; else the role.';
comment on column clawback_v1.actions.role is 'The database role that was logged in.';
comment on column clawback_v1.actions.via is 'console, cli or sql.';
comment on column clawback_v1.actions.detail is 'What else there is to know; a name that was claimed and not believed.';

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
    'Who paid: personal data, for those who may see it. One row per payment of which somebody is known.';
comment on column clawback_v1.payment_people.payment_id is 'The payment, as in payments.';
comment on column clawback_v1.payment_people.customer_id is 'Stripe''s customer, as last seen.';
comment on column clawback_v1.payment_people.email is 'E-mail address, as last seen.';
comment on column clawback_v1.payment_people.name is 'Name, as last seen.';

// Generated from the database by `make reference`: do not edit.
//
// Rows as `pg` reads them by default: `bigint` and `numeric` as string, `timestamptz` and `date` as Date, `jsonb` as its value.

/** One row per order, account, mode and currency: what was paid, refunded, disputed and lost, and whether to hold the shipment. */
export interface Order {
  /** Your reference for the order. */
  order_id: string;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Lower-case ISO code; null while it is not known. An order in two currencies has two rows. */
  currency: string | null;
  /** The first that applies: disputed, inquiry, charged_back, partially_charged_back, refunded, partially_refunded, paid, authorized, canceled, failed, pending, unknown. */
  state: string;
  /** Captured, in minor units; null until a charge or PaymentIntent was seen. paid does not mean paid in full: compare it with the price of the order. */
  amount_paid: string | null;
  /** Refunded, in minor units, pending refunds included. Decreases when a refund fails or is canceled. */
  amount_refunded: string;
  /** In open chargebacks, in minor units. */
  amount_disputed: string;
  /** Lost in closed disputes, in minor units. */
  amount_lost: string;
  /** Do not ship: a dispute is open, a fraud warning is actionable, or a review is open. */
  hold: boolean;
  /** Number of open disputes, inquiries included. */
  open_disputes: number;
  /** Nearest deadline of a dispute that awaits evidence; null when none does. */
  evidence_due_by: Date | null;
  /** When a column of this row last changed. */
  updated_at: Date;
}

/** One row per PaymentIntent, or per charge without one. */
export interface Payment {
  /** ID of the PaymentIntent, or of the charge where there is none. */
  payment_id: string;
  /** From link_payment, else from the metadata of the PaymentIntent, the charge or the Checkout Session, else client_reference_id; null while the payment is unlinked. */
  order_id: string | null;
  /** The captured charge, else the newest; null while there is none. */
  charge_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Stripe's type of payment method, such as card or klarna, of that charge. */
  payment_method: string | null;
  /** Stripe's code for why that charge failed. */
  failure_code: string | null;
  /** Stripe's reason why the PaymentIntent was canceled. */
  cancellation_reason: string | null;
  /** Lower-case ISO code; null while it is not known. */
  currency: string | null;
  /** Requested, in minor units; null while it is not known. */
  amount: string | null;
  /** Captured, in minor units; null until a charge or PaymentIntent was seen. */
  amount_paid: string | null;
  /** Refunded, in minor units, pending refunds included. Decreases when a refund fails or is canceled. */
  amount_refunded: string;
  /** In open chargebacks, in minor units. */
  amount_disputed: string;
  /** Lost in closed disputes, in minor units. */
  amount_lost: string;
  /** As in orders, for this payment alone. */
  state: string;
  /** Do not ship: a dispute is open, a fraud warning is actionable, or a review is open. */
  hold: boolean;
  /** Nearest deadline of a dispute that awaits evidence; null when none does. */
  evidence_due_by: Date | null;
  /** When a column of this row last changed. */
  updated_at: Date;
}

/** One row per refund. A succeeded refund can still fail weeks later. */
export interface Refund {
  /** Stripe's ID. */
  refund_id: string;
  /** The payment it belongs to, as in payments; null while no charge or PaymentIntent names one. */
  payment_id: string | null;
  /** The order the payment is for; null while it is unlinked. */
  order_id: string | null;
  /** The charge it belongs to; null while it is not known. */
  charge_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Refunded, in minor units. */
  amount: string;
  /** Lower-case ISO code of the amounts. */
  currency: string;
  /** Stripe's status: pending, requires_action, succeeded, failed or canceled; a status Stripe adds later is shown as it is. */
  status: string;
  /** Stripe's reason, such as requested_by_customer. */
  reason: string | null;
  /** Stripe's reason why the refund failed. */
  failure_reason: string | null;
  /** An authorization, or the rest of one, was released: no captured money was refunded. Not counted in amount_refunded. */
  is_release: boolean;
  /** Where the money goes: Stripe's type, such as card. */
  destination_type: string | null;
  /** Reference by which the customer's bank finds the refund, such as an ARN. */
  reference: string | null;
  /** Stripe's status of the reference: pending, available or unavailable. */
  reference_status: string | null;
  /** Stripe's reason why the refund is pending. */
  pending_reason: string | null;
  /** Key of the request that created the refund through Clawback; null for one created elsewhere. */
  request_key: string | null;
  /** The refund's metadata at Stripe. */
  metadata: unknown | null;
  /** When it was created at Stripe. */
  created_at: Date;
  /** When a column of this row last changed. */
  updated_at: Date;
}

/** One row per dispute, from inquiry to appeal. */
export interface Dispute {
  /** Stripe's ID. */
  dispute_id: string;
  /** The payment it belongs to, as in payments; null while no charge or PaymentIntent names one. */
  payment_id: string | null;
  /** The order the payment is for; null while it is unlinked. */
  order_id: string | null;
  /** The charge it belongs to; null while it is not known. */
  charge_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Stripe's type of payment method, such as card or klarna; null where Stripe does not name it. */
  payment_method: string | null;
  /** Evidence is awaited and accepted: false when the status, the deadline or the payment method rules it out. */
  can_respond: boolean;
  /** Disputed, in minor units. */
  amount: string;
  /** Lost, in minor units of currency; 0 while the dispute is open. */
  amount_lost: string;
  /** Lower-case ISO code of the amounts. */
  currency: string;
  /** Stripe's reason, such as fraudulent or product_not_received. */
  reason: string | null;
  /** Reason code of the card network. */
  network_reason_code: string | null;
  /** Stripe's status, such as needs_response, under_review, won or lost. */
  status: string;
  /** inquiry, chargeback, appeal, compliance or prevention. An inquiry that becomes a chargeback enters a new phase, and so does an appeal. */
  phase: string;
  /** won, lost, warning_closed or prevented; null while it is open. A lost dispute can still be won later. */
  outcome: string | null;
  /** Deadline for evidence; null when it is not known or no response is allowed. */
  evidence_due_by: Date | null;
  /** Evidence is staged. It is not necessarily submitted. */
  has_evidence: boolean;
  /** Stripe says that the last submission came after the deadline. */
  past_due: boolean;
  /** How often evidence was submitted. Normally it can be submitted once. */
  submission_count: string;
  /** Stripe's word for how the response will be submitted at the deadline, such as prefer_manual. */
  intended_submission_method: string | null;
  /** Stripe's word for how the response was submitted, such as manual. */
  submission_method: string | null;
  /** Network programmes for which the evidence qualifies, as Stripe shows them. */
  enhanced_eligibility: unknown | null;
  /** Stripe says that the charge can still be refunded. */
  is_charge_refundable: boolean | null;
  /** Withdrawn from the balance, as a positive amount in minor units of settlement_currency. */
  amount_withdrawn: string;
  /** Returned to the balance, in minor units of settlement_currency. Can be above 0 for a lost dispute. */
  amount_reinstated: string;
  /** Dispute fees, in minor units of settlement_currency. */
  fee: string;
  /** Lower-case ISO code of the balance; null while no money has moved. */
  settlement_currency: string | null;
  /** When it was created at Stripe. */
  created_at: Date;
  /** When a column of this row last changed. */
  updated_at: Date;
}

/** One row per early fraud warning. */
export interface FraudWarning {
  /** Stripe's ID. */
  warning_id: string;
  /** The payment it belongs to, as in payments; null while no charge or PaymentIntent names one. */
  payment_id: string | null;
  /** The order the payment is for; null while it is unlinked. */
  order_id: string | null;
  /** The charge it belongs to; null while it is not known. */
  charge_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Stripe's type of fraud, such as made_with_stolen_card. */
  fraud_type: string | null;
  /** A refund can still prevent a dispute: Stripe says so, the charge has neither a dispute nor a full refund since, and nobody dismissed the warning. */
  actionable: boolean;
  /** When it was created at Stripe. */
  created_at: Date;
}

/** One row per Radar review. Do not ship while it is open. */
export interface Review {
  /** Stripe's ID. */
  review_id: string;
  /** The payment it belongs to, as in payments; null while no charge or PaymentIntent names one. */
  payment_id: string | null;
  /** The order the payment is for; null while it is unlinked. */
  order_id: string | null;
  /** The charge it belongs to; null while it is not known. */
  charge_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** No decision has been made yet: do not ship. */
  open: boolean;
  /** Stripe's reason why it was opened: rule or manual. */
  opened_reason: string | null;
  /** Stripe's reason why it was closed, such as approved or refunded_as_fraud; null while it is open. */
  closed_reason: string | null;
  /** When it was created at Stripe. */
  created_at: Date;
}

/** Append-only change feed of orders: a row whenever the state, hold, deadline, number of open disputes or any amount changes, with all values after the change. Payments have rows of their own while they are unlinked. Keep the last ID you read and select rows with a greater ID. */
export interface OrderChange {
  /** Assigned in commit order, so it is a safe cursor. */
  id: string;
  /** The order; null for a payment that was unlinked at that time. */
  order_id: string | null;
  /** The payment whose change caused the row. While order_id is null, the row is about this payment. */
  payment_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Lower-case ISO code; null while it is not known. */
  currency: string | null;
  /** State before; null in the first row. Equal to to_state when only other values changed. */
  from_state: string | null;
  /** State after; null when the order or payment no longer has a row of its own (it was linked, merged or moved). Its amounts are then 0, and the row that takes over follows. */
  to_state: string | null;
  /** As in orders, after the change. */
  amount_paid: string | null;
  /** As in orders, after the change. */
  amount_refunded: string;
  /** As in orders, after the change. */
  amount_disputed: string;
  /** As in orders, after the change. */
  amount_lost: string;
  /** As in orders, after the change. */
  hold: boolean;
  /** As in orders, after the change. */
  open_disputes: number;
  /** As in orders, after the change. */
  evidence_due_by: Date | null;
  /** The event that caused the change; null after a rebuild. */
  event_id: string | null;
  /** Type of that event; clawback.rebuilt after a rebuild. */
  event_type: string;
  /** When that event was created at Stripe. Rows are in order of arrival, which can differ. */
  event_created_at: Date | null;
  /** When the row was written. */
  recorded_at: Date;
}

/** One row per acknowledged event. */
export interface Event {
  /** Stripe's ID. */
  event_id: string;
  /** Stripe's event type, such as charge.refunded. */
  type: string;
  /** Stripe API version of the event. */
  api_version: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean | null;
  /** ID of the object in the event. */
  object_id: string | null;
  /** The payment the event belongs to; null while it is not processed or belongs to none. */
  payment_id: string | null;
  /** When the event was created at Stripe. Not a safe cursor: events arrive out of order. */
  created_at: Date | null;
  /** When it was stored. Not a safe cursor either: commits overtake each other. */
  received_at: Date;
  /** pending, processed, ignored (no object that Clawback reads, or livemode does not match the signing secret) or failed. */
  state: string;
  /** Attempts to process it, since it arrived or was last replayed. */
  attempts: number;
  /** Why it was ignored or failed, with the name of the field that cannot be read. For a processed event: the fields that could not be read and were treated as absent. */
  last_error: string | null;
  /** When it was processed, ignored or marked as failed; null while it is pending. */
  processed_at: Date | null;
  /** false: the body was pruned. */
  has_body: boolean | null;
}

/** The body of each event as received, with client secrets masked. No row: the body was pruned. Of a payment that was erased, without personal data. Contains personal data: granted by --payloads only. */
export interface EventPayload {
  /** As in events. */
  event_id: string;
  /** The JSON body, as text. */
  payload: string;
}

/** What is to be done: one row per kind, subject and round, never deleted. */
export interface FollowUp {
  /** Pass it to the functions, with the lease token of the claim. */
  id: string;
  /** What is to be done, such as notify_refund. Kinds that begin with stripe_ are reserved for Clawback. */
  kind: string;
  /** ID of the object it is about: a refund, dispute, charge, payment, warning or review. */
  subject: string;
  /** Tells follow-ups of one kind and subject apart: the phase of a dispute (with mark and date for a warning), the refunded total of a charge; else empty. */
  round: string;
  /** kind/subject/round as first created, such as notify_refund/re_1/ with an empty round. Never changes: use it as the idempotency key of calls to other systems. */
  key: string;
  /** The order the payment is for; null while it is unlinked. */
  order_id: string | null;
  /** The payment it belongs to, as in payments; null while no charge or PaymentIntent names one. */
  payment_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** What a consumer needs to know. Its fields depend on the kind and subject; amounts are in minor units. Empty ({}) once it has ended and was pruned. */
  payload: unknown;
  /** ready, leased, done, cancelled (no longer wanted), dead (attempts used up, or given up by a consumer), or discarded (by a person, or because it happened before the first start or a rebuild). */
  state: string;
  /** Whether the state of the payment still asks for it. */
  wanted: boolean;
  /** Earliest time at which it can be claimed. */
  run_at: Date;
  /** Deadline; null when there is none. */
  due_at: Date | null;
  /** Claims so far. A snooze is not counted. */
  attempts: number;
  /** After this many failed attempts it is dead. */
  max_attempts: number;
  /** Who claimed it last. */
  consumer: string | null;
  /** When the lease expires; null unless it is leased. */
  leased_until: Date | null;
  /** What the consumer passed to complete_follow_up: at most 16 kB, no personal data. Null once it was pruned. */
  result: unknown | null;
  /** Error of the last failed attempt, or why it was discarded on creation. */
  last_error: string | null;
  /** When it was created. */
  created_at: Date;
  /** When it became done, cancelled, dead or discarded. */
  finished_at: Date | null;
}

/** Append-only audit log: who replayed, requeued, discarded, linked or dismissed what, and why. Written in the transaction of the action. An erasure of personal data removes reasons. */
export interface Action {
  /** Ascending. */
  id: string;
  /** When. */
  at: Date;
  /** The person, as named by the owner's or the console's role; else the database role. */
  actor: string;
  /** The database role that was logged in. */
  role: string;
  /** console, cli or sql. */
  via: string;
  /** replay, requeue, discard, link, dismiss, request_refund, cancel_refund_request, stage_evidence, attach_evidence_file, detach_evidence_file, submit_evidence, accept_dispute, erase; log_in, log_out, log_in_refused in the console; announce_acceptance, staging_refused, response_refused, response_submitted, response_submitted_elsewhere, response_accepted by the service itself. Others may be added. */
  action: string;
  /** event, follow_up, payment, fraud_warning, dispute, session or database. */
  subject_kind: string;
  /** ID of what was acted on; of a session, the person. */
  subject: string;
  /** Why, in that person's words. */
  reason: string | null;
  /** Further details, such as the state before. */
  detail: unknown;
}

/** Who paid, as last seen: one row per payment with a known person. Personal data: granted by --payloads only. */
export interface PaymentPerson {
  /** As in payments. */
  payment_id: string;
  /** Stripe's customer ID. */
  customer_id: string | null;
  /** E-mail address. */
  email: string | null;
  /** Name. */
  name: string | null;
}

/** One row per refund requested through request_refund or request_payment_refund, with its state and the refund at Stripe. */
export interface RefundRequest {
  /** Returned by request_refund. Also the idempotency key at Stripe, and clawback_request in the refund's metadata. */
  id: string;
  /** Your key of the request: the same key for the same order or payment is the same request. */
  request_key: string;
  /** The order it was requested for, else the order of the payment; null while that is unlinked. */
  order_id: string | null;
  /** The payment that is refunded. */
  payment_id: string;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Lower-case ISO code. */
  currency: string;
  /** In minor units. Fixed by the first call. */
  amount: string;
  /** duplicate, fraudulent, requested_by_customer or null, as requested. */
  reason: string | null;
  /** requested, sent, unknown (sent, and Stripe's answer did not arrive: being looked up), pending (created, and Stripe has not paid it out yet), succeeded, failed (refused, or the refund failed or was canceled) or cancelled. succeeded becomes failed when the refund fails later. */
  state: string;
  /** Stripe's ID of the refund; null while none is known. */
  refund_id: string | null;
  /** Why it failed, or why it was not sent yet, with Stripe's error code and request ID. */
  error: string | null;
  /** The database role that requested it. */
  requested_by: string;
  /** The person who requested it, where the command line or the console named one; else the role. */
  actor: string;
  /** When it was requested. */
  created_at: Date;
  /** When a column of this row last changed. */
  updated_at: Date;
}

/** One row per response to a dispute in one phase: what is staged, its files, and its outcome. What was submitted stays as it was sent. Contains personal data: granted by --respond only. */
export interface DisputeResponse {
  /** The dispute. */
  dispute_id: string;
  /** inquiry, chargeback, appeal or compliance: a dispute that enters another phase takes another response. */
  phase: string;
  /** draft, submit_requested, submitted, submitted_elsewhere (by somebody else, such as in the Dashboard), rejected (refused by Stripe, see error: it can be changed and submitted again), accept_requested or accepted. */
  state: string;
  /** Text by evidence field, by Stripe's names; and product_kind: physical, digital or service. */
  fields: unknown;
  /** Array of {field, name, type, bytes, pages, sha256}. pages is null until they are counted, and when the file cannot be read. */
  files: unknown | null;
  /** Evidence fields that the reason calls for and that are not there. */
  missing: string[];
  /** Rises with every change. Functions that are given a version refuse to change a draft that has another. */
  version: string;
  /** Who changed the draft last. */
  staged_by: string | null;
  /** Who requested submission or acceptance; null while nobody did. */
  submitted_by: string | null;
  /** What Stripe refused last, with its error code and request ID; null since it succeeded. */
  error: string | null;
  /** When it was submitted or the dispute accepted; null before. */
  submitted_at: Date | null;
  /** When it last changed. */
  updated_at: Date;
  /** What Stripe filled in by itself: text or file ID by evidence field. Sent as well, unless a field of the draft replaces it. */
  held: unknown;
  /** What keeps the draft from being submitted, in words. Empty: it can be. */
  problems: string[];
  /** Stripe holds this version, not submitted. */
  is_staged: boolean | null;
  /** How Stripe would have responded by itself, before that was set to manual; null where Stripe offers no such thing. */
  former_method: string | null;
  /** When the dispute is accepted automatically, by the configured policy. Any change of the draft cancels that. */
  accept_after: Date | null;
}

/** Chargebacks and compliance cases by the month in which they were created, with how those that were answered ended. Inquiries and prevented disputes are not counted. Rows of past months change until every dispute of them is decided, and when a lost one is won later. */
export interface DisputeOutcome {
  /** First day of the month in UTC in which the disputes were created at Stripe. */
  month: Date | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Lower-case ISO code of the amounts. */
  currency: string;
  /** Stripe's reason, such as fraudulent or product_not_received. */
  reason: string | null;
  /** Reason code of the card network. */
  network_reason_code: string | null;
  /** Stripe's type of payment method, such as card or klarna; null where Stripe does not name it. */
  payment_method: string | null;
  /** How many were created, open, unanswered and accepted ones included. */
  disputes: string | null;
  /** Disputed in all of them, in minor units. */
  amount: string;
  /** How many of them were answered by you or by Clawback. An answer to the inquiry before does not count, nor does one that Stripe submitted by itself (Smart Disputes). */
  countered: string;
  /** How many of the answered ones were won, including those won after they were lost. */
  won: string | null;
  /** How many of the answered ones were lost, including those of which part of the money came back. */
  lost: string | null;
  /** Kept of the answered ones that are decided, in minor units: the amount of won ones, and what came back of lost ones. */
  amount_won: string | null;
  /** Lost of the answered ones that are decided, in minor units. */
  amount_lost: string;
  /** won / (won + lost), from 0 to 1; null while none is decided. Below ten decided disputes it says little. */
  win_rate: string | null;
}

/** Disputes in relation to card payments by month and card network, counted as the networks' monitoring programmes do. A lower bound: a network also counts disputes that Stripe settles without showing them, and charges whose network is not known are left out. Reads every payment: for reports, not for each request. */
export interface DisputeRatio {
  /** First day of the month in UTC in which the disputes and fraud warnings were created at Stripe. */
  month: Date | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** Card network of the charge, such as visa or mastercard. */
  card_brand: string | null;
  /** Captured card charges made in the month; for mastercard, in the month before. Payments at a terminal are not counted. */
  charges: string | null;
  /** Chargebacks and compliance cases created in the month, whatever their outcome. Inquiries and prevented disputes are not counted. */
  disputes: string | null;
  /** Early fraud warnings created in the month. A payment can have a warning and a dispute, and counts twice. */
  fraud_warnings: string | null;
  /** (disputes + fraud_warnings) / charges; for mastercard, disputes / charges. Null while there are no charges. */
  ratio: string | null;
}

/** The payload of a follow-up about a refund. Amounts are in minor units. */
export interface RefundPayload {
  /** Refunded, in minor units. */
  amount: number;
  /** The charge it belongs to; null while it is not known. */
  charge_id: string | null;
  /** Lower-case ISO code of the amounts. */
  currency: string;
  /** Stripe's reason why the refund failed. */
  failure_reason: string | null;
  /** Stripe's reason, such as requested_by_customer. */
  reason: string | null;
  /** Stripe's ID. */
  refund_id: string;
  /** Stripe's status: pending, requires_action, succeeded, failed or canceled; a status Stripe adds later is shown as it is. */
  status: string;
}

/** The payload of a follow-up about the response to a dispute that Stripe refused. Amounts are in minor units. */
export interface EvidencePayload {
  /** Disputed, in minor units. */
  amount: number;
  /** Stripe's error code, such as dispute_evidence_page_limit_exceeded; null where Stripe gave none. Its words are in dispute_responses.error. */
  code: string | null;
  /** Lower-case ISO code of the amounts. */
  currency: string;
  /** Stripe's ID. */
  dispute_id: string;
  /** The deadline for evidence; null when it is not known. */
  due_by: string | null;
  /** inquiry, chargeback, appeal, compliance or prevention. An inquiry that becomes a chargeback enters a new phase, and so does an appeal. */
  phase: string;
  /** Stripe's reason, such as fraudulent or product_not_received. */
  reason: string | null;
}

/** The payload of a follow-up about a dispute. Amounts are in minor units. */
export interface DisputePayload {
  /** Disputed, in minor units. */
  amount: number;
  /** Lost, in minor units of currency; 0 while the dispute is open. */
  amount_lost: number;
  /** Returned to the balance, in minor units of settlement_currency. Can be above 0 for a lost dispute. */
  amount_reinstated: number;
  /** Withdrawn from the balance, as a positive amount in minor units of settlement_currency. */
  amount_withdrawn: number;
  /** The charge it belongs to; null while it is not known. */
  charge_id: string | null;
  /** Lower-case ISO code of the amounts. */
  currency: string;
  /** Stripe's ID. */
  dispute_id: string;
  /** Reason code of the card network. */
  network_reason_code: string | null;
  /** won, lost, warning_closed or prevented; null while it is open. A lost dispute can still be won later. */
  outcome: string | null;
  /** inquiry, chargeback, appeal, compliance or prevention. An inquiry that becomes a chargeback enters a new phase, and so does an appeal. */
  phase: string;
  /** Stripe's reason, such as fraudulent or product_not_received. */
  reason: string | null;
  /** Lower-case ISO code of the balance; null while no money has moved. */
  settlement_currency: string | null;
  /** Stripe's status, such as needs_response, under_review, won or lost. */
  status: string;
}

/** The payload of a follow-up about an early fraud warning. Amounts are in minor units. */
export interface WarningPayload {
  /** The charge it belongs to; null while it is not known. */
  charge_id: string | null;
  /** Stripe's type of fraud, such as made_with_stolen_card. */
  fraud_type: string | null;
  /** Stripe's ID. */
  warning_id: string;
}

/** The payload of a follow-up about a Radar review. Amounts are in minor units. */
export interface ReviewPayload {
  /** closed_reason of the review, or opened_reason while it is open. */
  reason: string | null;
  /** Stripe's ID. */
  review_id: string;
}

/** The payload of a follow-up about a charge that shows more refunded than its known refunds. Amounts are in minor units. */
export interface ChargePayload {
  /** Refunded beyond the known refunds, in minor units. */
  amount: number;
  /** Captured, in minor units; null until a charge or PaymentIntent was seen. */
  amount_paid: number | null;
  /** Refunded in total, as the charge shows, in minor units. */
  amount_refunded: number;
  /** Stripe's ID of the charge. */
  charge_id: string;
  /** Lower-case ISO code of the amounts. */
  currency: string;
}

/** The payload of a follow-up about a refund request. Amounts are in minor units. */
export interface RequestPayload {
  /** In minor units. Fixed by the first call. */
  amount: number;
  /** Stripe's error code, such as charge_disputed; null where Stripe gave none. */
  code: string | null;
  /** Lower-case ISO code. */
  currency: string;
  /** Why Stripe refused it, with Stripe's request ID. */
  error: string;
  /** duplicate, fraudulent, requested_by_customer or null, as requested. */
  reason: string | null;
  /** The request: id in refund_requests. */
  request_id: string;
  /** Your key of the request: the same key for the same order or payment is the same request. */
  request_key: string;
}

/** The payload of a follow-up about a payment. Amounts are in minor units. */
export interface PaymentPayload {
  /** Lost in closed disputes, in minor units. */
  amount_lost: number;
  /** Captured, in minor units; null until a charge or PaymentIntent was seen. */
  amount_paid: number | null;
  /** Refunded, in minor units, pending refunds included. Decreases when a refund fails or is canceled. */
  amount_refunded: number;
  /** Lower-case ISO code; null while it is not known. */
  currency: string | null;
}

/** The payload of each kind of follow-up. */
export interface PayloadOf {
  cancel_fulfilment: PaymentPayload;
  collect_evidence: DisputePayload;
  consider_refund: DisputePayload | WarningPayload;
  decide_fulfilment: DisputePayload | WarningPayload | ReviewPayload;
  hold_fulfilment: DisputePayload | WarningPayload | ReviewPayload;
  mend_evidence: EvidencePayload;
  notify_refund: RefundPayload | ChargePayload;
  record_dispute_lost: DisputePayload;
  record_dispute_won: DisputePayload;
  release_fulfilment: DisputePayload | WarningPayload | ReviewPayload;
  resolve_failed_refund: RefundPayload;
  resolve_refused_request: RequestPayload;
  warn_evidence_due: DisputePayload;
}

/** A follow-up of kind K, as `claim_follow_ups` returns it. */
export interface FollowUpOf<K extends FollowUpKind> {
  /** Pass it to the functions, with the lease token of the claim. */
  id: string;
  /** What is to be done, such as notify_refund. Kinds that begin with stripe_ are reserved for Clawback. */
  kind: K;
  /** ID of the object it is about: a refund, dispute, charge, payment, warning or review. */
  subject: string;
  /** Tells follow-ups of one kind and subject apart: the phase of a dispute (with mark and date for a warning), the refunded total of a charge; else empty. */
  round: string;
  /** kind/subject/round as first created, such as notify_refund/re_1/ with an empty round. Never changes: use it as the idempotency key of calls to other systems. */
  key: string;
  /** The order the payment is for; null while it is unlinked. */
  order_id: string | null;
  /** The payment it belongs to, as in payments; null while no charge or PaymentIntent names one. */
  payment_id: string | null;
  /** Connected account; null for the platform account. */
  account: string | null;
  /** true in live mode, false in test mode. Filter on it in every query. */
  livemode: boolean;
  /** What a consumer needs to know. Its fields depend on the kind and subject; amounts are in minor units. Empty ({}) once it has ended and was pruned. */
  payload: PayloadOf[K];
  /** Number of this attempt, from 1. */
  attempt: number;
  /** After this many failed attempts it is dead. */
  max_attempts: number;
  /** Deadline; null when there is none. */
  due_at: Date | null;
  /** Proof of this lease: pass it to the functions that end or extend it. */
  lease_token: string;
  /** When the lease expires. */
  leased_until: Date;
}

export type FollowUpKind = keyof PayloadOf;

/** A claimed follow-up of any kind: `kind` tells which payload it has. */
export type ClaimedFollowUp = { [K in FollowUpKind]: FollowUpOf<K> }[FollowUpKind];

//! The tables below a statement: payments, refunds, requests, disputes, follow-ups, events, history, actions.

use maud::{Markup, html};
use time::OffsetDateTime;

use crate::console::pages::activity;
use crate::console::parts::{
    Head, Tone, amount, amount_above_zero, badge, code, code_or_none, deadline, disabled, foreign, moment, moment_ago,
    moment_or_none, money, nothing, state, table, to,
};
use crate::store::queries::{Activity, Dispute, Event, FollowUp, HistoryEntry, Payment, Refund, RefundRequest};

/// Rows of each table at most.
pub(super) const MANY: i64 = 200;

/// A heading and a table; nothing where there are no rows.
fn section(title: &str, heads: &[Head], count: usize, rows: &Markup) -> Markup {
    html! {
        @if count > 0 {
            h2 { (title) }
            (table(title, heads, rows))
            @if i64::try_from(count) == Ok(MANY) { p.hint { "At most " (MANY) " rows are shown." } }
        }
    }
}

pub(super) fn payments(payments: &[Payment], no_refunds: Option<&str>) -> Markup {
    let heads = [
        Head::Text("Payment"),
        Head::Text("State"),
        Head::Text("Method"),
        Head::Number("Paid"),
        Head::Number("Refunded"),
        Head::Number("Disputed"),
        Head::Number("Lost"),
        Head::Text("Actions"),
    ];
    section(
        "Payments",
        &heads,
        payments.len(),
        &html! { @for payment in payments { (payment_row(payment, no_refunds)) } },
    )
}

fn payment_row(payment: &Payment, no_refunds: Option<&str>) -> Markup {
    let currency = payment.currency.as_deref();
    html! {
        tr data-key=(payment.payment_id) {
            td {
                (code(&payment.payment_id))
                @if let Some(charge_id) = payment.charge_id.as_ref().filter(|id| **id != payment.payment_id) { br; (code(charge_id)) }
            }
            td {
                (state(&payment.state))
                @for word in [&payment.failure_code, &payment.cancellation_reason].into_iter().flatten() { " " (code(word)) }
            }
            td { (code_or_none(payment.payment_method.as_deref())) }
            td.number { (amount(payment.amount_paid, currency)) }
            td.number { (amount_above_zero(payment.amount_refunded, currency)) }
            td.number { (amount_above_zero(payment.amount_disputed, currency)) }
            td.number { (amount_above_zero(payment.amount_lost, currency)) }
            td {
                (refund_button(payment, no_refunds)) " "
                @if payment.order_id.is_some() {
                    a href={ (to("/payments/", &payment.payment_id)) "/link" } { "Link to another order" }
                }
            }
        }
    }
}

fn refund_button(payment: &Payment, no_refunds: Option<&str>) -> Markup {
    let gone = payment.amount_refunded + payment.amount_lost + payment.amount_disputed;
    match (no_refunds, payment.amount_paid.unwrap_or(0) - gone) {
        (_, ..=0) if payment.amount_disputed > 0 => disabled("Refund", "It is in an open chargeback."),
        (_, ..=0) => disabled("Refund", "Nothing is left."),
        (Some(why), _) => disabled("Refund", why),
        (None, _) => html! { a.button href={ (to("/payments/", &payment.payment_id)) "/refund" } { "Refund" } },
    }
}

pub(super) fn refunds(refunds: &[Refund]) -> Markup {
    let heads = [
        Head::Text("Refund"),
        Head::Number("Amount"),
        Head::Text("Status"),
        Head::Text("Reason"),
        Head::Text("Bank reference"),
        Head::Text("Made"),
    ];
    let rows = html! { @for refund in refunds {
        tr data-key=(refund.refund_id) {
            td { (code(&refund.refund_id)) @if refund.is_release { " " (badge(Tone::Calm, "release")) } }
            td.number { (money(refund.amount, &refund.currency)) }
            td {
                (state(&refund.status))
                @for word in [&refund.failure_reason, &refund.pending_reason].into_iter().flatten() { " " (code(word)) }
            }
            td { (code_or_none(refund.reason.as_deref())) }
            td { (code_or_none(refund.reference.as_deref())) }
            td { (moment(refund.created_at)) }
        }
    } };
    section("Refunds", &heads, refunds.len(), &rows)
}

pub(super) fn requests(requests: &[RefundRequest], now: OffsetDateTime) -> Markup {
    let heads = [
        Head::Text("Request"),
        Head::Number("Amount"),
        Head::Text("State"),
        Head::Text("Reason"),
        Head::Text("Requested by"),
        Head::Text("Requested"),
    ];
    let rows = html! { @for request in requests {
        tr data-key=(request.id) {
            td { a href=(to("/refunds/", &request.id.to_string())) { code { (request.id) } } }
            td.number { (money(request.amount, &request.currency)) }
            td.wide { (state(&request.state)) @if let Some(error) = &request.error { " " (foreign(error)) } }
            td { (code_or_none(request.reason.as_deref())) }
            td { (foreign(&request.actor)) }
            td { (moment_ago(request.created_at, now)) }
        }
    } };
    section("Refund requests", &heads, requests.len(), &rows)
}

pub(super) fn disputes(disputes: &[Dispute], now: OffsetDateTime) -> Markup {
    let heads = [
        Head::Text("Dispute"),
        Head::Number("Amount"),
        Head::Text("Phase"),
        Head::Text("Status"),
        Head::Text("Reason"),
        Head::Text("Deadline"),
    ];
    let rows = html! { @for dispute in disputes {
        tr data-key=(dispute.dispute_id) {
            td { a href=(to("/disputes/", &dispute.dispute_id)) { (code(&dispute.dispute_id)) } }
            td.number { (money(dispute.amount, &dispute.currency)) }
            td { (code(&dispute.phase)) }
            td { (state(&dispute.status)) }
            td { (code_or_none(dispute.reason.as_deref())) }
            td { @match (dispute.evidence_due_by, &dispute.outcome) {
                (Some(at), None) => (deadline(at, now)),
                (_, _) => (nothing()),
            } }
        }
    } };
    section("Disputes", &heads, disputes.len(), &rows)
}

pub(super) fn follow_ups(follow_ups: &[FollowUp], now: OffsetDateTime) -> Markup {
    let heads = [
        Head::Text("Follow-up"),
        Head::Text("Kind"),
        Head::Text("About"),
        Head::Text("State"),
        Head::Text("Due"),
        Head::Text("Enqueued"),
    ];
    let rows = html! { @for follow_up in follow_ups {
        tr data-key=(follow_up.id) {
            td { a href=(to("/follow-ups/", &follow_up.id.to_string())) { (follow_up.id) } }
            td { (code(&follow_up.kind)) }
            td { (code(&follow_up.subject)) }
            td.wide { (state(&follow_up.state)) @if let Some(error) = &follow_up.last_error { " " (foreign(error)) } }
            td { @match (follow_up.due_at, follow_up.finished_at) {
                (Some(at), None) => (deadline(at, now)),
                (at, _) => (moment_or_none(at)),
            } }
            td { (moment(follow_up.created_at)) }
        }
    } };
    section("Follow-ups", &heads, follow_ups.len(), &rows)
}

pub(super) fn unprocessed(events: &[Event]) -> Markup {
    let heads =
        [Head::Text("Event"), Head::Text("Type"), Head::Text("State"), Head::Text("Received"), Head::Text("Error")];
    let rows = html! { @for event in events {
        tr data-key=(event.event_id) {
            td { a href=(to("/events/", &event.event_id)) { (code(&event.event_id)) } }
            td { (code(&event.event_type)) }
            td { (state(&event.state)) }
            td { (moment(event.received_at)) }
            td.wide { @match &event.last_error { Some(error) => (foreign(error)), None => (nothing()) } }
        }
    } };
    section("Events that were not processed", &heads, events.len(), &rows)
}

pub(super) fn history(history: &[HistoryEntry]) -> Markup {
    let heads = [
        Head::Text("Recorded"),
        Head::Text("From"),
        Head::Text("To"),
        Head::Number("Paid"),
        Head::Number("Refunded"),
        Head::Number("Disputed"),
        Head::Number("Lost"),
        Head::Text("Event"),
        Head::Text("Happened"),
    ];
    section("History, in order of arrival", &heads, history.len(), &html! { @for entry in history { (change(entry)) } })
}

fn change(entry: &HistoryEntry) -> Markup {
    let currency = entry.currency.as_deref();
    html! {
        tr {
            td { (moment(entry.recorded_at)) }
            td { @match &entry.from_state { Some(from) => (state(from)), None => (nothing()) } }
            td {
                @match &entry.to_state { Some(to) => (state(to)), None => (nothing()) }
                @if entry.hold { " " (badge(Tone::Warn, "hold")) }
            }
            td.number { (amount(entry.amount_paid, currency)) }
            td.number { (amount_above_zero(entry.amount_refunded, currency)) }
            td.number { (amount_above_zero(entry.amount_disputed, currency)) }
            td.number { (amount_above_zero(entry.amount_lost, currency)) }
            td { @match (&entry.event_id, &entry.event_type) {
                (Some(id), kind) => a href=(to("/events/", id)) { (code(kind.as_ref().unwrap_or(id))) },
                (None, _) => "rebuild",
            } }
            td { (moment_or_none(entry.happened_at)) }
        }
    }
}

pub(super) fn actions(actions: &[Activity], now: OffsetDateTime) -> Markup {
    html! { @if !actions.is_empty() { h2 { "Who did what" } (activity::listed("Who did what", actions, now)) } }
}

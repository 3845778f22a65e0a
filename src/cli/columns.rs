//! The columns that several commands show.

use crate::store::queries::{Action, Event, Order, Payment};
use crate::terminal::table::{Cell, Column, column, if_any, if_mixed, spare};

pub(super) const ORDERS: &[Column<Order>] = &[
    if_mixed("mode", |order| Cell::mode(order.livemode)),
    if_mixed("account", |order| Cell::optional(&order.account)),
    column("order", |order| Cell::text(&order.order_id)),
    column("state", |order| Cell::state(&order.state)),
    column("paid", |order| Cell::money(order.amount_paid, &order.currency)),
    if_any("refunded", |order| Cell::some_money(order.amount_refunded, &order.currency)),
    if_any("disputed", |order| Cell::some_money(order.amount_disputed, &order.currency)),
    if_any("lost", |order| Cell::some_money(order.amount_lost, &order.currency)),
    if_any("hold", |order| Cell::flag(order.hold, "hold")),
    if_any("evidence due", |order| Cell::time(order.evidence_due_by)),
    spare("changed", |order| Cell::Time(order.updated_at)),
];

pub(super) const PAYMENTS: &[Column<Payment>] = &[
    if_mixed("mode", |payment| Cell::mode(payment.livemode)),
    if_mixed("account", |payment| Cell::optional(&payment.account)),
    column("payment", |payment| Cell::text(&payment.payment_id)),
    if_any("order", |payment| Cell::optional(&payment.order_id)),
    column("state", |payment| Cell::state(&payment.state)),
    column("paid", |payment| Cell::money(payment.amount_paid, &payment.currency)),
    if_any("refunded", |payment| Cell::some_money(payment.amount_refunded, &payment.currency)),
    if_any("disputed", |payment| Cell::some_money(payment.amount_disputed, &payment.currency)),
    if_any("lost", |payment| Cell::some_money(payment.amount_lost, &payment.currency)),
    if_any("hold", |payment| Cell::flag(payment.hold, "hold")),
    spare("failure", |payment| Cell::optional(&payment.failure_code)),
    spare("changed", |payment| Cell::Time(payment.updated_at)),
];

pub(super) const EVENTS: &[Column<Event>] = &[
    if_mixed("mode", |event| event.livemode.map_or(Cell::Nothing, Cell::mode)),
    if_mixed("account", |event| Cell::optional(&event.account)),
    column("event", |event| Cell::text(&event.event_id)),
    column("type", |event| Cell::text(&event.event_type)),
    column("state", |event| Cell::state(&event.state)),
    spare("received", |event| Cell::Time(event.received_at)),
    spare("object", |event| Cell::optional(&event.object_id)),
    if_any("error", |event| Cell::optional(&event.last_error)),
];

pub(super) const ACTIONS: &[Column<Action>] = &[
    column("at", |action| Cell::Time(action.at)),
    column("action", |action| Cell::text(&action.action)),
    column("actor", |action| Cell::text(&action.actor)),
    column("role", |action| Cell::text(&action.role)),
    column("via", |action| Cell::text(&action.via)),
    if_any("reason", |action| Cell::optional(&action.reason)),
];

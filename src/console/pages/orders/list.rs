//! Orders by their last change, with filters that stand in the address.

use axum::response::Response;
use maud::{Markup, html};
use strum::VariantNames;
use time::OffsetDateTime;

use super::Asked;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::list::{self, MODES, Window, address, choice, filled, known, livemode};
use crate::console::parts::{
    Head, Tone, amount, amount_above_zero, badge, code, deadline, foreign, moment_ago, nothing, state, table, to,
};
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::domain;
use crate::store::queries::{self, Order, OrderFilter};

pub(super) async fn show(console: &Console, who: &Who, asked: Asked) -> Result<Response, Failure> {
    let filter = filter(&asked)?;
    let mut tx = console.reading().await?;
    let orders = queries::orders(&mut tx, &filter, &asked.cursor.page()).await?;
    let orders = asked.cursor.window(orders, |order| order.order_id.clone());
    let view = View { asked, orders, now: now() };
    Ok(console.show(who, view.now, &Page::list("Orders", Section::Orders, view.content())))
}

fn filter(asked: &Asked) -> Result<OrderFilter, Failure> {
    known("state", &asked.state, domain::State::VARIANTS)?;
    known("mode", &asked.mode, &MODES)?;
    let hold = (!asked.hold.is_empty()).then_some(true);
    Ok(OrderFilter { state: filled(&asked.state), hold, livemode: livemode(&asked.mode), ..OrderFilter::default() })
}

pub(super) struct View {
    pub asked: Asked,
    pub orders: Window<Order>,
    pub now: OffsetDateTime,
}

const HEADS: [Head; 8] = [
    Head::Text("Order"),
    Head::Text("State"),
    Head::Number("Paid"),
    Head::Number("Refunded"),
    Head::Number("Disputed"),
    Head::Number("Lost"),
    Head::Text("Evidence due"),
    Head::Text("Changed"),
];

impl View {
    pub(super) fn content(&self) -> Markup {
        let rows = html! { @for order in &self.orders.rows { (self.row(order)) } };
        html! {
            (filters(&self.asked))
            p { a href="~/unlinked" { "Payments that are linked to no order" } }
            section data-region="orders" {
                @if self.orders.rows.is_empty() {
                    (self.asked.cursor.empty("No order matches.", &self.address(), self.now))
                } @else {
                    (table("Orders, the last changed first", &HEADS, &rows))
                }
                (self.orders.pager(&self.address()))
            }
        }
    }

    fn address(&self) -> String {
        let Asked { state, hold, mode, .. } = &self.asked;
        address("~/orders", &[("state", state), ("hold", hold), ("mode", mode)])
    }

    fn row(&self, order: &Order) -> Markup {
        let currency = order.currency.as_deref();
        html! {
            tr data-key=(key(order)) {
                td {
                    a href=(to("/orders?id=", &order.order_id)) { (foreign(&order.order_id)) }
                    @if order.hold { " " (badge(Tone::Warn, "hold")) }
                    @if !order.livemode { " " (badge(Tone::Warn, "test")) }
                    @if let Some(account) = &order.account { " " (code(account)) }
                }
                td { (state(&order.state)) }
                td.number { (amount(order.amount_paid, currency)) }
                td.number { (amount_above_zero(order.amount_refunded, currency)) }
                td.number { (amount_above_zero(order.amount_disputed, currency)) }
                td.number { (amount_above_zero(order.amount_lost, currency)) }
                td { @match order.evidence_due_by { Some(at) => (deadline(at, self.now)), None => (nothing()) } }
                td { (moment_ago(order.updated_at, self.now)) }
            }
        }
    }
}

/// One reference can be several orders.
fn key(order: &Order) -> String {
    let account = order.account.as_deref().unwrap_or_default();
    format!("{} {account} {} {}", order.order_id, order.livemode, order.currency.as_deref().unwrap_or_default())
}

fn filters(asked: &Asked) -> Markup {
    html! {
        (list::filters("~/orders", [&asked.state, &asked.mode, &asked.hold].iter().any(|set| !set.is_empty()), &html! {
            (choice("State", "state", "any", domain::State::VARIANTS, &asked.state))
            (choice("Mode", "mode", "any", &MODES, &asked.mode))
            label { input type="checkbox" name="hold" value="1" checked[!asked.hold.is_empty()]; " on hold only" }
        }))
    }
}

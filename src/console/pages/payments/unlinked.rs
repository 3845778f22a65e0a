//! Payments that are linked to no order, the last changed first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use time::OffsetDateTime;

use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::list::{Cursor, Window};
use crate::console::parts::{Head, amount, code, code_or_none, mode, moment_ago, state, table, to};
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Payment, PaymentFilter};

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(cursor): Query<Cursor>,
) -> Result<Response, Failure> {
    let filter = PaymentFilter { unlinked: true, ..PaymentFilter::default() };
    let mut tx = console.reading().await?;
    let payments = queries::payments(&mut tx, &filter, &cursor.page()).await?;
    let payments = cursor.window(payments, |payment| payment.payment_id.clone());
    let view = View { cursor, payments, now: now() };
    Ok(console.show(&who, view.now, &Page::list("Unlinked payments", Section::Orders, view.content())))
}

pub(super) struct View {
    pub cursor: Cursor,
    pub payments: Window<Payment>,
    pub now: OffsetDateTime,
}

const HEADS: [Head; 7] = [
    Head::Text("Payment"),
    Head::Text("State"),
    Head::Number("Paid"),
    Head::Text("Method"),
    Head::Text("Mode"),
    Head::Text("Changed"),
    Head::Text("Actions"),
];

impl View {
    pub(super) fn content(&self) -> Markup {
        let rows = html! { @for payment in &self.payments.rows { (self.row(payment)) } };
        html! {
            p { "These payments name no order, or one that is not recognized." }
            section data-region="unlinked" {
                @if self.payments.rows.is_empty() {
                    (self.cursor.empty("Every payment is linked to an order.", "~/unlinked", self.now))
                } @else {
                    (table("Unlinked payments", &HEADS, &rows))
                }
                (self.payments.pager("~/unlinked"))
            }
        }
    }

    fn row(&self, payment: &Payment) -> Markup {
        html! {
            tr data-key=(payment.payment_id) {
                td { a href=(to("/orders?id=", &payment.payment_id)) { (code(&payment.payment_id)) } }
                td { (state(&payment.state)) }
                td.number { (amount(payment.amount_paid, payment.currency.as_deref())) }
                td { (code_or_none(payment.payment_method.as_deref())) }
                td { (mode(payment.livemode)) @if let Some(account) = &payment.account { " " (code(account)) } }
                td { (moment_ago(payment.updated_at, self.now)) }
                td { a href={ (to("/payments/", &payment.payment_id)) "/link" } { "Link to an order" } }
            }
        }
    }
}

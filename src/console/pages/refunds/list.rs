//! Refund requests, or the refunds at Stripe, the newest first, with filters that stand in the address.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::frame::{Page, Section};
use crate::console::list::{Cursor, Window, address, choice, filled, filters, known};
use crate::console::parts::{
    Head, Tone, badge, code, code_or_none, foreign, mode, moment_ago, money, order_link, state, table, to,
};
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Refund, RefundFilter, RefundRequest, RequestFilter};

/// States of requests.
const STATES: [&str; 7] = ["requested", "sent", "unknown", "pending", "succeeded", "failed", "cancelled"];
/// Statuses of refunds that Stripe has now.
const STATUSES: [&str; 5] = ["pending", "requires_action", "succeeded", "failed", "canceled"];

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(in crate::console) struct Asked {
    /// `stripe` for the refunds at Stripe; else the requests.
    #[serde(default)]
    pub list: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub order: String,
    #[serde(flatten)]
    pub cursor: Cursor,
}

/// The rows of one of the two lists.
pub(super) enum Rows {
    Requests(Window<RefundRequest>),
    AtStripe(Window<Refund>),
}

pub(in crate::console) async fn show(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let (list, words) = match asked.list.as_str() {
        "stripe" => ("status", STATUSES.as_slice()),
        _ => ("state", STATES.as_slice()),
    };
    known(list, &asked.state, words)?;
    let (state, order_id, page) = (filled(&asked.state), filled(&asked.order), asked.cursor.page());
    let mut tx = console.reading().await?;
    let rows = if asked.list == "stripe" {
        let filter = RefundFilter { status: state, order_id, ..RefundFilter::default() };
        let refunds = queries::refunds(&mut tx, &filter, &page).await?;
        Rows::AtStripe(asked.cursor.window(refunds, |refund| refund.refund_id.clone()))
    } else {
        let filter = RequestFilter { state, order_id, ..RequestFilter::default() };
        let requests = queries::refund_requests(&mut tx, &filter, &page).await?;
        Rows::Requests(asked.cursor.window(requests, |request| request.id.to_string()))
    };
    let view = View { asked, rows, now: now() };
    Ok(console.show(&who, view.now, &Page::list("Refunds", Section::Refunds, view.content())))
}

pub(super) struct View {
    pub asked: Asked,
    pub rows: Rows,
    pub now: OffsetDateTime,
}

const REQUESTS: [Head; 8] = [
    Head::Text("Request"),
    Head::Text("Order"),
    Head::Number("Amount"),
    Head::Text("State"),
    Head::Text("Reason"),
    Head::Text("Requested by"),
    Head::Text("Mode"),
    Head::Text("Requested"),
];

const AT_STRIPE: [Head; 7] = [
    Head::Text("Refund"),
    Head::Text("Order"),
    Head::Number("Amount"),
    Head::Text("Status"),
    Head::Text("Reason"),
    Head::Text("Mode"),
    Head::Text("Made"),
];

impl View {
    pub(super) fn content(&self) -> Markup {
        html! {
            (self.choice())
            (self.filters())
            section data-region="refunds" { @match &self.rows {
                Rows::Requests(window) => (self.requests(window)),
                Rows::AtStripe(window) => (self.at_stripe(window)),
            } }
        }
    }

    /// Which of the two lists.
    fn choice(&self) -> Markup {
        let is_at_stripe = matches!(self.rows, Rows::AtStripe(_));
        html! {
            nav.tabs aria-label="Lists of refunds" {
                a href="~/refunds" aria-current=[(!is_at_stripe).then_some("page")] { "Requested here" }
                a href="~/refunds?list=stripe" aria-current=[is_at_stripe.then_some("page")] { "All at Stripe" }
            }
        }
    }

    fn filters(&self) -> Markup {
        let (list, name, words) = match self.rows {
            Rows::Requests(_) => ("", "State", STATES.as_slice()),
            Rows::AtStripe(_) => ("stripe", "Status", STATUSES.as_slice()),
        };
        html! {
            (filters("~/refunds", !self.asked.state.is_empty() || !self.asked.order.is_empty(), &html! {
                @if !list.is_empty() { input type="hidden" name="list" value=(list); }
                (choice(name, "state", "any", words, &self.asked.state))
                label { "Order " input name="order" value=(self.asked.order) maxlength="2000" spellcheck="false"; }
            }))
        }
    }

    fn address(&self) -> String {
        let Asked { list, state, order, .. } = &self.asked;
        address("~/refunds", &[("list", list), ("state", state), ("order", order)])
    }

    /// What stands in place of no rows: `none` without filters, `no_match` with some.
    fn none(&self, none: &str, no_match: &str) -> Markup {
        let Asked { state, order, cursor, .. } = &self.asked;
        let sentence = if state.is_empty() && order.is_empty() { none } else { no_match };
        cursor.empty(sentence, &self.address(), self.now)
    }

    fn requests(&self, window: &Window<RefundRequest>) -> Markup {
        html! {
            @if window.rows.is_empty() {
                (self.none("No refund was requested yet.", "No refund request matches."))
            } @else {
                (table("Refund requests, the newest first", &REQUESTS, &html! { @for request in &window.rows { (self.request(request)) } }))
            }
            (window.pager(&self.address()))
        }
    }

    fn request(&self, request: &RefundRequest) -> Markup {
        html! {
            tr data-key=(request.id) {
                td { a href=(to("/refunds/", &request.id.to_string())) title=(request.id) { code { (short(request)) } } }
                td { (order_link(request.order_id.as_deref())) }
                td.number { (money(request.amount, &request.currency)) }
                td.wide { (state(&request.state)) @if let Some(error) = &request.error { " " (foreign(error)) } }
                td { (code_or_none(request.reason.as_deref())) }
                td { (foreign(&request.actor)) }
                td { (mode(request.livemode)) }
                td { (moment_ago(request.created_at, self.now)) }
            }
        }
    }

    fn at_stripe(&self, window: &Window<Refund>) -> Markup {
        html! {
            @if window.rows.is_empty() {
                (self.none("No refund was made yet.", "No refund matches."))
            } @else {
                (table("Refunds at Stripe, the newest first", &AT_STRIPE, &html! { @for refund in &window.rows { (self.refund(refund)) } }))
            }
            (window.pager(&self.address()))
        }
    }

    fn refund(&self, refund: &Refund) -> Markup {
        html! {
            tr data-key=(refund.refund_id) {
                td {
                    a href=(to("/orders?id=", &refund.refund_id)) { (code(&refund.refund_id)) }
                    @if refund.is_release { " " (badge(Tone::Calm, "release")) }
                }
                td { (order_link(refund.order_id.as_deref())) }
                td.number { (money(refund.amount, &refund.currency)) }
                td {
                    (state(&refund.status))
                    @for word in [&refund.failure_reason, &refund.pending_reason].into_iter().flatten() { " " (code(word)) }
                }
                td { (code_or_none(refund.reason.as_deref())) }
                td { (mode(refund.livemode)) }
                td { (moment_ago(refund.created_at, self.now)) }
            }
        }
    }
}

/// The beginning of a request's id.
fn short(request: &RefundRequest) -> String {
    request.id.to_string().chars().take(8).chain(['…']).collect()
}

//! Linking a payment to an order: what the payment is, whether an order of that name exists, and the link.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{customer, named, payment};
use crate::console::extract::{Form, Path, Query};
use crate::console::failure::{Failure, refusal};
use crate::console::form::{Problems, described_by, field, invalid};
use crate::console::frame::{Page, Section};
use crate::console::parts::{
    Tone, amount, badge, code, code_or_none, disabled, facts, mode, moment_ago, note, order_link, state, to,
};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Order, OrderFilter, Payment, PaymentFilter, Person, Whose};

/// Longest reference, in bytes, as `link_payment` takes it.
const LONGEST_REFERENCE: usize = 2_000;

/// The order that is meant; none: it is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Asked {
    order: Option<String>,
}

/// A link as it is sent.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Sent {
    #[serde(default)]
    order: String,
    /// The order that the payment was linked to when the page was made; empty: none.
    #[serde(default)]
    instead_of: String,
    /// The box that says that a new order is meant is ticked.
    #[serde(default)]
    is_new: String,
}

pub(in crate::console) async fn ask(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let mut tx = console.reading().await?;
    let payment = payment(&mut tx, &id).await?;
    let mut view = View::read(&mut tx, &who, payment, console.objection(&who, Right::Work)).await?;
    view.consider(&mut tx, asked.order.as_deref()).await?;
    Ok(view.shown(&console, &who))
}

pub(in crate::console) async fn link(
    State(console): State<Arc<Console>>,
    who: Who,
    Path(id): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let mut tx = console.acting(&who).await?;
    let payment = payment(&mut tx, &id).await?;
    // Of two who link it at once, the second sees what the first did.
    queries::take_turn(&mut tx).await?;
    let mut view = View::read(&mut tx, &who, payment, None).await?;
    view.consider(&mut tx, Some(&sent.order)).await?;
    let order = sent.order.trim();
    if !view.problems.is_empty() {
        return Ok(view.shown(&console, &who));
    }
    if view.linked_to.as_deref() == Some(order) {
        return Ok(console.see(&format!("{}/link", to("/payments/", &view.payment.payment_id))));
    }
    if view.linked_to.as_deref().unwrap_or_default() != sent.instead_of {
        view.is_conflict = true;
        return Ok(view.shown(&console, &who));
    }
    if view.is_new_order() && sent.is_new.is_empty() {
        view.problems.add("is_new", "Tick the box if a new order is meant, or look up another reference.");
        return Ok(view.shown(&console, &who));
    }
    if let Err(error) = queries::link_payment(&mut tx, &view.payment.payment_id, order).await {
        view.problems = Problems::one("order", refusal(&error).ok_or(error)?);
        return Ok(view.shown(&console, &who));
    }
    tx.commit().await?;
    Ok(console.see(&format!("{}/link", to("/payments/", &view.payment.payment_id))))
}

pub(super) struct View {
    pub payment: Payment,
    /// For those who may know.
    pub customer: Option<Person>,
    /// The order it is linked to, or is about to be.
    pub linked_to: Option<String>,
    /// That link is recorded, and not processed yet.
    pub is_pending: bool,
    /// What was typed.
    pub order: String,
    /// Orders of that reference; none: not looked up.
    pub existing: Option<Vec<Order>>,
    /// Who paid for that order before, for those who may know.
    pub payer: Option<Person>,
    pub problems: Problems,
    /// Somebody linked it meanwhile.
    pub is_conflict: bool,
    pub objection: Option<String>,
    pub now: OffsetDateTime,
}

impl View {
    async fn read(
        conn: &mut PgConnection,
        who: &Who,
        payment: Payment,
        objection: Option<String>,
    ) -> sqlx::Result<Self> {
        let last = queries::last_link(conn, &payment.payment_id).await?;
        let is_pending = last.is_some() && last != payment.order_id;
        let linked_to = last.or_else(|| payment.order_id.clone());
        Ok(Self {
            customer: customer(conn, who, &payment.payment_id).await?,
            payment,
            linked_to,
            is_pending,
            order: String::new(),
            existing: None,
            payer: None,
            problems: Problems::default(),
            is_conflict: false,
            objection,
            now: now(),
        })
    }

    /// Looks at the order that is meant.
    async fn consider(&mut self, conn: &mut PgConnection, order: Option<&str>) -> sqlx::Result<()> {
        let Some(order) = order else { return Ok(()) };
        self.order = order.to_owned();
        match order.trim() {
            "" => self.problems.add("order", "Enter the order’s reference."),
            order if order.len() > LONGEST_REFERENCE => {
                self.problems.add("order", "A reference has at most 2,000 bytes.");
            }
            order => {
                let filter = OrderFilter { order_id: Some(order.to_owned()), ..OrderFilter::default() };
                let page = queries::Page::first(20);
                self.existing = Some(queries::orders(conn, &filter, &page).await?);
                self.payer = self.payer_of(conn, order).await?;
            }
        }
        Ok(())
    }

    /// Who made the last changed of the other payments of an order; none for those who may not know.
    async fn payer_of(&self, conn: &mut PgConnection, order: &str) -> sqlx::Result<Option<Person>> {
        if self.customer.is_none() {
            return Ok(None);
        }
        let filter = PaymentFilter { order_id: Some(order.to_owned()), ..PaymentFilter::default() };
        let payments = queries::payments(conn, &filter, &queries::Page::first(2)).await?;
        match payments.iter().find(|payment| payment.payment_id != self.payment.payment_id) {
            Some(other) => Ok(queries::people(conn, Whose::Payment(&other.payment_id)).await?.pop()),
            None => Ok(None),
        }
    }

    fn shown(&self, console: &Console, who: &Who) -> Response {
        let status = match (self.problems.is_empty(), self.is_conflict) {
            (false, _) => StatusCode::UNPROCESSABLE_ENTITY,
            (true, true) => StatusCode::CONFLICT,
            (true, false) => StatusCode::OK,
        };
        let page = Page {
            title: "Link a payment to an order".to_owned(),
            section: Some(Section::Orders),
            is_test: !self.payment.livemode,
            refreshed: None,
            content: self.content(),
        };
        console.show_as(status, Some(who), self.now, &page)
    }

    pub(super) fn content(&self) -> Markup {
        html! {
            (self.problems.summary())
            @if self.is_conflict {
                (note(Tone::Warn, &html! { p {
                    "Nothing was changed: meanwhile somebody linked this payment to another order. Look at it again before you link it."
                } }))
            }
            div.cards {
                div.card { h2 { "The payment" } (facts(&self.facts())) }
                div.card { (self.question()) @if self.existing.is_some() { (self.answer()) } }
            }
        }
    }

    fn facts(&self) -> Vec<(&'static str, Markup)> {
        let payment = &self.payment;
        let mut shown = vec![
            ("Paid", html! { span.big { (amount(payment.amount_paid, payment.currency.as_deref())) } }),
            ("State", state(&payment.state)),
            ("Payment", html! { a href=(to("/orders?id=", &payment.payment_id)) { (code(&payment.payment_id)) } }),
            ("Charge", code_or_none(payment.charge_id.as_deref())),
            ("Method", code_or_none(payment.payment_method.as_deref())),
            ("Mode", mode(payment.livemode)),
        ];
        shown.extend(payment.account.as_deref().map(|account| ("Connected account", code(account))));
        shown.extend(self.customer.as_ref().map(named));
        shown.push(("Changed", moment_ago(payment.updated_at, self.now)));
        shown.push((
            "Linked to",
            html! {
                (order_link(self.linked_to.as_deref()))
                @if self.is_pending { " " (badge(Tone::Warn, "not processed yet")) }
            },
        ));
        shown
    }

    /// Asks which order it is.
    fn question(&self) -> Markup {
        let control = html! {
            input #order name="order" value=(self.order) required maxlength="2000" autocomplete="off" spellcheck="false"
                aria-describedby=[described_by("order", true, &self.problems)] aria-invalid=[invalid("order", &self.problems)];
        };
        let hint = "As your shop writes it. The next step says whether such an order exists.";
        html! {
            h2 { "The order" }
            form method="get" action={ (to("/payments/", &self.payment.payment_id)) "/link" } {
                (field("order", "Order reference", Some(hint), &self.problems, &control))
                button type="submit" { "Look it up" }
            }
        }
    }

    /// What is known of that order, and the button that links.
    fn answer(&self) -> Markup {
        let existing = self.existing.as_deref().unwrap_or_default();
        let order = self.order.trim();
        html! {
            h3 { (crate::console::parts::foreign(order)) }
            @if existing.is_empty() {
                (note(Tone::Warn, &html! { p {
                    "There is no order with this reference. Linking creates one, with this payment as its first. Check the spelling."
                } }))
            } @else {
                ul { @for order in existing { li { (known(order)) } } }
                @if !existing.iter().any(|order| self.is_its_own(order)) {
                    (note(Tone::Warn, &html! { p {
                        "The payment has another currency, mode or account: it becomes an order of its own with the same name."
                    } }))
                }
            }
            (self.other_customer())
            @if let Some(before) = self.linked_to.as_deref().filter(|before| *before != order) {
                p { "The payment is taken from order " (order_link(Some(before))) "." }
            }
            @if self.linked_to.as_deref() == Some(order) {
                p { "The payment is linked to this order already." }
            } @else { (self.confirm(order)) }
        }
    }

    /// Warns where somebody else paid for the order.
    fn other_customer(&self) -> Markup {
        let payers = self.customer.as_ref().zip(self.payer.as_ref());
        html! { @if let Some((_, payer)) = payers.filter(|(customer, payer)| are_different(customer, payer)) {
            (note(Tone::Warn, &html! {
                p { "Another customer paid for this order. Check that the payment belongs to it." }
                (named(payer).1)
            }))
        } }
    }

    /// An order is one for each account, mode and currency.
    fn is_its_own(&self, order: &Order) -> bool {
        let payment = &self.payment;
        (&order.account, order.livemode, &order.currency) == (&payment.account, payment.livemode, &payment.currency)
    }

    /// Whether linking creates an order.
    fn is_new_order(&self) -> bool {
        self.existing.as_ref().is_some_and(Vec::is_empty)
    }

    /// A second look at a reference that nobody has paid under yet.
    fn confirm_new(&self) -> Markup {
        html! { @if self.is_new_order() {
            div.field {
                @if let Some(problem) = self.problems.of("is_new") { p.problem #is_new-problem { (problem) } }
                label { input #is_new type="checkbox" name="is_new" value="1" required
                    aria-describedby=[described_by("is_new", false, &self.problems)] aria-invalid=[invalid("is_new", &self.problems)];
                    "Create a new order with this reference" }
            }
        } }
    }

    fn confirm(&self, order: &str) -> Markup {
        html! {
            form method="post" action={ (to("/payments/", &self.payment.payment_id)) "/link" } {
                input type="hidden" name="order" value=(order);
                input type="hidden" name="instead_of" value=(self.linked_to.as_deref().unwrap_or_default());
                (self.confirm_new())
                p.hint { "Overrides the payment’s metadata. It takes effect as soon as the service has processed it." }
                div.actions { @match &self.objection {
                    Some(why) => (disabled("Link", why)),
                    None => button.primary type="submit" { "Link" },
                } }
            }
        }
    }
}

/// Whether two people have different e-mail addresses, or, where one has none, different names.
fn are_different(one: &Person, other: &Person) -> bool {
    let (emails, names) = (one.email.as_ref().zip(other.email.as_ref()), one.name.as_ref().zip(other.name.as_ref()));
    emails.or(names).is_some_and(|(one, other)| one.to_lowercase() != other.to_lowercase())
}

/// An order of that reference: state, amount, mode.
fn known(order: &Order) -> Markup {
    html! {
        "An order exists: " (state(&order.state)) ", paid " (amount(order.amount_paid, order.currency.as_deref())) ", "
        @if order.livemode { "live mode" } @else { "test mode" }
        @if let Some(account) = &order.account { ", account " (code(account)) }
        ". " a href=(to("/orders?id=", &order.order_id)) { "Open it" }
    }
}

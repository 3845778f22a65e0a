//! Find: a Stripe ID, an order's reference or its beginning, or a customer's e-mail address. One hit leads there at once.
//!
//! People are found by their whole address only, so that nobody can leaf through customers.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::console::extract::Query;
use crate::console::failure::Failure;
use crate::console::frame::Page;
use crate::console::parts::{Head, amount, code, empty, foreign, moment_ago, nothing, order_link, state, table, to};
use crate::console::users::Right;
use crate::console::who::Who;
use crate::console::{Console, now};
use crate::store::queries::{self, Hit, Page as Rows, Payment, PaymentFilter, Person, Whose};

/// Orders that are offered by the beginning of their reference.
const ORDERS: i64 = 20;

/// What is looked for.
#[derive(Debug, Deserialize)]
pub(in crate::console) struct Asked {
    #[serde(default)]
    q: String,
}

pub(in crate::console) async fn find(
    State(console): State<Arc<Console>>,
    who: Who,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let term = asked.q.trim().to_owned();
    let mut tx = console.reading().await?;
    let found = Found::read(&mut tx, &term, who.may(Right::Payloads)).await?;
    if let [only] = found.places(&term).as_slice() {
        return Ok(console.see(only));
    }
    let view = View { term, found, may_see_people: who.may(Right::Payloads), now: now() };
    let (title, content) = ("Find".to_owned(), view.content());
    Ok(console.show(&who, view.now, &Page { title, section: None, is_test: false, refreshed: None, content }))
}

/// What was found, by the first way that found something.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// By the term as it is.
    Exact(Vec<Hit>),
    /// By e-mail address.
    People(Vec<(Person, Option<Payment>)>),
    /// References that begin with the term.
    Orders(Vec<String>),
}

impl Found {
    async fn read(conn: &mut PgConnection, term: &str, may_see_people: bool) -> sqlx::Result<Self> {
        if term.is_empty() {
            return Ok(Self::Nothing);
        }
        let hits = queries::look_up(conn, term).await?;
        if !hits.is_empty() {
            return Ok(Self::Exact(hits));
        }
        if term.contains('@') && may_see_people {
            let people = queries::people(conn, Whose::Email(term)).await?;
            if !people.is_empty() {
                return Ok(Self::People(with_payments(conn, people).await?));
            }
        }
        let orders = queries::orders_beginning_with(conn, term, ORDERS).await?;
        Ok(if orders.is_empty() { Self::Nothing } else { Self::Orders(orders) })
    }

    /// The pages of what was found.
    fn places(&self, term: &str) -> Vec<String> {
        let mut places: Vec<String> = match self {
            Self::Nothing => Vec::new(),
            Self::Exact(hits) => hits.iter().map(|hit| place(term, hit)).collect(),
            Self::People(people) => people.iter().map(|(person, _)| to("/orders?id=", &person.payment_id)).collect(),
            Self::Orders(orders) => orders.iter().map(|order_id| to("/orders?id=", order_id)).collect(),
        };
        places.dedup();
        places
    }
}

/// People, each with the payment they made.
async fn with_payments(conn: &mut PgConnection, people: Vec<Person>) -> sqlx::Result<Vec<(Person, Option<Payment>)>> {
    let payment_ids = people.iter().map(|person| person.payment_id.clone()).collect();
    let filter = PaymentFilter { payment_ids: Some(payment_ids), ..PaymentFilter::default() };
    let payments = queries::payments(conn, &filter, &Rows::first(people.len() as i64)).await?;
    let mut payments: HashMap<_, _> =
        payments.into_iter().map(|payment| (payment.payment_id.clone(), payment)).collect();
    Ok(people
        .into_iter()
        .map(|person| {
            let payment = payments.remove(&person.payment_id);
            (person, payment)
        })
        .collect())
}

/// The page of what has this id.
fn place(term: &str, hit: &Hit) -> String {
    match hit.kind.as_str() {
        "dispute" => to("/disputes/", term),
        "event" => to("/events/", term),
        // Only its events are known.
        "object" if hit.payment_id.is_none() => to("/events?object=", term),
        _ => to("/orders?id=", term),
    }
}

pub(super) struct View {
    pub term: String,
    pub found: Found,
    pub may_see_people: bool,
    pub now: OffsetDateTime,
}

impl View {
    pub(super) fn content(&self) -> Markup {
        match &self.found {
            Found::Nothing => self.nowhere(),
            Found::Exact(hits) => self.exact(hits),
            Found::People(people) => people_found(people, self.now),
            Found::Orders(orders) => self.orders(orders),
        }
    }

    fn nowhere(&self) -> Markup {
        if self.term.is_empty() {
            return html! { p { "Type an order’s reference or any Stripe ID into the box above, or a customer’s whole e-mail address." } };
        }
        html! {
            p { "Nothing was found for " (code(&self.term)) "." }
            p { "Looked for:" }
            ul {
                li { "a Stripe ID or an order’s reference that is exactly this" }
                @if self.term.contains('@') {
                    @if self.may_see_people { li { "a customer with this e-mail address" } }
                    @else { li { "no customers: finding them by e-mail address takes the right “" (Right::Payloads) "”" } }
                }
                li { "orders whose reference begins with this" }
            }
            (empty("Upper and lower case count, but for e-mail addresses.", self.now))
        }
    }

    fn exact(&self, hits: &[Hit]) -> Markup {
        html! {
            p { "Several things have this name." }
            ul { @for hit in hits { li { a href=(place(&self.term, hit)) { (code(&hit.kind)) " " (foreign(&self.term)) } } } }
        }
    }

    fn orders(&self, orders: &[String]) -> Markup {
        html! {
            p { "Orders whose reference begins with " (code(&self.term)) ":" }
            ul { @for order_id in orders { li { (order_link(Some(order_id))) } } }
            @if i64::try_from(orders.len()) == Ok(ORDERS) { p.hint { "At most " (ORDERS) " are shown: type more of the reference." } }
        }
    }
}

/// Payments of people, the last changed first.
fn people_found(people: &[(Person, Option<Payment>)], now: OffsetDateTime) -> Markup {
    let heads = [
        Head::Text("Order"),
        Head::Number("Paid"),
        Head::Text("State"),
        Head::Text("Changed"),
        Head::Text("Name"),
        Head::Text("E-mail"),
        Head::Text("Customer"),
        Head::Text("Payment"),
    ];
    let rows = html! { @for (person, payment) in people { (person_row(person, payment.as_ref(), now)) } };
    table("Payments with this e-mail address, the last changed first", &heads, &rows)
}

fn person_row(person: &Person, payment: Option<&Payment>, now: OffsetDateTime) -> Markup {
    let text = |text: &Option<String>| text.as_deref().map_or_else(nothing, foreign);
    html! {
        tr data-key=(person.payment_id) {
            @match payment {
                Some(payment) => {
                    td { (order_link(payment.order_id.as_deref())) }
                    td.number { (amount(payment.amount_paid, payment.currency.as_deref())) }
                    td { (state(&payment.state)) }
                    td { (moment_ago(payment.updated_at, now)) }
                }
                None => { td { (nothing()) } td.number { (nothing()) } td { (nothing()) } td { (nothing()) } }
            }
            td { (text(&person.name)) }
            td { (text(&person.email)) }
            td { (text(&person.customer_id)) }
            td { a href=(to("/orders?id=", &person.payment_id)) { (code(&person.payment_id)) } }
        }
    }
}

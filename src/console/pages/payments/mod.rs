//! Payments: those that are linked to no order, linking one, and requesting a refund of one.

mod case;
pub(super) mod link;
pub(super) mod refund;
mod review;
#[cfg(test)]
mod tests;
pub(super) mod unlinked;

use maud::{Markup, html};
use sqlx::PgConnection;

use crate::console::failure::Failure;
use crate::console::parts::foreign;
use crate::console::users::Right;
use crate::console::who::Who;
use crate::store::queries::{self, Payment, Person, Whose};

/// The payment that an id names: its own, or that of an object that is part of it.
async fn payment(conn: &mut PgConnection, id: &str) -> Result<Payment, Failure> {
    let found = queries::find(conn, id).await?;
    let payment_id = found.into_iter().find_map(|found| found.payment_id);
    let payment = match payment_id {
        Some(payment_id) => queries::payment(conn, &payment_id).await?,
        None => None,
    };
    payment.ok_or_else(|| Failure::NotFound(format!("No payment “{id}” was received.")))
}

/// Who paid, for those who may know.
pub(super) async fn customer(conn: &mut PgConnection, who: &Who, payment_id: &str) -> sqlx::Result<Option<Person>> {
    match who.may(Right::Payloads) {
        true => Ok(queries::people(conn, Whose::Payment(payment_id)).await?.pop()),
        false => Ok(None),
    }
}

/// The name and the e-mail address of a customer.
pub(super) fn named(person: &Person) -> (&'static str, Markup) {
    let known = [&person.name, &person.email, &person.customer_id];
    ("Customer", html! { @for text in known.into_iter().flatten() { div { (foreign(text)) } } })
}

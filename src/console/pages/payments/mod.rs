//! Payments: those that are linked to no order, linking one, and requesting a refund of one.

pub(super) mod link;
pub(super) mod refund;
mod review;
#[cfg(test)]
mod tests;
pub(super) mod unlinked;

use sqlx::PgConnection;

use crate::console::failure::Failure;
use crate::store::queries::{self, Payment};

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

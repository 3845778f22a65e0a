//! Whether everything stored is what it is derived from.

use serde_json::json;
use sqlx::PgConnection;

use super::database::answer;
use super::{Finding, good, warning, wrong};
use crate::domain::derive;
use crate::store::conservation::{self, StoredPayment};

pub(super) async fn look(conn: &mut PgConnection, findings: &mut Vec<Finding>) -> sqlx::Result<()> {
    findings.push(derived_again(conn).await?);
    let orders = answer(conservation::orders_that_do_not_add_up(conn)).await?;
    findings.push(named("orders", "orders whose sums are not those of their payments", &orders));
    findings.push(above_paid(&answer(conservation::refunded_above_paid(conn)).await?));
    Ok(())
}

/// Derives every payment from its facts and compares.
async fn derived_again(conn: &mut PgConnection) -> sqlx::Result<Finding> {
    let mut differing = Vec::new();
    let mut last = String::new();
    loop {
        let payments = answer(conservation::payments_after(conn, &last)).await?;
        let Some(end) = payments.last() else { break };
        last.clone_from(&end.payment_id);
        differing.extend(payments.iter().filter(|payment| differs(payment)).map(|payment| payment.payment_id.clone()));
    }
    Ok(named("conservation", "payments that their facts do not add up to", &differing))
}

fn differs(stored: &StoredPayment) -> bool {
    let derived = json!(derive(&stored.payment_id, &stored.facts).payment);
    stored.row.as_object().is_none_or(|row| row.iter().any(|(column, value)| derived[column] != *value))
}

fn named(check: &'static str, what: &str, ids: &[String]) -> Finding {
    match ids {
        [] => good(check, format!("no {what}")),
        ids => wrong(
            check,
            format!(
                "{} {what}: {}. Replay an event of each; if that does not mend it, report it",
                ids.len(),
                ids.join(", ")
            ),
        ),
    }
}

/// Right for a while when a refund is seen before its charge; for long it means that charges are not sent.
fn above_paid(ids: &[String]) -> Finding {
    match ids {
        [] => good("money", "no payment has more refunded than paid"),
        ids => warning(
            "money",
            format!(
                "{} payments have more refunded than paid: {}. Is the endpoint subscribed to charge.* and payment_intent.*?",
                ids.len(),
                ids.join(", ")
            ),
        ),
    }
}

//! `clawback disputes list`: disputes by deadline, with the state of their responses.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::super::list::{self, Listing};
use crate::app::now;
use crate::store::queries::{self, Dispute, DisputeFilter, ResponseState};
use crate::store::sqlstate;
use crate::terminal::moment::Moment;
use crate::terminal::table::{Cell, Column, column, if_any, if_mixed, spare};
use crate::terminal::{self, escaped};

const PHASES: [&str; 5] = ["inquiry", "chargeback", "appeal", "compliance", "prevention"];

/// Stripe's statuses of a dispute (docs.stripe.com/api/disputes/object).
const STATUSES: [&str; 8] = [
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
    "prevented",
];

/// The states of a response.
const STATES: [&str; 7] =
    ["draft", "submit_requested", "submitted", "submitted_elsewhere", "rejected", "accept_requested", "accepted"];

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Only open disputes whose deadline is within this time, such as 7d, or has passed
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    due: Option<Duration>,
    /// Only disputes without an outcome
    #[arg(long)]
    open: bool,
    /// Only disputes in this status of Stripe's, such as needs_response
    #[arg(long)]
    status: Option<String>,
    /// Only disputes whose response in their present phase is in this state: draft is not submitted
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    response: Option<String>,
    /// Only disputes of this order
    #[arg(long)]
    order: Option<String>,
    /// Only disputes of this payment: the ID of a PaymentIntent
    #[arg(long)]
    payment_intent: Option<String>,
    /// Only disputes of this charge
    #[arg(long)]
    charge: Option<String>,
    /// Only disputes in this phase
    #[arg(long, value_parser = PHASES)]
    phase: Option<String>,
    /// Only disputes opened since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
    #[arg(long, value_parser = Moment::parse)]
    since: Option<Moment>,
    #[command(flatten)]
    list: Listing,
}

/// A dispute, and the state of its response where this role may read it.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    dispute: Dispute,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    accept_after: Option<OffsetDateTime>,
}

const COLUMNS: &[Column<Listed>] = &[
    if_mixed("mode", |Listed { dispute, .. }| Cell::mode(dispute.livemode)),
    if_mixed("account", |Listed { dispute, .. }| Cell::optional(&dispute.account)),
    column("dispute", |Listed { dispute, .. }| Cell::text(&dispute.dispute_id)),
    if_any("order", |Listed { dispute, .. }| Cell::optional(&dispute.order_id)),
    column("amount", |Listed { dispute, .. }| Cell::Money(dispute.amount, Some(dispute.currency.clone()))),
    column("status", |Listed { dispute, .. }| Cell::state(&dispute.status)),
    if_any("evidence due", |Listed { dispute, .. }| Cell::time(dispute.evidence_due_by)),
    if_any("response", |row| row.response.clone().map_or(Cell::Nothing, Cell::State)),
    if_any("accepted automatically", |row| Cell::time(row.accept_after)),
    spare("reason", |Listed { dispute, .. }| Cell::optional(&dispute.reason)),
    spare("phase", |Listed { dispute, .. }| Cell::text(&dispute.phase)),
    spare("outcome", |Listed { dispute, .. }| dispute.outcome.clone().map_or(Cell::Nothing, Cell::State)),
];

pub(super) async fn list(conn: &mut PgConnection, wanted: Wanted) -> anyhow::Result<()> {
    let dispute_ids = match wanted.response.as_deref() {
        Some(state) => {
            let states = queries::response_states(conn, None, Some(state)).await?;
            Some(states.into_iter().map(|response| response.dispute_id).collect())
        }
        None => None,
    };
    let none = none(wanted.status.as_deref());
    let filter = DisputeFilter {
        dispute_ids,
        status: wanted.status,
        open: wanted.open,
        due_before: wanted.due.map(|due| now() + due),
        order_id: wanted.order,
        payment_id: wanted.payment_intent,
        charge_id: wanted.charge,
        phase: wanted.phase,
        since: list::time(wanted.since),
        ..DisputeFilter::default()
    };
    let rows = rows(conn, &filter, &wanted.list).await?;
    let is_announced = rows.iter().any(|row| row.accept_after.is_some());
    wanted.list.print(COLUMNS, rows, |row| row.dispute.dispute_id.clone(), &none)?;
    if is_announced && !wanted.list.json {
        terminal::tell("where a time of automatic acceptance is shown: any change of the draft cancels it");
    }
    Ok(())
}

async fn rows(conn: &mut PgConnection, filter: &DisputeFilter, list: &Listing) -> anyhow::Result<Vec<Listed>> {
    let disputes = queries::disputes(conn, filter, &list.page()).await?;
    let ids: Vec<_> = disputes.iter().map(|dispute| dispute.dispute_id.clone()).collect();
    let responses = sqlstate::permitted(queries::response_states(conn, Some(&ids), None).await)?.unwrap_or_default();
    let mut states: BTreeMap<_, _> = responses
        .into_iter()
        .map(|ResponseState { dispute_id, state, accept_after }| (dispute_id, (state, accept_after)))
        .collect();
    let listed = |dispute: Dispute| {
        let (response, accept_after) = states.remove(&dispute.dispute_id).unzip();
        Listed { dispute, response, accept_after: accept_after.flatten() }
    };
    Ok(disputes.into_iter().map(listed).collect())
}

/// What is said when no dispute matches.
fn none(status: Option<&str>) -> String {
    match status.filter(|status| !STATUSES.contains(status)) {
        Some(unknown) => format!(
            "no matching disputes: {} is no known status; Stripe's are {}",
            escaped(unknown),
            STATUSES.join(", ")
        ),
        None => "no matching disputes".to_owned(),
    }
}

/// At most a century, so that a deadline stays a date.
fn duration(text: &str) -> Result<Duration, String> {
    let given = text.parse::<humantime::Duration>().ok().filter(|given| given.as_secs() < 100 * 365 * 86_400);
    given.map(Duration::from).ok_or_else(|| "expected a duration such as 7d or 12h".to_owned())
}

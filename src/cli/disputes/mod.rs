//! `clawback disputes`: a list by deadline, one dispute with all that is known of it, and responding to it: each command in a
//! file beside this one.

mod checklist;
mod draft;
mod report;
mod respond;
mod show;
mod submit;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use sqlx::PgConnection;

use super::explain::explained;
use super::list::{self, Listing};
use crate::app::{config, database, now};
use crate::store::queries::{self, Dispute, DisputeFilter};
use crate::terminal::moment::{self, Moment};
use crate::terminal::table::{Cell, Column, column, if_any, if_mixed, spare};

#[derive(Debug, Args)]
pub(crate) struct Disputes {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List disputes: open ones first, the nearest deadline first
    List {
        /// Only open disputes whose deadline is within this time, such as 7d, or has passed
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        due: Option<Duration>,
        /// Only disputes without an outcome
        #[arg(long)]
        open: bool,
        /// Only disputes in this status of Stripe's, such as needs_response
        #[arg(long)]
        status: Option<String>,
        /// Only disputes of this order
        #[arg(long)]
        order: Option<String>,
        /// Only disputes of this payment: the ID of a PaymentIntent
        #[arg(long)]
        payment_intent: Option<String>,
        /// Only disputes of this charge
        #[arg(long)]
        charge: Option<String>,
        /// Only disputes in this phase: inquiry, chargeback, appeal, compliance or prevention
        #[arg(long)]
        phase: Option<String>,
        /// Only disputes opened since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
        #[arg(long, value_parser = Moment::parse)]
        since: Option<Moment>,
        #[command(flatten)]
        list: Listing,
    },
    /// Show a dispute as it is known and as Stripe has it now, what its reason calls for, the draft, and who did what
    Show(show::Show),
    /// Fill the draft from what is known of the payment, and write a cover letter; recorded in the audit trail
    Draft(draft::Drafting),
    /// Put text into the draft of the response; recorded in the audit trail
    Stage(respond::Stage),
    /// Attach a file to the draft; recorded in the audit trail
    Attach(respond::Attach),
    /// Remove a file from the draft; recorded in the audit trail
    Detach(respond::Detach),
    /// Submit the draft to the bank, once; recorded in the audit trail
    Submit(submit::Submission),
    /// Accept a dispute as lost, which cannot be undone; recorded in the audit trail
    Accept(respond::Accept),
    /// Report outcomes by month, reason and network, and the ratio of disputes to card payments with its limits
    Report(report::Report),
}

/// A dispute, and the state of its response where this role may read it.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    dispute: Dispute,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
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
    spare("reason", |Listed { dispute, .. }| Cell::optional(&dispute.reason)),
    spare("phase", |Listed { dispute, .. }| Cell::text(&dispute.phase)),
    spare("outcome", |Listed { dispute, .. }| dispute.outcome.clone().map_or(Cell::Nothing, Cell::State)),
];

const FIELDS: &[Column<Dispute>] = &[
    column("dispute", |dispute| Cell::text(&dispute.dispute_id)),
    column("mode", |dispute| Cell::mode(dispute.livemode)),
    column("account", |dispute| Cell::optional(&dispute.account)),
    column("order", |dispute| Cell::optional(&dispute.order_id)),
    column("payment", |dispute| Cell::optional(&dispute.payment_id)),
    column("charge", |dispute| Cell::optional(&dispute.charge_id)),
    column("payment method", |dispute| Cell::optional(&dispute.payment_method)),
    column("amount", |dispute| Cell::Money(dispute.amount, Some(dispute.currency.clone()))),
    column("reason", |dispute| Cell::optional(&dispute.reason)),
    column("network reason code", |dispute| Cell::optional(&dispute.network_reason_code)),
    column("phase", |dispute| Cell::text(&dispute.phase)),
    column("status", |dispute| Cell::state(&dispute.status)),
    column("outcome", |dispute| dispute.outcome.clone().map_or(Cell::text("open"), Cell::State)),
    column("evidence due", deadline),
    column("can respond", |dispute| Cell::text(if dispute.can_respond { "yes" } else { "no" })),
    column("evidence", |dispute| if dispute.has_evidence { Cell::text("staged") } else { Cell::Nothing }),
    column("submissions", |dispute| Cell::Number(dispute.submission_count)),
    column("responds at deadline", |dispute| Cell::optional(&dispute.intended_submission_method)),
    column("submitted by", |dispute| Cell::optional(&dispute.submission_method)),
    column("enhanced evidence", |dispute| {
        dispute.enhanced_eligibility.as_ref().map_or(Cell::Nothing, |it| Cell::text(it.to_string()))
    }),
    column("lost", |dispute| Cell::some_money(dispute.amount_lost, &Some(dispute.currency.clone()))),
    column("withdrawn", |dispute| Cell::some_money(dispute.amount_withdrawn, &dispute.settlement_currency)),
    column("reinstated", |dispute| Cell::some_money(dispute.amount_reinstated, &dispute.settlement_currency)),
    column("fee", |dispute| Cell::some_money(dispute.fee, &dispute.settlement_currency)),
    column("opened", |dispute| Cell::Time(dispute.created_at)),
    column("changed", |dispute| Cell::Time(dispute.updated_at)),
];

pub(crate) async fn run(args: Disputes) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { due, open, status, order, payment_intent, charge, phase, since, list } => {
            let due_before = due.map(|due| now() + due);
            let since = list::time(since);
            let filter = DisputeFilter {
                dispute_id: None,
                status,
                open,
                due_before,
                order_id: order,
                payment_id: payment_intent,
                charge_id: charge,
                phase,
                since,
            };
            disputes(conn, &filter, &list).await
        }
        Action::Show(asked) => show::show(conn, asked).await,
        Action::Draft(asked) => draft::draft(conn, asked).await,
        Action::Stage(asked) => respond::stage(conn, asked).await,
        Action::Attach(asked) => respond::attach(conn, asked).await,
        Action::Detach(asked) => respond::detach(conn, asked).await,
        Action::Submit(asked) => submit::submit(conn, asked).await,
        Action::Accept(asked) => respond::accept(conn, asked).await,
        Action::Report(asked) => report::report(conn, &asked).await,
    };
    done.map_err(explained)
}

async fn disputes(conn: &mut PgConnection, filter: &DisputeFilter, list: &Listing) -> anyhow::Result<()> {
    let disputes = queries::disputes(conn, filter, &list.page()).await?;
    let ids: Vec<_> = disputes.iter().map(|dispute| dispute.dispute_id.clone()).collect();
    let mut states = database::permitted(queries::response_states(conn, &ids).await)?.unwrap_or_default();
    let listed = |dispute: Dispute| Listed { response: states.remove(&dispute.dispute_id), dispute };
    let rows = disputes.into_iter().map(listed).collect();
    list.print(COLUMNS, rows, |row| row.dispute.dispute_id.clone(), "no matching disputes")
}

/// The deadline in UTC, and while the dispute is open how far away it is.
fn deadline(dispute: &Dispute) -> Cell {
    let Some(due_by) = dispute.evidence_due_by else { return Cell::Nothing };
    let exact = moment::exact(due_by);
    let distance = moment::relative(due_by, now());
    let is_open = dispute.outcome.is_none() && !exact.starts_with(&distance);
    Cell::text(if is_open { format!("{exact} ({distance})") } else { exact })
}

/// At most a century, so that a deadline stays a date.
fn duration(text: &str) -> Result<Duration, String> {
    let given = text.parse::<humantime::Duration>().ok().filter(|given| given.as_secs() < 100 * 365 * 86_400);
    given.map(Duration::from).ok_or_else(|| "expected a duration such as 7d or 12h".to_owned())
}

//! `clawback disputes`: a list by deadline, one dispute with all that is known of it, and responding to it: each command in a
//! file beside this one.

mod draft;
pub(super) mod fields;
mod list;
mod report;
mod respond;
mod response;
mod show;
mod submit;

use clap::{Args, Subcommand};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::explain::{explained, unknown_dispute};
use crate::app::{config, database, now};
use crate::store::queries::{self, Dispute};
use crate::terminal::moment;
use crate::terminal::table::{Cell, Column, column};

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
    List(list::Wanted),
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
    column("evidence due", due),
    column("can respond", |dispute| Cell::text(if dispute.can_respond { "yes" } else { "no" })),
    column("evidence", |dispute| if dispute.has_evidence { Cell::text("staged") } else { Cell::Nothing }),
    column("submissions", |dispute| Cell::Number(dispute.submission_count)),
    column("at the deadline", |dispute| Cell::optional(&dispute.intended_submission_method)),
    column("submitted by", |dispute| Cell::optional(&dispute.submission_method)),
    column("enhanced evidence", |dispute| {
        let eligible = dispute.enhanced_eligibility.as_ref().filter(|it| **it != json!({}));
        eligible.map_or(Cell::Nothing, |it| Cell::text(it.to_string()))
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
        Action::List(wanted) => list::list(conn, wanted).await,
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

/// The dispute.
///
/// # Errors
/// It was not received.
async fn received(conn: &mut PgConnection, dispute_id: &str) -> anyhow::Result<Dispute> {
    queries::dispute(conn, dispute_id).await?.ok_or_else(|| unknown_dispute(dispute_id))
}

/// The deadline in UTC, and while the dispute is open how far away it is.
fn due(dispute: &Dispute) -> Cell {
    let Some(due_by) = dispute.evidence_due_by else { return Cell::Nothing };
    Cell::text(if dispute.outcome.is_none() { deadline(due_by) } else { moment::exact(due_by) })
}

/// A deadline in UTC, and how far away it is where that is less than two months.
fn deadline(due_by: OffsetDateTime) -> String {
    let now = now();
    let (exact, distance) = (moment::exact(due_by), moment::relative(due_by, now));
    let passed = if due_by < now { "passed " } else { "" };
    if exact.starts_with(&distance) { exact } else { format!("{exact} ({passed}{distance})") }
}

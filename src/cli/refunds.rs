//! `clawback refunds`: a list.

use clap::{Args, Subcommand};

use super::explain::explained;
use super::list::{self, Listing};
use crate::app::{config, database};
use crate::store::queries::{self, Refund, RefundFilter};
use crate::terminal::moment::Moment;
use crate::terminal::table::{Cell, Column, column, if_any, if_mixed, spare};

#[derive(Debug, Args)]
pub(crate) struct Refunds {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List refunds, the newest first
    List {
        /// Only refunds in this status of Stripe's: pending, requires_action, succeeded, failed or canceled
        #[arg(long)]
        status: Option<String>,
        /// Only refunds of this order
        #[arg(long)]
        order: Option<String>,
        /// Only refunds of this payment
        #[arg(long)]
        payment: Option<String>,
        /// Only refunds made since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
        #[arg(long, value_parser = Moment::parse)]
        since: Option<Moment>,
        #[command(flatten)]
        list: Listing,
    },
}

const COLUMNS: &[Column<Refund>] = &[
    if_mixed("mode", |refund| Cell::mode(refund.livemode)),
    if_mixed("account", |refund| Cell::optional(&refund.account)),
    column("refund", |refund| Cell::text(&refund.refund_id)),
    if_any("order", |refund| Cell::optional(&refund.order_id)),
    column("amount", |refund| Cell::Money(refund.amount, Some(refund.currency.clone()))),
    column("status", |refund| Cell::state(&refund.status)),
    if_any("kind", |refund| if refund.is_release { Cell::text("release") } else { Cell::Nothing }),
    if_any("failure", |refund| Cell::optional(&refund.failure_reason)),
    column("created", |refund| Cell::Time(refund.created_at)),
    spare("payment", |refund| Cell::optional(&refund.payment_id)),
];

pub(crate) async fn run(args: Refunds) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let Action::List { status, order, payment, since, list } = args.action;
    let filter = RefundFilter { status, order_id: order, payment_id: payment, since: list::time(since) };
    let rows = queries::refunds(conn, &filter, &list.page()).await.map_err(|error| explained(error.into()))?;
    list.print(COLUMNS, rows, |refund| refund.refund_id.clone(), "no matching refunds")
}

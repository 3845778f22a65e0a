//! `clawback refunds`: refunds and requests for them, requesting and cancelling.

use anyhow::bail;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::actor::Actor;
use super::explain::explained;
use super::list::{self, Listing};
use crate::app::{config, database};
use crate::domain::currency::major;
use crate::store::queries::{self, Page, Refund, RefundFilter, RefundRequest, Refundee, RequestFilter};
use crate::store::sqlstate;
use crate::terminal::moment::Moment;
use crate::terminal::table::{Cell, Column, column, if_any, if_mixed, spare};
use crate::terminal::{self, say};

const STATES: [&str; 7] = ["requested", "sent", "unknown", "pending", "succeeded", "failed", "cancelled"];

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
    /// List requests for refunds with their states, the newest first
    Requests {
        /// Only requests in this state
        #[arg(long, value_parser = STATES)]
        state: Option<String>,
        /// Only requests for this order
        #[arg(long)]
        order: Option<String>,
        /// Only requests for this payment
        #[arg(long)]
        payment: Option<String>,
        /// Only requests made since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
        #[arg(long, value_parser = Moment::parse)]
        since: Option<Moment>,
        #[command(flatten)]
        list: Listing,
    },
    /// Request a refund, which the service creates at Stripe once; recorded in the audit trail
    Request(Request),
    /// Cancel a request that was not sent yet; recorded in the audit trail
    Cancel {
        /// Request ID, as `refunds requests` lists it
        id: Uuid,
        /// Why, for the audit trail
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        #[command(flatten)]
        actor: Actor,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("of").required(true).args(["order_id", "payment"]))]
#[command(group = ArgGroup::new("how_much").required(true).args(["amount", "all"]))]
struct Request {
    /// The order to refund
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    order_id: Option<String>,
    /// Refund this payment instead: the ID of a PaymentIntent or charge
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    payment: Option<String>,
    /// Amount in minor units, such as cents
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    amount: Option<i64>,
    /// Refund all that is left
    #[arg(long)]
    all: bool,
    /// Your key of this refund: the same key never refunds the same order or payment twice
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    key: String,
    /// Stripe's reason; fraudulent also blocks the card and the e-mail address
    #[arg(long, value_parser = ["duplicate", "fraudulent", "requested_by_customer"])]
    reason: Option<String>,
    #[command(flatten)]
    actor: Actor,
    /// Print JSON
    #[arg(long)]
    json: bool,
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

const REQUESTS: &[Column<RefundRequest>] = &[
    if_mixed("mode", |request| Cell::mode(request.livemode)),
    if_mixed("account", |request| Cell::optional(&request.account)),
    column("request", |request| Cell::text(request.id.to_string())),
    column("key", |request| Cell::text(&request.request_key)),
    if_any("order", |request| Cell::optional(&request.order_id)),
    column("amount", |request| Cell::Money(request.amount, Some(request.currency.clone()))),
    column("state", |request| Cell::state(&request.state)),
    if_any("refund", |request| Cell::optional(&request.refund_id)),
    column("by", |request| Cell::text(&request.actor)),
    column("created", |request| Cell::Time(request.created_at)),
    spare("payment", |request| Cell::text(&request.payment_id)),
    if_any("error", |request| Cell::optional(&request.error)),
];

pub(crate) async fn run(args: Refunds) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { status, order, payment, since, list } => {
            let filter = RefundFilter { status, order_id: order, payment_id: payment, since: list::time(since) };
            refunds(conn, &filter, &list).await
        }
        Action::Requests { state, order, payment, since, list } => {
            let since = list::time(since);
            requests(conn, &RequestFilter { id: None, state, order_id: order, payment_id: payment, since }, &list).await
        }
        Action::Request(request) => request_refund(conn, request).await,
        Action::Cancel { id, reason, actor, json } => cancel(conn, id, &reason, actor, json).await,
    };
    done.map_err(explained)
}

async fn refunds(conn: &mut PgConnection, filter: &RefundFilter, list: &Listing) -> anyhow::Result<()> {
    let rows = queries::refunds(conn, filter, &list.page()).await?;
    list.print(COLUMNS, rows, |refund| refund.refund_id.clone(), "no matching refunds")
}

async fn requests(conn: &mut PgConnection, filter: &RequestFilter, list: &Listing) -> anyhow::Result<()> {
    let rows = queries::refund_requests(conn, filter, &list.page()).await?;
    list.print(REQUESTS, rows, |request| request.id.to_string(), "no matching requests")
}

/// A request as it is printed; none of it when this role may not read it.
#[derive(Serialize)]
struct Requested {
    id: Uuid,
    request: Option<RefundRequest>,
}

async fn request_refund(conn: &mut PgConnection, request: Request) -> anyhow::Result<()> {
    let Request { order_id, payment, amount, key, reason, actor, json, all: _ } = request;
    let of = match (&order_id, &payment) {
        (_, Some(payment)) => Refundee::Payment(payment),
        (order_id, None) => Refundee::Order(order_id.as_deref().unwrap_or_default()),
    };
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref(), queries::Via::Cli).await?;
    let id = queries::request_refund(&mut tx, of, &key, amount, reason.as_deref()).await?;
    tx.commit().await?;
    let row = sqlstate::permitted(row(conn, id).await)?.flatten();
    if json {
        return terminal::json(&Requested { id, request: row });
    }
    match row {
        Some(request) => said(conn, &request).await,
        None => {
            say!("request {id}");
            Ok(())
        }
    }
}

async fn row(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<RefundRequest>> {
    let filter = RequestFilter { id: Some(id), ..RequestFilter::default() };
    Ok(queries::refund_requests(conn, &filter, &Page::first(1)).await?.pop())
}

async fn said(conn: &mut PgConnection, request: &RefundRequest) -> anyhow::Result<()> {
    let RefundRequest { id, payment_id, state, .. } = request;
    let money = major(request.amount, Some(&request.currency));
    match &request.refund_id {
        Some(refund_id) => say!("request {id}: refund {refund_id} of {money} exists already, {state}"),
        None if state == "cancelled" || state == "failed" => {
            bail!("request {id} exists already and is {state}: use another --key for a new request")
        }
        None => say!(
            "request {id}: {money} of payment {payment_id} will be refunded by the service\n\
             `clawback refunds requests --payment {payment_id}` shows its state"
        ),
    }
    for (dispute_id, amount) in queries::inquiries_left_open(conn, *id).await? {
        let whole = major(amount, Some(&request.currency));
        say!("it does not end the open inquiry {dispute_id} over {whole}: that takes a refund of all of it");
    }
    Ok(())
}

async fn cancel(conn: &mut PgConnection, id: Uuid, reason: &str, actor: Actor, json: bool) -> anyhow::Result<()> {
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref(), queries::Via::Cli).await?;
    let cancelled = queries::cancel_refund_request(&mut tx, id, reason).await?;
    tx.commit().await?;
    if !cancelled {
        bail!("request {id} was not cancelled: it was sent or cancelled before, is being sent, or does not exist");
    }
    let state = sqlstate::permitted(row(conn, id).await)?.flatten().map(|request| request.state);
    if json {
        return terminal::json(&json!({ "id": id, "state": state }));
    }
    match state.as_deref() {
        Some("unknown") => {
            say!("request {id} is looked up at Stripe once more, and cancelled if there is no such refund")
        }
        _ => say!("request {id} is cancelled: nothing was sent to Stripe"),
    }
    Ok(())
}

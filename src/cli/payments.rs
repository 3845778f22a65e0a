//! `clawback payments`: a list, and linking a payment to an order.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::actor::Actor;
use super::columns::PAYMENTS;
use super::explain::explained;
use super::list::{self, Listing};
use crate::app::{config, database};
use crate::store::queries::{self, PaymentFilter};
use crate::store::sqlstate;
use crate::terminal::moment::Moment;
use crate::terminal::{self, say};

#[derive(Debug, Args)]
pub(crate) struct Payments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List payments, the last changed first
    List {
        /// Only payments that are linked to no order
        #[arg(long)]
        unlinked: bool,
        /// Only payments of this order
        #[arg(long, conflicts_with = "unlinked")]
        order: Option<String>,
        /// Only payments in this state
        #[arg(long, value_parser = list::states())]
        state: Option<String>,
        /// Only payments that changed since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
        #[arg(long, value_parser = Moment::parse)]
        since: Option<Moment>,
        #[command(flatten)]
        list: Listing,
    },
    /// Link a payment to an order: overrides any metadata, and the latest link wins
    Link {
        /// PaymentIntent or charge ID
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        payment_id: String,
        /// The order reference
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        order_id: String,
        #[command(flatten)]
        actor: Actor,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(args: Payments) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { unlinked, order, state, since, list } => {
            let since = list::time(since);
            let filter = PaymentFilter { unlinked, order_id: order, state, since, payment_ids: None };
            payments(conn, &filter, &list).await
        }
        Action::Link { payment_id, order_id, actor, json } => {
            link(conn, &payment_id, &order_id, actor.name().as_deref(), json).await
        }
    };
    done.map_err(explained)
}

async fn payments(conn: &mut PgConnection, filter: &PaymentFilter, list: &Listing) -> anyhow::Result<()> {
    let rows = queries::payments(conn, filter, &list.page()).await?;
    list.print(PAYMENTS, rows, |payment| payment.payment_id.clone(), "no matching payments")
}

/// Refuses what cannot be the ID of a payment: a link to it would wait for a payment that never comes.
fn refuse_other_ids(payment_id: &str, order_id: &str) -> Result<(), config::Misconfigured> {
    if is_stripe_id(payment_id) {
        return Ok(());
    }
    let swapped = if is_stripe_id(order_id) {
        format!(
            "; did you mean `clawback payments link {} {}`?",
            terminal::quoted(order_id),
            terminal::quoted(payment_id)
        )
    } else {
        String::new()
    };
    Err(config::Misconfigured::new(format!(
        "{} is not the ID of a payment: it must be one of Stripe, such as pi_… or ch_…{swapped}",
        terminal::escaped(payment_id)
    )))
}

/// Whether text has the shape of Stripe's IDs: lower-case letters, an underscore, and more.
fn is_stripe_id(text: &str) -> bool {
    text.split_once('_').is_some_and(|(prefix, rest)| {
        !prefix.is_empty() && !rest.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_lowercase())
    })
}

async fn link(
    conn: &mut PgConnection,
    payment_id: &str,
    order_id: &str,
    actor: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    refuse_other_ids(payment_id, order_id)?;
    // A role with --work only may not look.
    let found = sqlstate::permitted(queries::find(conn, payment_id).await)?;
    let known = found.as_ref().is_none_or(|found| !found.is_empty());
    let before = found.into_iter().flatten().find_map(|row| row.order_id).filter(|before| before != order_id);
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor, queries::Via::Cli).await?;
    queries::link_payment(&mut tx, payment_id, order_id).await?;
    tx.commit().await?;
    if json {
        return terminal::json(&json!({ "payment_id": payment_id, "order_id": order_id, "known": known }));
    }
    let (payment, order) = (terminal::escaped(payment_id), terminal::escaped(order_id));
    if let Some(before) = before {
        let before = terminal::escaped(&before);
        say!(
            "payment {payment} will be taken from order {before} and linked to order {order} as soon as the service has \
             processed the link"
        );
    } else if known {
        say!("payment {payment} will be linked to order {order} as soon as the service has processed the link");
    } else {
        say!("no payment {payment} was received yet: the link to order {order} applies once it is. Check the ID");
    }
    Ok(())
}

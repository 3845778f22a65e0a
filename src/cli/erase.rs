//! `clawback erase`: erases personal data, beside the running service.
//!
//! Does no harm to be interrupted or to be run twice. Prints IDs of payments and counts, never what is erased.

use std::io::{BufRead, IsTerminal, stdin};

use anyhow::{bail, ensure};
use clap::{ArgGroup, Args};
use serde_json::json;
use sqlx::PgConnection;

use super::actor::Actor;
use super::explain::explained;
use crate::app::config::Misconfigured;
use crate::app::{config, database};
use crate::domain::{self, Replace};
use crate::erasure::{self, Counts, Failure, Found, How, Whose};
use crate::store::{payments, settings};
use crate::terminal::progress::Progress;
use crate::terminal::{self, count, escaped, say};

/// The longest order reference that a reader takes, in bytes.
const MAX_REFERENCE: usize = 2000;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").required(true).multiple(true)
    .args(["orders", "payments", "customers", "emails", "again"]))]
pub(crate) struct Erase {
    /// Every payment of this order
    #[arg(long = "order", value_name = "ORDER")]
    orders: Vec<String>,
    /// This payment: its ID, or any Stripe ID that belongs to it
    #[arg(long = "payment", value_name = "ID")]
    payments: Vec<String>,
    /// Every payment of this customer, by Stripe's ID
    #[arg(long = "customer", value_name = "ID")]
    customers: Vec<String>,
    /// Every payment with this e-mail address
    #[arg(long = "email", value_name = "ADDRESS")]
    emails: Vec<String>,
    /// Every payment that was erased before, where personal data arrived since
    #[arg(long)]
    again: bool,
    /// Also replace the order's reference by this, everywhere: for a reference that is itself personal
    #[arg(long, value_name = "ORDER", requires = "orders")]
    replace_reference: Option<String>,
    /// Even where a dispute is open: its evidence is lost
    #[arg(long)]
    force: bool,
    /// Print what would be erased; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    actor: Actor,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: config::Database,
}

pub(crate) async fn run(args: Erase) -> anyhow::Result<()> {
    refuse_mistakes(&args)?;
    let conn = &mut database::connect(&args.database).await?;
    erase(conn, args).await.map_err(explained)
}

fn refuse_mistakes(args: &Erase) -> Result<(), Misconfigured> {
    if !args.yes && !args.dry_run && !stdin().is_terminal() {
        return Err(Misconfigured::new("erasing cannot be undone: without a terminal it takes --yes"));
    }
    if [&args.orders, &args.payments, &args.customers, &args.emails].into_iter().flatten().any(String::is_empty) {
        return Err(Misconfigured::new("--order, --payment, --customer and --email must not be empty"));
    }
    if let Some(email) = args.emails.iter().find(|email| !email.contains('@')) {
        return Err(Misconfigured::new(format!("--email takes a whole address, not {}", escaped(email))));
    }
    if let Some(customer) = args.customers.iter().find(|id| !id.starts_with("cus_") || id.len() < 5) {
        return Err(Misconfigured::new(format!("--customer takes a customer's ID, cus_…, not {}", escaped(customer))));
    }
    let Some(to) = &args.replace_reference else { return Ok(()) };
    if args.orders.len() != 1 {
        return Err(Misconfigured::new("--replace-reference takes exactly one --order"));
    }
    if to.is_empty() || to.len() > MAX_REFERENCE || to.contains('\0') || *to == args.orders[0] {
        return Err(Misconfigured::new("--replace-reference must be another reference, of at most 2000 bytes"));
    }
    Ok(())
}

async fn erase(conn: &mut PgConnection, args: Erase) -> anyhow::Result<()> {
    let (whose, how) = asked(conn, &args).await?;
    let found = erasure::find(conn, &whose, &how.erasure).await?;
    for order in &whose.orders {
        let known = crate::store::erasure::of_order(conn, order).await?;
        ensure!(!known.is_empty(), "no payment of order {} is known: nothing is erased", escaped(order));
    }
    if !found.others.is_empty() {
        bail!(
            "other payments have this reference too, though another one counts: {}. Nothing is erased: name them with \
             --payment to erase their data as well",
            found.others.join(", ")
        );
    }
    if let Some((payment, reason)) = erasure::obstacle(conn, &found, &how).await? {
        bail!("payment {payment} {reason}: nothing is erased. {}", remedy(&reason));
    }
    ensure!(args.yes || args.dry_run || is_confirmed(&found)?, "nothing was erased");
    let progress = Progress::new();
    let on_part = |counts: Counts| progress.show(&format!("{} erased", count(counts.payments, "payment")));
    match erasure::erase(conn, &found, &whose, &how, on_part).await {
        Ok(counts) => print(&counts, &args),
        Err(Failure::Database(error)) => Err(error.into()),
        Err(failure) => bail!("{failure}. What was erased so far stays erased: run the command again"),
    }
}

/// Whose data is erased, and how.
async fn asked(conn: &mut PgConnection, args: &Erase) -> anyhow::Result<(Whose, How)> {
    let Some(order_key) = settings::order_key(conn).await? else {
        bail!("no service has started on this database yet: there is nothing to erase")
    };
    let replace = args.replace_reference.clone().map(|to| Replace { from: args.orders[0].clone(), to });
    let whose = Whose {
        orders: args.orders.clone(),
        payments: resolved(conn, &args.payments).await?,
        customers: args.customers.clone(),
        emails: args.emails.clone(),
        again: args.again,
    };
    let how = How {
        erasure: domain::Erasure { order_key, replace },
        even_needed: args.force,
        is_dry_run: args.dry_run,
        actor: args.actor.clone().name(),
    };
    Ok((whose, how))
}

/// The payments that these IDs are or belong to.
async fn resolved(conn: &mut PgConnection, ids: &[String]) -> anyhow::Result<Vec<String>> {
    let owners = payments::owners(conn, ids).await?;
    let unknown: Vec<String> = ids.iter().filter(|id| !owners.contains_key(*id)).map(|id| escaped(id)).collect();
    ensure!(unknown.is_empty(), "no payment {}: nothing is erased", unknown.join(", "));
    Ok(owners.into_values().collect())
}

fn remedy(reason: &str) -> &'static str {
    if reason.contains("open dispute") {
        "Wait until it is closed, or add --force to lose its evidence"
    } else {
        "The running service does that: run this again in a moment"
    }
}

fn is_confirmed(found: &Found) -> anyhow::Result<bool> {
    let (payments, events) = (count(found.payments.len(), "payment"), count(found.loose.len(), "other event"));
    terminal::tell(&format!("erase the personal data of {payments} and {events}? It cannot be undone [y/N]"));
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn print(counts: &Counts, args: &Erase) -> anyhow::Result<()> {
    if args.json {
        let mut fields = counts.json();
        fields["dry_run"] = json!(args.dry_run);
        return terminal::json(&fields);
    }
    let done = if args.dry_run { "would be erased" } else { "erased" };
    let of = |rows: i64, one: &str, many: &str| say!("{rows:>10}  {} {done}", if rows == 1 { one } else { many });
    of(counts.payments, "payment", "payments");
    of(counts.bodies, "body of an event", "bodies of events");
    of(counts.rows.people, "record of who paid", "records of who paid");
    of(counts.rows.evidence, "file or response to a dispute", "files and responses to disputes");
    of(counts.rows.notes, "result, error or reason", "results, errors and reasons");
    if *counts == Counts::default() {
        terminal::tell("nothing was found: is everything spelled right, or was it erased before?");
    }
    Ok(())
}

//! `clawback demo`: every scenario as signed events, out of order and twice, over TCP to the real binary; then the
//! resulting states, read from `clawback_v1`.
//!
//! The receiver is this same binary as a process of its own, on a private Postgres. Everything that was
//! started is stopped at the end.

mod acting;
mod disputes;
mod stripe;

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use sqlx::{Connection, PgConnection};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};
use uuid::Uuid;

use super::local_postgres::{Durability, LocalPostgres, Options};
use super::send::Receiver;
use crate::app::migrate;
use crate::app::unix_now;
use crate::dev::stories::delivery::{Order, plan};
use crate::dev::stories::{self, Cast, Story, StoryEvent};
use crate::store::queries::{self, Dispute, DisputeFilter, FollowUp, FollowUpFilter, HistoryEntry, OrderFilter, Page};
use crate::stripe::signature::Secret;
use crate::terminal::table::{self, Cell, Column, column, if_any, spare};
use crate::terminal::{Screen, count, say};

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The same seed gives the same ids and the same order of delivery
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// The longest wait for one step. Each wait ends as soon as the step is done.
const STEP_LIMIT: Duration = Duration::from_secs(30);
/// Settings of the environment that would change what is shown.
const INHERITED: [&str; 14] = [
    "CLAWBACK_CONSOLE_LISTEN",
    "CLAWBACK_MIGRATE",
    "CLAWBACK_TOLERANCE",
    "CLAWBACK_MAX_BODY",
    "CLAWBACK_EVIDENCE_MARKS",
    "CLAWBACK_EVIDENCE_POLICY",
    "CLAWBACK_AUTO_SUBMIT",
    "CLAWBACK_AUTO_ACCEPT_BELOW",
    "CLAWBACK_NOTIFY_URL",
    "CLAWBACK_NOTIFY_URL_FILE",
    "STRIPE_API_KEYS",
    "STRIPE_API_KEYS_FILE",
    "STRIPE_API_KEY",
    "STRIPE_API_KEY_FILE",
];
const ORDER_KEY: &str = "order_id";
const COPIES: NonZeroUsize = NonZeroUsize::new(2).expect("two is not zero");

const ORDERS: &[Column<queries::Order>] = &[
    column("order_id", |order| Cell::text(&order.order_id)),
    column("state", |order| Cell::state(&order.state)),
    column("paid", |order| Cell::money(order.amount_paid, &order.currency)),
    if_any("refunded", |order| Cell::some_money(order.amount_refunded, &order.currency)),
    if_any("disputed", |order| Cell::some_money(order.amount_disputed, &order.currency)),
    if_any("lost", |order| Cell::some_money(order.amount_lost, &order.currency)),
    if_any("hold", |order| Cell::flag(order.hold, "hold")),
];
const DISPUTES: &[Column<Dispute>] = &[
    column("dispute_id", |dispute| Cell::text(&dispute.dispute_id)),
    column("order_id", |dispute| Cell::optional(&dispute.order_id)),
    column("status", |dispute| Cell::state(&dispute.status)),
    column("amount", |dispute| Cell::Money(dispute.amount, Some(dispute.currency.clone()))),
    if_any("evidence_due_by", |dispute| Cell::time(dispute.evidence_due_by)),
    spare("phase", |dispute| Cell::text(&dispute.phase)),
];
const FOLLOW_UPS: &[Column<FollowUp>] = &[
    column("kind", |follow_up| Cell::text(&follow_up.kind)),
    column("order_id", |follow_up| Cell::optional(&follow_up.order_id)),
    column("subject", |follow_up| Cell::text(&follow_up.subject)),
    if_any("due_at", |follow_up| Cell::time(follow_up.due_at)),
];
const HISTORY: &[Column<HistoryEntry>] = &[
    if_any("from_state", |entry| entry.from_state.clone().map_or(Cell::Nothing, Cell::State)),
    column("to_state", |entry| entry.to_state.clone().map_or(Cell::Nothing, Cell::State)),
    column("event_type", |entry| Cell::optional(&entry.event_type)),
    column("happened_at", |entry| Cell::time(entry.happened_at)),
];

pub(crate) async fn run(args: Demo) -> anyhow::Result<()> {
    say!("Starting a private Postgres and the receiver …");
    let postgres = LocalPostgres::start(&Options::from_env(Durability::Durable)).await?;
    let shown = show(&postgres.url("postgres"), &args).await;
    postgres.stop().await.context("the private Postgres did not stop")?;
    shown
}

async fn show(database: &str, args: &Demo) -> anyhow::Result<()> {
    let secret = format!("whsec_{}", Uuid::new_v4().simple());
    let port = free_port().await?;
    migrate::for_stories(&database.parse()?).await.context("cannot migrate the private Postgres")?;
    let mut service = start(database, &secret, port, &[])?;
    let told = tell(database, &secret, port, args).await;
    stop(&mut service).await?;
    told?;
    acting::show(database, &secret, args.seed).await?;
    say!("Next: clawback dev runs a receiver and prints what each event changes; docs/GUIDE.md is for services.");
    Ok(())
}

async fn tell(database: &str, secret: &str, port: u16, args: &Demo) -> anyhow::Result<()> {
    let url = format!("http://127.0.0.1:{port}");
    let client = crate::app::client(Duration::from_secs(10))?;
    until_ready(&client, port).await?;
    let events = events(args.seed);
    let deliveries = plan(events.len(), Order::Shuffled(args.seed), COPIES);
    say!(
        "Delivering {} of {}, each twice and in random order, to {url} …",
        count(events.len(), "event"),
        count(stories::all().len(), "scenario")
    );
    let endpoint = format!("{url}/webhooks/stripe").parse()?;
    let secret = Secret::from_key(secret);
    let receiver = Receiver { client, url: &endpoint, secret: &secret };
    for place in &deliveries {
        receiver.deliver(&events[*place]).await?;
    }
    let mut conn = PgConnection::connect(database).await?;
    processed(&mut conn).await?;
    for payment_id in queries::unlinked_payments(&mut conn).await? {
        say!("{payment_id} has no order reference. Linking it to order-linked-late, as a service would …");
        queries::link_payment(&mut conn, &payment_id, "order-linked-late").await?;
    }
    processed(&mut conn).await?;
    print(&mut conn, deliveries.len()).await
}

async fn until_ready(client: &reqwest::Client, port: u16) -> anyhow::Result<()> {
    until("the receiver is ready", async || {
        let answer = client.get(format!("http://127.0.0.1:{port}/readyz")).send().await;
        Ok(answer.is_ok_and(|answer| answer.status().is_success()))
    })
    .await
}

async fn processed(conn: &mut PgConnection) -> anyhow::Result<()> {
    let settled = async || Ok(queries::event_counts(conn).await?.iter().all(|(state, _)| state != "pending"));
    until("every event is processed", settled).await
}

/// Every scenario, ending now, each for an order named after it; and one without an order reference.
fn events(seed: u64) -> Vec<StoryEvent> {
    let now = unix_now();
    let tell = |story: &Story, order_key: &str| {
        let cast = Cast { seed, order_key: order_key.to_owned(), ..Cast::new(format!("order-{}", story.name), 0) };
        story.tell(&Cast { start: now - story.span(&cast), ..cast })
    };
    let told = stories::all().iter().flat_map(|story| tell(story, ORDER_KEY));
    told.chain(tell(&stories::all()[0], "unknown_to_the_receiver")).collect()
}

async fn print(conn: &mut PgConnection, deliveries: usize) -> anyhow::Result<()> {
    let counts = queries::event_counts(conn).await?;
    let counted: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    say!("\nAll {deliveries} deliveries were answered with 200. Each event is stored once: {}.", counted.join(", "));
    let (screen, all) = (Screen::of_stdout(), Page::first(i64::MAX));
    let mut orders = queries::orders(conn, &OrderFilter::default(), &all).await?;
    orders.sort_by_key(queries::Order::key);
    say!("\nOrders (clawback_v1.orders):\n");
    say!("{}", table::render(&screen, ORDERS, &orders));
    say!("Disputes (clawback_v1.disputes), open ones first, the next deadline first:\n");
    say!("{}", table::render(&screen, DISPUTES, &queries::disputes(conn, &DisputeFilter::default(), &all).await?));
    say!("Follow-ups that can be claimed now (clawback_v1.follow_ups):\n");
    let ready = FollowUpFilter { state: Some("ready".to_owned()), ..FollowUpFilter::default() };
    let mut follow_ups = queries::follow_ups(conn, &ready, &all).await?;
    follow_ups.retain(|follow_up| follow_up.run_at.unix_timestamp() <= unix_now());
    follow_ups.sort_by(|a, b| (&a.kind, &a.order_id, &a.subject).cmp(&(&b.kind, &b.order_id, &b.subject)));
    say!("{}", table::render(&screen, FOLLOW_UPS, &follow_ups));
    let eventful = queries::most_eventful_order(conn).await?;
    say!("History of {eventful} (clawback_v1.order_history), in the order of arrival:\n");
    say!("{}", table::render(&screen, HISTORY, &queries::history(conn, Some(&eventful), &[]).await?));
    let failed = counts.iter().find(|(state, _)| state == "failed");
    ensure!(failed.is_none() && !orders.is_empty(), "events failed: {counts:?}");
    Ok(())
}

fn start(database: &str, secret: &str, port: u16, environment: &[(&str, &str)]) -> anyhow::Result<Child> {
    let binary = std::env::current_exe().context("cannot find this binary")?;
    let mut command = Command::new(binary);
    command.arg("serve").env("DATABASE_URL", database).env("STRIPE_WEBHOOK_SECRETS", secret);
    command
        .env("CLAWBACK_LISTEN", format!("127.0.0.1:{port}"))
        .env("CLAWBACK_ADMIN_LISTEN", "127.0.0.1:0")
        .env("CLAWBACK_ORDER_KEY", ORDER_KEY);
    for inherited in INHERITED {
        command.env_remove(inherited);
    }
    command.envs(environment.iter().copied());
    // Its log would be printed between the tables; what goes wrong shows in its answers.
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().context("cannot start the receiver")
}

/// Asks the receiver to drain, and waits until it has ended.
async fn stop(service: &mut Child) -> anyhow::Result<()> {
    let id = service.id().context("the receiver ended by itself")?;
    let asked = Command::new("kill").arg(id.to_string()).status().await?;
    ensure!(asked.success(), "cannot stop the receiver, process {id}");
    let ended = timeout(STEP_LIMIT, service.wait()).await.context("the receiver did not drain in time")??;
    ensure!(ended.success(), "the receiver ended with {ended}");
    Ok(())
}

async fn until(what: &str, mut there: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let mut ticks = interval(Duration::from_millis(20));
    let waited = timeout(STEP_LIMIT, async {
        while !there().await? {
            ticks.tick().await;
        }
        Ok(())
    });
    match waited.await {
        Ok(outcome) => outcome,
        Err(_) => bail!("gave up after {} s of waiting until {what}", STEP_LIMIT.as_secs()),
    }
}

async fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port())
}

//! The second part of the demo, on a double of Stripe: a refund requested in SQL that comes back by webhook, and an hour of
//! lost webhooks that `clawback sync` finds.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::stripe::{KEY, Stripe, order, show_order};
use super::{disputes, start, stop, until, until_ready};
use crate::dev::double::{self, Double};
use crate::store::api_calls;
use crate::store::queries::{self, Page, RefundRequest, Refundee, RequestFilter};
use crate::terminal::table::{self, Cell, Column, column, if_any};
use crate::terminal::{Screen, say};

const REFUNDED: &str = "order-refunded-by-sql";
const MISSED: &str = "order-missed-by-webhooks";
/// A card that pays.
const PAID: &str = "pm_card_visa";
const HOUR: i64 = 3_600;
/// More than an hour of the demo has.
const ALL: u32 = 1_000;

const REQUESTS: &[Column<RefundRequest>] = &[
    column("request_key", |request| Cell::text(&request.request_key)),
    column("order_id", |request| Cell::optional(&request.order_id)),
    column("amount", |request| Cell::Money(request.amount, Some(request.currency.clone()))),
    column("state", |request| Cell::state(&request.state)),
    if_any("refund_id", |request| Cell::optional(&request.refund_id)),
];

/// Runs the double and a receiver with its key, and plays the scenes of this part and of the next.
pub(super) async fn show(database: &str, secret: &str, seed: u64) -> anyhow::Result<()> {
    let port = super::free_port().await?;
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let stripe = Stripe {
        url: format!("http://{}", listener.local_addr()?),
        client: crate::app::client(Duration::from_secs(10))?,
    };
    let double = Double::new(seed)?;
    double.send_webhooks_to(&format!("http://127.0.0.1:{port}/webhooks/stripe"), secret)?;
    let serving = tokio::spawn(double::serve(double, listener));
    let environment = [("STRIPE_API_KEYS", KEY), ("STRIPE_API_BASE", &stripe.url), ("STRIPE_FILES_BASE", &stripe.url)];
    let mut service = start(database, secret, port, &environment)?;
    let played = async {
        until_ready(&stripe.client, port).await?;
        let conn = &mut PgConnection::connect(database).await?;
        refund(conn, &stripe).await?;
        catch_up(conn, &stripe, database, &environment).await?;
        disputes::show(conn, &stripe, database).await
    };
    let played = played.await;
    stop(&mut service).await?;
    serving.abort();
    played
}

/// A refund is requested in SQL; the receiver creates it, and its webhook comes back.
async fn refund(conn: &mut PgConnection, stripe: &Stripe) -> anyhow::Result<()> {
    // So that the hour that is lost later has passed by then.
    stripe.control("clock", json!({ "advance": -HOUR })).await?;
    stripe.pay(REFUNDED, 12_000, PAID).await?;
    // It lists missed events at its start, and the command below should find the last ones.
    until("the receiver has caught up", async || Ok(api_calls::caught_up_at(conn, "", false).await?.is_some())).await?;
    until("the payment is seen", async || Ok(order(conn, REFUNDED).await?.is_some())).await?;
    say!("\nA refund, requested in SQL:\n");
    say!("  select clawback_v1.request_refund('{REFUNDED}', 'return-1', 2500);\n");
    let id = queries::request_refund(conn, Refundee::Order(REFUNDED), "return-1", Some(2_500), None).await?;
    let filter = RequestFilter { id: Some(id), ..RequestFilter::default() };
    let mut requests = Vec::new();
    until("the refund has succeeded", async || {
        requests = queries::refund_requests(conn, &filter, &Page::first(1)).await?;
        let refunded = order(conn, REFUNDED).await?.is_some_and(|order| order.amount_refunded == 2_500);
        Ok(refunded && requests.iter().all(|request| request.state == "succeeded"))
    })
    .await?;
    say!("{}", table::render(&Screen::of_stdout(), REQUESTS, &requests));
    show_order(conn, REFUNDED).await
}

/// All webhooks of an hour are lost; `clawback sync` finds their events.
async fn catch_up(
    conn: &mut PgConnection,
    stripe: &Stripe,
    database: &str,
    environment: &[(&str, &str)],
) -> anyhow::Result<()> {
    stripe.control("webhooks/behaviour", json!({ "lose": ALL })).await?;
    let charge = stripe.pay(MISSED, 8_000, PAID).await?;
    stripe.control("bank", json!({ "happens": "chargeback", "id": charge, "reason": "product_not_received" })).await?;
    stripe.control("clock", json!({ "advance": HOUR })).await?;
    let lost = async || Ok(stripe.look("webhooks").await?["pending"] == 0);
    until("the webhooks are lost", lost).await?;
    stripe.control("webhooks/behaviour", json!({ "lose": 0 })).await?;
    ensure!(order(conn, MISSED).await?.is_none(), "a webhook of {MISSED} arrived");
    say!("Meanwhile a customer paid and disputed {MISSED}, and an hour of webhooks was lost. clawback sync:\n");
    let mut sync = Command::new(std::env::current_exe().context("cannot find this binary")?);
    sync.arg("sync").env("DATABASE_URL", database).envs(environment.iter().copied());
    let ended = sync.status().await.context("cannot run clawback sync")?;
    ensure!(ended.success(), "clawback sync ended with {ended}");
    until("the dispute is seen", async || {
        Ok(order(conn, MISSED).await?.is_some_and(|order| order.state == "disputed"))
    })
    .await?;
    say!("");
    show_order(conn, MISSED).await
}

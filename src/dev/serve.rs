//! `clawback dev`: the service on a private Postgres, with a secret made up when none is given.

use std::net::SocketAddr;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::local_postgres::{Durability, LocalPostgres, Options};
use crate::app::{self, Service};
use crate::app::{config, logging, migrate};
use crate::terminal;

pub(crate) async fn run(mut args: config::Serve) -> anyhow::Result<()> {
    let _logs = logging::start(args.log_format);
    let secret =
        args.signing.given()?.unwrap_or_else(|| SecretString::from(format!("whsec_{}", Uuid::new_v4().simple())));
    args.signing.webhook_secrets = Some(secret.clone());
    let public = app::bind(args.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))), "CLAWBACK_LISTEN").await?;
    let private =
        app::bind(args.admin_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))), "CLAWBACK_ADMIN_LISTEN").await?;
    let stop = app::asked_to_stop()?;
    let postgres = LocalPostgres::start(&Options::from_env(Durability::Durable)).await?;
    let url = postgres.url("postgres");
    args.database.database_url = Some(SecretString::from(url.clone()));
    let service = Service::configured(&args)?;
    migrate::for_stories(&service.database).await.context("cannot migrate the private Postgres")?;
    terminal::print(format_args!(
        "{}",
        welcome(public.local_addr()?, private.local_addr()?, secret.expose_secret(), &url)
    ));
    let outcome = service.run(public, private, stop).await;
    postgres.stop().await.context("the private Postgres did not stop")?;
    outcome
}

fn welcome(public: SocketAddr, private: SocketAddr, secret: &str, url: &str) -> String {
    // Under make the binary is on no PATH.
    let binary = std::env::current_exe().map_or_else(|_| "clawback".to_owned(), |path| path.display().to_string());
    format!(
        "\n\
         Clawback is up. Stop it with Ctrl-C; its database goes with it.\n\n\
         endpoint   http://{public}/webhooks/stripe\n\
         metrics    http://{private}/metrics\n\
         secret     {secret}\n\
         database   {url}\n\n\
         Send sample events:\n  \
         CLAWBACK_SIMULATE_SECRET='{secret}' {binary} simulate chargeback-open --url http://{public}/webhooks/stripe\n\
         Show the resulting orders:\n  \
         psql '{url}' -c 'select order_id, null as payment_id, state, amount_paid, amount_refunded, hold, evidence_due_by from clawback_v1.orders \
         union all select null, payment_id, state, amount_paid, amount_refunded, hold, evidence_due_by from clawback_v1.payments where order_id is null'\n\
         Real events of a test account (its secret is printed by stripe listen: start again with it in STRIPE_WEBHOOK_SECRETS):\n  \
         stripe listen --forward-to {public}/webhooks/stripe\n\n"
    )
}

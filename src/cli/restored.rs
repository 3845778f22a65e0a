//! `clawback restored`: after a restore or a fail-over that lost commits. IDs go on above what was given out, refunds wait
//! until missed events were listed, and they are listed.

use anyhow::bail;
use clap::Args;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::actor::Actor;
use super::explain::explained;
use super::sync;
use crate::app::{config, database};
use crate::domain::currency::major;
use crate::store::queries::{self, Page, RefundRequest, RequestFilter};
use crate::store::responses;
use crate::store::settings::{self, Restored};
use crate::terminal::moment;
use crate::terminal::{self, say};

#[derive(Debug, Args)]
pub(crate) struct RestoredArgs {
    /// Leave it to the running service to list missed events
    #[arg(long)]
    no_sync: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    actor: Actor,
    #[command(flatten)]
    stripe_api: config::StripeApi,
    #[command(flatten)]
    database: config::Database,
}

pub(crate) async fn run(args: RestoredArgs) -> anyhow::Result<()> {
    let acting = sync::acting(&args.database, &args.stripe_api)?;
    let conn = &mut database::connect(&args.database).await?;
    let restored = raise(conn, args.actor.name().as_deref()).await.map_err(explained)?;
    if !args.json {
        tell(&restored);
    }
    let unsent = unsent(conn).await.map_err(explained)?;
    if !args.json {
        unsent.iter().for_each(tell_unsent);
        tell_unsent_responses(conn).await.map_err(explained)?;
    }
    let sync = sync::ready(conn, &acting, &args.database).await.map_err(explained)?;
    let missed = if args.no_sync || sync.modes.is_empty() {
        terminal::tell(
            "the running service lists missed events if it has an API key; refunds and evidence wait until it has",
        );
        Vec::new()
    } else {
        sync::catch_up_all(conn, &sync).await.map_err(explained)?
    };
    if args.json {
        let Restored { history_from, previously } = restored;
        let previously = previously.map(moment::exact);
        terminal::json(
            &json!({ "history_from": history_from, "previously": previously, "missed": missed, "unsent": unsent }),
        )?;
    } else {
        missed.iter().for_each(sync::tell);
    }
    sync::check(&missed)
}

/// The requests for refunds that will be sent: some may have been cancelled since the backup.
async fn unsent(conn: &mut PgConnection) -> anyhow::Result<Vec<RefundRequest>> {
    let mut unsent = Vec::new();
    for state in ["requested", "sent", "unknown"] {
        let filter = RequestFilter { state: Some(state.to_owned()), ..RequestFilter::default() };
        unsent.extend(queries::refund_requests(conn, &filter, &Page::first(i64::MAX)).await?);
    }
    Ok(unsent)
}

fn tell_unsent(request: &RefundRequest) {
    let RefundRequest { id, payment_id, amount, currency, .. } = request;
    let money = major(*amount, Some(currency));
    say!("request {id} will refund {money} of {payment_id}: cancel it now if it was cancelled since the backup");
}

/// The responses to disputes that will be sent, each unless Stripe has it already.
async fn tell_unsent_responses(conn: &mut PgConnection) -> anyhow::Result<()> {
    for (dispute_id, state) in responses::unsent(conn).await? {
        let what = if state == "accept_requested" { "will be accepted" } else { "will have its evidence submitted" };
        say!("dispute {dispute_id} {what}, unless Stripe shows that it was");
    }
    Ok(())
}

async fn raise(conn: &mut PgConnection, actor: Option<&str>) -> anyhow::Result<Restored> {
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor, queries::Via::Cli).await?;
    let Some(restored) = settings::restored(&mut tx).await? else {
        bail!("no service has started on this database: there is nothing to go on with")
    };
    tx.commit().await?;
    Ok(restored)
}

fn tell(restored: &Restored) {
    if let Some(at) = restored.previously {
        say!("this command ran before, at {}: IDs are raised once more", moment::exact(at));
    }
    say!("order_history goes on with id {}; IDs of follow-ups and actions are raised likewise", restored.history_from);
    say!("refunds and evidence wait until the missed events of their account were listed");
}

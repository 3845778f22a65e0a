//! `clawback sync`: lists at once what webhooks did not bring.

use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::time::sleep;

use super::explain::explained;
use crate::app::config::{self, Misconfigured};
use crate::app::{Acting, database};
use crate::store::settings;
use crate::store::syncs::{self, Held, Holder, Kind, When};
use crate::stripe_api::Mode;
use crate::sync::{self, Error, Found, Pass, Step, Sync, holder};
use crate::terminal::moment;
use crate::terminal::progress::Progress;
use crate::terminal::{self, count, say};

/// How often it is looked whether a pass that another holds is free.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Only this mode [default: every mode with an API key]
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// List and count what is missing; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stripe_api: config::StripeApi,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeArg {
    Live,
    Test,
}

/// What came of one pass.
#[derive(Debug, Serialize)]
struct Outcome {
    account: Option<String>,
    livemode: bool,
    /// When what was read first was created.
    #[serde(with = "time::serde::rfc3339")]
    from: OffsetDateTime,
    listed: u64,
    /// By type.
    new: std::collections::BTreeMap<String, u64>,
    /// Stripe no longer lists events before this.
    #[serde(with = "time::serde::rfc3339::option")]
    reached: Option<OffsetDateTime>,
    error: Option<String>,
}

pub(crate) async fn run(args: SyncArgs) -> anyhow::Result<()> {
    let sync = prepared(&args)?;
    let conn = &mut database::connect(&args.database).await?;
    catch_up(conn, sync, &args).await.map_err(explained)
}

/// What passes work with, by the settings. The rules are those of the database, once it is connected.
fn prepared(args: &SyncArgs) -> anyhow::Result<Acting> {
    let (database, acting) =
        Misconfigured::both(args.database.options(), args.stripe_api.settings().and_then(Acting::with))?;
    drop(database);
    Ok(acting)
}

async fn catch_up(conn: &mut PgConnection, acting: Acting, args: &SyncArgs) -> anyhow::Result<()> {
    let Some(order_key) = settings::order_key(conn).await? else {
        bail!("no service has started on this database yet: start it first")
    };
    let sync = acting.sync(&args.database.options()?, &order_key);
    let modes: Vec<Mode> = sync.modes.iter().copied().filter(|mode| is_wanted(args.mode, *mode)).collect();
    if modes.is_empty() {
        return Err(
            Misconfigured::new("STRIPE_API_KEYS has no key for this mode: set it to an API key of Stripe").into()
        );
    }
    let mut outcomes = Vec::new();
    for mode in modes {
        for account in syncs::accounts(conn, mode == Mode::Live).await? {
            outcomes.push(pass(conn, &sync, holder(Kind::Missed, account, mode), args.dry_run).await?);
        }
    }
    print(&outcomes, args)
}

fn is_wanted(asked: Option<ModeArg>, mode: Mode) -> bool {
    match asked {
        None => true,
        Some(ModeArg::Live) => mode == Mode::Live,
        Some(ModeArg::Test) => mode == Mode::Test,
    }
}

/// One pass, once nobody else holds it; or what it would find.
async fn pass(conn: &mut PgConnection, sync: &Sync, holder: Holder, dry_run: bool) -> anyhow::Result<Outcome> {
    let progress = Progress::new();
    let from = syncs::mark(conn, &holder.account, holder.livemode).await?;
    let mut pass = if dry_run {
        Pass::rehearsal(sync, holder.clone(), from)
    } else {
        Pass::new(sync, holder.clone(), hold(conn, sync, &holder, from, &progress).await?)
    };
    let done = pass.run(conn, |Step::Read(found)| progress.show(&so_far(&holder, found))).await;
    drop(progress);
    let error = match done {
        Ok(()) => None,
        Err(Error::Database(error)) => return Err(error.into()),
        Err(error @ (Error::Stripe(_) | Error::Lost)) => {
            let wait = sync.pace.wait.as_secs_f64();
            syncs::fail(conn, &holder, wait, &error.to_string()).await?;
            Some(error.to_string())
        }
    };
    Ok(outcome(holder, &pass.held, pass.found, error))
}

fn outcome(holder: Holder, held: &Held, found: Found, error: Option<String>) -> Outcome {
    let reach = held.started_at - sync::REACH;
    Outcome {
        account: Some(holder.account).filter(|account| !account.is_empty()),
        livemode: holder.livemode,
        from: held.reads_from,
        listed: found.listed,
        new: found.new,
        reached: sync::is_out_of_reach(held.started_at, held.reads_from).then_some(reach),
        error,
    }
}

async fn hold(
    conn: &mut PgConnection,
    sync: &Sync,
    holder: &Holder,
    from: OffsetDateTime,
    progress: &Progress,
) -> anyhow::Result<Held> {
    let lease = sync.pace.lease.as_secs_f64();
    let mut is_told = false;
    loop {
        if let Some(held) = syncs::hold(conn, holder, lease, When::Now, from).await? {
            return Ok(held);
        }
        if !is_told {
            progress.clear();
            terminal::tell(&format!("another process is catching up with {}; waiting for it", name(holder)));
            is_told = true;
        }
        sleep(LOOK).await;
    }
}

fn so_far(holder: &Holder, found: &Found) -> String {
    let new: u64 = found.new.values().sum();
    let listed = count(i64::try_from(found.listed).unwrap_or(i64::MAX), "event");
    format!("{}: {listed} listed, {new} of them new", name(holder))
}

fn name(holder: &Holder) -> String {
    let mode = if holder.livemode { "live" } else { "test" };
    if holder.account.is_empty() { format!("{mode} mode") } else { format!("{mode} mode, {}", holder.account) }
}

fn print(outcomes: &[Outcome], args: &SyncArgs) -> anyhow::Result<()> {
    if args.json {
        terminal::json(&outcomes)?;
    } else {
        outcomes.iter().for_each(tell);
    }
    let failed: Vec<&str> = outcomes.iter().filter_map(|outcome| outcome.error.as_deref()).collect();
    if !failed.is_empty() {
        bail!("not everything was listed; the next sync goes on from there: {}", failed.join("; "));
    }
    Ok(())
}

fn tell(outcome: &Outcome) {
    let Outcome { account, livemode, from, listed, new, reached, .. } = outcome;
    let mode = if *livemode { "live" } else { "test" };
    let place = account.as_ref().map_or_else(|| format!("{mode} mode"), |account| format!("{mode} mode, {account}"));
    let listed = count(i64::try_from(*listed).unwrap_or(i64::MAX), "event");
    let since = moment::exact(*from);
    say!("{place}: {listed} listed since {since}, {}", sync::summary(new));
    if let Some(reached) = reached {
        say!(
            "warning: Stripe lists no events before {}: what happened from {since} until then is missing, except \
             refunds and disputes. `clawback sync --from-scratch DAYS` reads the rest",
            moment::exact(*reached)
        );
    }
}

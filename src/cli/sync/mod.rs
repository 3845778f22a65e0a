//! `clawback sync`: lists at once what webhooks did not bring; `--from-scratch` reads an account that had none.

mod import;

use std::collections::BTreeMap;
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
use crate::sync::{self, Error, Pass, Step, Sync, holder};
use crate::terminal::moment::{self, Moment};
use crate::terminal::progress::Progress;
use crate::terminal::{self, count, say};

/// How often it is looked whether a pass that another holds is free.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Only this mode [default: every mode with an API key]
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Only this connected account [default: the key's own and all that are known from payments]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Import the state of an account whose webhooks were never received: whatever was created in the last DAYS
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    from_scratch: Option<u16>,
    /// Insert follow-ups for what happened before this as discarded; `follow-ups requeue` brings them back. All that the
    /// import reads counts as having happened when it began [default: now]
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, requires = "from_scratch")]
    ask_since: Option<Moment>,
    /// Begin the import without asking
    #[arg(long, requires = "from_scratch", conflicts_with = "dry_run")]
    yes: bool,
    /// Count what is missing, or estimate the import; change nothing
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

/// The outcome of one pass.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    account: Option<String>,
    livemode: bool,
    /// What was created since then was read.
    #[serde(with = "time::serde::rfc3339")]
    from: OffsetDateTime,
    listed: u64,
    /// By type.
    new: BTreeMap<String, u64>,
    /// Lists that the key may not read.
    passed_over: Vec<&'static str>,
    /// Stripe lists no events before this: some are missing.
    #[serde(with = "time::serde::rfc3339::option")]
    reached: Option<OffsetDateTime>,
    /// The key has no access to the account any more.
    disconnected: bool,
    error: Option<String>,
}

pub(crate) async fn run(args: SyncArgs) -> anyhow::Result<()> {
    let acting = acting(&args.database, &args.stripe_api)?;
    let conn = &mut database::connect(&args.database).await?;
    perform(conn, &acting, &args).await.map_err(explained)
}

/// The client, by the settings; everything that is wrong with them is named.
pub(super) fn acting(database: &config::Database, stripe_api: &config::StripeApi) -> anyhow::Result<Acting> {
    let acting = stripe_api.settings().and_then(Acting::with);
    Ok(Misconfigured::both(database.options(), acting)?.1)
}

async fn perform(conn: &mut PgConnection, acting: &Acting, args: &SyncArgs) -> anyhow::Result<()> {
    let sync = ready(conn, acting, &args.database).await?;
    let passes = passes(conn, &sync, args).await?;
    if let Some(days) = args.from_scratch {
        return import::run(conn, &sync, passes, days, args).await;
    }
    let outcomes = catch_up(conn, &sync, passes, args.dry_run).await?;
    print(&outcomes, args.json)
}

/// What passes work with: the rules are those of the database.
pub(super) async fn ready(
    conn: &mut PgConnection,
    acting: &Acting,
    database: &config::Database,
) -> anyhow::Result<Sync> {
    let Some(order_key) = settings::order_key(conn).await? else {
        bail!("no service has started on this database yet: start it first")
    };
    Ok(acting.sync(&database.options()?, &order_key))
}

/// One pass per mode and account.
async fn passes(conn: &mut PgConnection, sync: &Sync, args: &SyncArgs) -> anyhow::Result<Vec<Holder>> {
    let kind = if args.from_scratch.is_some() { Kind::Import } else { Kind::Missed };
    let modes = sync.modes.iter().copied().filter(|mode| is_wanted(args.mode, *mode));
    let mut passes = Vec::new();
    for mode in modes {
        let accounts = match &args.account {
            Some(account) => vec![account.clone()],
            None => syncs::accounts(conn, mode == Mode::Live).await?,
        };
        passes.extend(accounts.into_iter().map(|account| holder(kind, account, mode)));
    }
    if passes.is_empty() {
        let which = match args.mode {
            None => "is missing: set it to an API key of Stripe",
            Some(ModeArg::Live) => "has no key of live mode",
            Some(ModeArg::Test) => "has no key of test mode",
        };
        return Err(Misconfigured::new(format!("STRIPE_API_KEYS {which}")).into());
    }
    Ok(passes)
}

fn is_wanted(asked: Option<ModeArg>, mode: Mode) -> bool {
    match asked {
        None => true,
        Some(ModeArg::Live) => mode == Mode::Live,
        Some(ModeArg::Test) => mode == Mode::Test,
    }
}

/// Every pass for missed events that this client has a key for.
pub(super) async fn catch_up_all(conn: &mut PgConnection, sync: &Sync) -> anyhow::Result<Vec<Outcome>> {
    let mut passes = Vec::new();
    for mode in &sync.modes {
        let accounts = syncs::accounts(conn, *mode == Mode::Live).await?;
        passes.extend(accounts.into_iter().map(|account| holder(Kind::Missed, account, *mode)));
    }
    catch_up(conn, sync, passes, false).await
}

async fn catch_up(
    conn: &mut PgConnection,
    sync: &Sync,
    passes: Vec<Holder>,
    dry_run: bool,
) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for holder in passes {
        let from = syncs::mark(conn, &holder.account, holder.livemode).await?;
        let pass = if dry_run {
            Pass::rehearsal(sync, holder.clone(), from)
        } else {
            let held = hold(conn, sync, &holder, from).await?;
            Pass::new(sync, holder.clone(), held)
        };
        outcomes.push(finish(conn, sync, holder, pass).await?);
    }
    Ok(outcomes)
}

/// Goes on with a pass to its end, and shows how far it is.
async fn finish(conn: &mut PgConnection, sync: &Sync, holder: Holder, mut pass: Pass<'_>) -> anyhow::Result<Outcome> {
    let progress = Progress::new();
    let name = name(&holder);
    let done = pass.run(conn, |step| progress.show(&format!("{name}: {}", so_far(step)))).await;
    drop(progress);
    let mut disconnected = false;
    let error = match done {
        Ok(()) => None,
        Err(Error::Database(error)) => return Err(error.into()),
        Err(error @ Error::Lost) => Some(error.to_string()),
        Err(Error::Stripe(error)) => {
            disconnected = sync::is_disconnected(&holder, &error);
            sync.fail(conn, &holder, &error).await?;
            Some(error.to_string())
        }
    };
    let Held { started_at, reads_from, .. } = pass.held;
    let is_cut = holder.kind == Kind::Missed && sync::is_out_of_reach(started_at, reads_from);
    Ok(Outcome {
        account: Some(holder.account).filter(|account| !account.is_empty()),
        livemode: holder.livemode,
        from: reads_from,
        listed: pass.found.listed,
        new: pass.found.new,
        passed_over: pass.found.passed_over,
        reached: is_cut.then_some(started_at - sync::REACH),
        disconnected,
        error,
    })
}

/// Waits for whoever holds the pass.
async fn hold(conn: &mut PgConnection, sync: &Sync, holder: &Holder, from: OffsetDateTime) -> anyhow::Result<Held> {
    let lease = sync.pace.lease.as_secs_f64();
    let mut is_told = false;
    loop {
        if let Some(held) = syncs::hold(conn, holder, lease, When::Now, from).await? {
            return Ok(held);
        }
        if !is_told {
            terminal::tell(&format!("another process is catching up with {}; waiting for it", name(holder)));
            is_told = true;
        }
        sleep(LOOK).await;
    }
}

fn so_far(step: Step<'_>) -> String {
    match step {
        Step::Read(found) => {
            let new: u64 = found.new.values().sum();
            let back_to = found.back_to.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
            let back_to = back_to.map(|at| format!(", back to {}", moment::exact(at))).unwrap_or_default();
            format!("{} listed, {new} new{back_to}", found.listed)
        }
        Step::Waiting => "waiting until the service has processed what was stored".to_owned(),
    }
}

fn name(holder: &Holder) -> String {
    place(holder.livemode, Some(holder.account.as_str()).filter(|account| !account.is_empty()))
}

fn place(livemode: bool, account: Option<&str>) -> String {
    let mode = if livemode { "live mode" } else { "test mode" };
    account.map_or_else(|| mode.to_owned(), |account| format!("{mode}, {account}"))
}

fn print(outcomes: &[Outcome], json: bool) -> anyhow::Result<()> {
    if json {
        terminal::json(&outcomes)?;
    } else {
        outcomes.iter().for_each(tell);
    }
    check(outcomes)
}

/// An error when a pass did not come to its end.
pub(super) fn check(outcomes: &[Outcome]) -> anyhow::Result<()> {
    let failed = outcomes.iter().filter(|outcome| !outcome.disconnected);
    let failed: Vec<&str> = failed.filter_map(|outcome| outcome.error.as_deref()).collect();
    if !failed.is_empty() {
        bail!("not everything was listed; the next run continues from there: {}", failed.join("; "));
    }
    Ok(())
}

pub(super) fn tell(outcome: &Outcome) {
    let Outcome { account, livemode, from, listed, new, passed_over, reached, .. } = outcome;
    let (place, since) = (place(*livemode, account.as_deref()), moment::exact(*from));
    if outcome.disconnected {
        say!("{place}: passed over, the API key has no access to this account any more");
        return;
    }
    let listed = count(i64::try_from(*listed).unwrap_or(i64::MAX), "item");
    say!("{place}: {listed} listed since {since}, {}", sync::summary(new));
    if !passed_over.is_empty() {
        say!("warning: the API key may not read {}: passed over", passed_over.join(", "));
    }
    if let Some(reached) = reached {
        say!(
            "warning: Stripe lists no events before {}. Of what happened from {since} until then, only refunds and \
             disputes were read; `clawback sync --from-scratch DAYS` reads the rest",
            moment::exact(*reached)
        );
    }
}

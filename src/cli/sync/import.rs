//! `clawback sync --from-scratch`: says how much it will read, asks, and reads it.

use std::io::{BufRead, IsTerminal, stdin};

use anyhow::{bail, ensure};
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::{SyncArgs, finish, hold, name, print};
use crate::app::config::Misconfigured;
use crate::app::now;
use crate::cli::list;
use crate::store::syncs::{self, Holder};
use crate::sync::{Estimate, Pass, Sync};
use crate::terminal::{self, say};

pub(super) async fn run(
    conn: &mut PgConnection,
    sync: &Sync,
    passes: Vec<Holder>,
    days: u16,
    args: &SyncArgs,
) -> anyhow::Result<()> {
    let from = now() - Duration::days(days.into());
    let ask_since = list::time(args.ask_since);
    if ask_since.is_some_and(|at| at > now()) {
        // What comes by webhook until then would be discarded too.
        return Err(Misconfigured::new("--ask-since must not be in the future").into());
    }
    let estimates = estimates(conn, sync, &passes, from).await?;
    if args.dry_run {
        return print_estimates(&estimates, args.json);
    }
    tell_estimates(sync, &estimates);
    ensure!(args.yes || is_confirmed()?, "nothing was imported");
    let mut outcomes = Vec::new();
    for holder in passes {
        forget_another(conn, &holder, from).await?;
        let is_new = syncs::under_way(conn, &holder).await?.is_none();
        let held = hold(conn, sync, &holder, from).await?;
        // One that resumes keeps the beginning that it was given.
        if is_new {
            let ask_since = ask_since.unwrap_or(held.started_at);
            syncs::ask_since(conn, &holder.account, holder.livemode, ask_since).await?;
        }
        let pass = Pass::new(sync, holder.clone(), held);
        outcomes.push(finish(conn, sync, holder, pass).await?);
    }
    print(&outcomes, args.json)
}

/// An import under way with other days is over; one with the same goes on.
async fn forget_another(conn: &mut PgConnection, holder: &Holder, from: OffsetDateTime) -> sqlx::Result<()> {
    match syncs::under_way(conn, holder).await? {
        Some(begun) if (begun - from).abs() < Duration::days(1) => {
            terminal::tell(&format!("an import of {} was interrupted and continues", name(holder)));
            Ok(())
        }
        Some(_) => syncs::forget(conn, holder).await,
        None => Ok(()),
    }
}

async fn estimates(
    conn: &mut PgConnection,
    sync: &Sync,
    passes: &[Holder],
    from: OffsetDateTime,
) -> anyhow::Result<Vec<(String, Vec<Estimate>)>> {
    let mut estimates = Vec::new();
    for holder in passes {
        let estimate = Pass::rehearsal(sync, holder.clone(), from).estimate(conn).await?;
        estimates.push((name(holder), estimate));
    }
    Ok(estimates)
}

fn print_estimates(estimates: &[(String, Vec<Estimate>)], json: bool) -> anyhow::Result<()> {
    if !json {
        for estimate in estimates {
            say!("{}", estimated(estimate));
        }
        return Ok(());
    }
    let lists = estimates.iter().flat_map(|(place, lists)| lists.iter().map(move |list| (place, list)));
    let lists: Vec<_> = lists
        .map(|(place, it)| json!({ "place": place, "list": it.list.name(), "objects": it.objects, "calls": it.calls }))
        .collect();
    terminal::json(&lists)
}

fn tell_estimates(sync: &Sync, estimates: &[(String, Vec<Estimate>)]) {
    for estimate in estimates {
        terminal::tell(&estimated(estimate));
    }
    let calls: u64 = estimates.iter().flat_map(|(_, lists)| lists).map(|list| list.calls).sum();
    // A pass takes half of the rate.
    let per_second = sync.pace.rate.per_second / 2.0;
    let minutes = (calls as f64 / per_second / 60.0).ceil();
    terminal::tell(&format!("about {calls} calls at up to {per_second} per second: {minutes} min or more"));
}

fn estimated((place, lists): &(String, Vec<Estimate>)) -> String {
    let lists: Vec<String> = lists.iter().map(|list| format!("{} {}", list.objects, list.list.name())).collect();
    format!("{place}: about {}", lists.join(", "))
}

fn is_confirmed() -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("add --yes to import this without a terminal to ask on")
    }
    terminal::tell("import this? [y/N]");
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

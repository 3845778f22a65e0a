//! `clawback disputes submit`: shows exactly what would be sent, and requests that it is.

use std::io::{BufRead, IsTerminal, stdin};

use anyhow::bail;
use clap::Args;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::super::actor::Actor;
use super::response::indented;
use super::{deadline, received};
use crate::app::config::Misconfigured;
use crate::desk::preview::{self, Parameter, Preview};
use crate::store::queries::{self, Dispute, Response};
use crate::terminal::{self, escaped, quoted, say};

#[derive(Debug, Args)]
pub(super) struct Submission {
    /// Dispute ID
    dispute_id: String,
    /// Only if the draft still is this version
    #[arg(long)]
    version: Option<i64>,
    /// Only print what would be sent
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
}

pub(super) async fn submit(conn: &mut PgConnection, asked: Submission) -> anyhow::Result<()> {
    if !asked.yes && !asked.dry_run && !stdin().is_terminal() {
        return Err(Misconfigured::new("submitting cannot be undone: without a terminal it takes --yes").into());
    }
    let (dispute, response) = reviewed(conn, &asked).await?;
    // With --yes and --json, only the result is printed: one document.
    if asked.dry_run || !asked.yes || !asked.json {
        show(&preview::preview(conn, &dispute, &response).await?, asked.json)?;
    }
    if asked.dry_run {
        return Ok(());
    }
    if !asked.yes {
        confirm(&asked.dispute_id)?;
    }
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, asked.actor.name().as_deref(), queries::Via::Cli).await?;
    let version = queries::submit_evidence(&mut tx, &asked.dispute_id, response.version).await?;
    tx.commit().await?;
    match version {
        Some(version) => requested(&asked.dispute_id, version, asked.json),
        None => late(conn, &response).await,
    }
}

/// The dispute, and the draft that is to be submitted.
async fn reviewed(conn: &mut PgConnection, asked: &Submission) -> anyhow::Result<(Dispute, Response)> {
    let dispute = received(conn, &asked.dispute_id).await?;
    let dispute_id = &dispute.dispute_id;
    let Some(response) = queries::response(conn, dispute_id, Some(&dispute.phase)).await? else {
        bail!("dispute {} has no draft: stage evidence first, with `clawback disputes stage`", escaped(dispute_id))
    };
    if let Some(version) = asked.version.filter(|version| *version != response.version) {
        let is = response.version;
        bail!(
            "the response to dispute {dispute_id} is version {is}, not {version}: somebody changed it. Review it again"
        );
    }
    Ok((dispute, response))
}

fn show(preview: &Preview<'_>, json: bool) -> anyhow::Result<()> {
    if json {
        return terminal::json(preview);
    }
    let Preview { dispute_id, phase, version, parameters, kept, missing, problems, .. } = preview;
    say!("Version {version} of the response to dispute {}, {phase}, sends:", escaped(dispute_id));
    let print = |parameter: &Parameter| say!("  {} = {}", escaped(&parameter.name), indented(&parameter.value));
    parameters.iter().for_each(print);
    if !kept.is_empty() {
        say!("Stripe filled in and keeps:");
        kept.iter().for_each(print);
    }
    show_standing(preview);
    if !missing.is_empty() {
        say!("Missing: {}", missing.join(", "));
    }
    problems.iter().for_each(|problem| say!("It cannot be submitted: {}", escaped(problem)));
    Ok(())
}

/// The deadline, the state, and what was refused.
fn show_standing(preview: &Preview<'_>) {
    if let Some(due_by) = preview.evidence_due_by {
        say!("Deadline: {}", deadline(due_by));
    }
    say!("State: {}", preview.state);
    if let Some(error) = preview.error {
        say!("Error: {}", escaped(error));
    }
}

fn confirm(dispute_id: &str) -> anyhow::Result<()> {
    say!("Stripe takes evidence once: it cannot be changed afterwards. Type the dispute ID to submit:");
    terminal::finish()?;
    let mut typed = String::new();
    stdin().lock().read_line(&mut typed)?;
    anyhow::ensure!(typed.trim() == dispute_id, "not submitted: that is not {}", escaped(dispute_id));
    Ok(())
}

fn requested(dispute_id: &str, version: i64, json: bool) -> anyhow::Result<()> {
    if json {
        return terminal::json(&json!({ "dispute_id": dispute_id, "version": version }));
    }
    say!(
        "dispute {}: the service submits it as version {version}\n`clawback disputes show {}` shows what Stripe says",
        escaped(dispute_id),
        quoted(dispute_id)
    );
    Ok(())
}

/// It was refused once, for the deadline has passed.
async fn late(conn: &mut PgConnection, before: &Response) -> anyhow::Result<()> {
    let Response { dispute_id, phase, version, .. } = before;
    let now = queries::response(conn, dispute_id, Some(phase)).await?;
    let why =
        now.and_then(|response| response.error).unwrap_or_else(|| "not submitted: the deadline has passed".to_owned());
    bail!(
        "dispute {dispute_id}: {why}. Run this again within the hour to send version {version} anyway: \
         Stripe promises nothing for late evidence"
    )
}

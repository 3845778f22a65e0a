//! `clawback disputes draft`: fills the draft from what is known of the payment and from the merchant's policy.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::super::actor::Actor;
use super::received;
use super::respond::changed;
use crate::app::{config, now};
use crate::desk::checklist;
use crate::desk::draft::{self, By, CannotDraft, Found};
use crate::store::queries::{self, Dispute};
use crate::terminal::{self, escaped, say};

#[derive(Debug, Args)]
pub(super) struct Drafting {
    /// Dispute ID
    dispute_id: String,
    /// The policy file: metadata keys, policy texts and documents, and who signs the letter
    #[arg(long, env = "CLAWBACK_EVIDENCE_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Only print what would be staged
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    actor: Actor,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn draft(conn: &mut PgConnection, asked: Drafting) -> anyhow::Result<()> {
    let dispute = received(conn, &asked.dispute_id).await?;
    can_draft(conn, &dispute).await?;
    let policy = config::evidence_policy(asked.policy.as_deref())?;
    let response = queries::response(conn, &dispute.dispute_id, Some(&dispute.phase)).await?;
    let found = draft::find(conn, &dispute, response.as_ref(), &policy, now().date()).await.map_err(plain)?;
    if !asked.json || asked.dry_run {
        show(&found, asked.json)?;
    }
    if asked.dry_run {
        return Ok(());
    }
    let version = response.map_or(0, |response| response.version);
    let version = stage(conn, &dispute, &found, version, asked.actor).await?;
    changed(conn, asked.dispute_id, version, asked.json).await
}

/// Refuses where no draft can be filled in: the dispute takes no evidence, or is an appeal.
async fn can_draft(conn: &mut PgConnection, dispute: &Dispute) -> anyhow::Result<()> {
    let dispute_id = escaped(&dispute.dispute_id);
    if let Some(why) = queries::why_closed(conn, &dispute.dispute_id).await? {
        bail!("dispute {dispute_id} takes no evidence: {why}")
    }
    if dispute.phase == "appeal" {
        bail!("dispute {dispute_id}: an appeal begins empty: stage {}", checklist::APPEAL_REASON)
    }
    Ok(())
}

/// A database error as itself, so that it is explained like that of any command.
fn plain(error: CannotDraft) -> anyhow::Error {
    match error {
        CannotDraft::Database(error) => error.into(),
        error @ (CannotDraft::Document { .. } | CannotDraft::Unreadable(_)) => error.into(),
    }
}

async fn stage(
    conn: &mut PgConnection,
    dispute: &Dispute,
    found: &Found,
    version: i64,
    actor: Actor,
) -> anyhow::Result<i64> {
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref(), queries::Via::Cli).await?;
    let version = draft::stage(&mut tx, dispute, found, version, By::Person).await.map_err(plain)?;
    tx.commit().await?;
    Ok(version)
}

fn show(found: &Found, json: bool) -> anyhow::Result<()> {
    if json {
        let field = |filled: &crate::evidence::Filled| json!({ "field": filled.field, "text": filled.value, "source": filled.source });
        let fields: Vec<_> = found.fields.iter().map(field).collect();
        let file = |file: &crate::evidence::PolicyFile| json!({ "field": file.field, "path": file.path, "source": file.source });
        let files: Vec<_> = found.files.iter().map(file).collect();
        return terminal::json(
            &json!({ "product_kind": found.product.map(|product| product.to_string()), "fields": fields, "files": files, "notes": found.notes }),
        );
    }
    for filled in &found.fields {
        say!(
            "{} = {} ({})",
            escaped(&filled.field),
            filled.value.lines().map(escaped).collect::<Vec<_>>().join("\n  "),
            filled.source
        );
    }
    for file in &found.files {
        say!("{} = file {} ({})", file.field, escaped(&file.path), file.source);
    }
    found.notes.iter().for_each(|note| say!("Note: {}", escaped(note)));
    Ok(())
}

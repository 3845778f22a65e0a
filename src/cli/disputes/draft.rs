//! `clawback disputes draft`: fills the draft from what is known of the payment and from the merchant's policy.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};

use super::super::actor::Actor;
use super::respond::changed;
use crate::app::now;
use crate::desk::draft::{self, Found, LETTER};
use crate::evidence::Policy;
use crate::store::queries::{self, Dispute};
use crate::store::sources;
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
    let policy = policy(asked.policy.as_deref())?;
    let Some(dispute) = queries::dispute(conn, &asked.dispute_id).await? else {
        bail!("no dispute {}: `clawback disputes list` lists those that were received", asked.dispute_id)
    };
    let response = queries::response(conn, &dispute.dispute_id, Some(&dispute.phase)).await?;
    let found = draft::find(conn, &dispute, response.as_ref(), &policy, now().date()).await?;
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

/// Attaches the documents and stages the texts, if the draft still is this version. The new version.
async fn stage(
    conn: &mut PgConnection,
    dispute: &Dispute,
    found: &Found,
    mut version: i64,
    actor: Actor,
) -> anyhow::Result<i64> {
    let id = &dispute.dispute_id;
    let mut fields: Map<String, Value> =
        found.fields.iter().map(|filled| (filled.field.clone(), json!(filled.value))).collect();
    fields.insert("product_kind".to_owned(), json!(found.product.to_string()));
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref()).await?;
    for file in &found.files {
        let content =
            std::fs::read(&file.path).with_context(|| format!("cannot read {} for {}", file.path, file.field))?;
        let name = Path::new(&file.path).file_name().unwrap_or_default().to_string_lossy();
        version = queries::attach_evidence_file(&mut tx, id, &file.field, (&name, &content), Some(version)).await?;
    }
    version = queries::stage_evidence(&mut tx, id, &Value::Object(fields), Some(version)).await?;
    if let Some(letter) = found.fields.iter().find(|filled| filled.field == LETTER) {
        sources::set_letter(&mut tx, id, &dispute.phase, &letter.value).await?;
    }
    tx.commit().await?;
    Ok(version)
}

fn policy(file: Option<&Path>) -> anyhow::Result<Policy> {
    let Some(file) = file else { return Ok(Policy::default()) };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Policy::parse(&text).with_context(|| format!("{} is not a policy", file.display()))
}

fn show(found: &Found, json: bool) -> anyhow::Result<()> {
    if json {
        let field = |filled: &crate::evidence::Filled| json!({ "field": filled.field, "text": filled.value, "source": filled.source });
        let fields: Vec<_> = found.fields.iter().map(field).collect();
        let file = |file: &crate::evidence::PolicyFile| json!({ "field": file.field, "path": file.path, "source": file.source });
        let files: Vec<_> = found.files.iter().map(file).collect();
        return terminal::json(
            &json!({ "product_kind": found.product.to_string(), "fields": fields, "files": files, "notes": found.notes }),
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

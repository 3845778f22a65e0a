//! Changing the draft of a response: text, files, and accepting a dispute. Submitting is in `submit.rs`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};

use super::super::actor::Actor;
use crate::app::config::Misconfigured;
use crate::domain::currency::major;
use crate::evidence;
use crate::store::queries::{self, Response};
use crate::store::sqlstate;
use crate::terminal::{self, count, escaped, say};

/// The options of every change.
#[derive(Debug, Args)]
pub(super) struct Change {
    /// Only if the draft still is this version
    #[arg(long)]
    version: Option<i64>,
    #[command(flatten)]
    actor: Actor,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(override_usage = "clawback disputes stage [OPTIONS] <DISPUTE_ID> [FIELD=TEXT]...")]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["fields", "unset", "product"]))]
pub(super) struct Stage {
    /// Dispute ID
    dispute_id: String,
    /// Evidence fields, by Stripe's names, and their text; @FILE reads the text from a file
    #[arg(value_name = "FIELD=TEXT", value_parser = assignment)]
    fields: Vec<(String, String)>,
    /// Remove the text of this field
    #[arg(long, value_name = "FIELD", value_parser = NonEmptyStringValueParser::new())]
    unset: Vec<String>,
    /// What was sold, which decides what the reason calls for
    #[arg(long, value_parser = ["physical", "digital", "service"])]
    product: Option<String>,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
pub(super) struct Attach {
    /// Dispute ID
    dispute_id: String,
    /// Evidence field, by Stripe's name
    field: String,
    /// PDF, JPEG or PNG; several are merged into one PDF, in this order
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
pub(super) struct Detach {
    /// Dispute ID
    dispute_id: String,
    /// Evidence field, by Stripe's name
    field: String,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
pub(super) struct Accept {
    /// Dispute ID
    dispute_id: String,
    /// The disputed amount in minor units, such as cents: it is given up
    #[arg(long, value_name = "MINOR")]
    amount: i64,
    #[command(flatten)]
    actor: Actor,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A changed draft; its row is none when this role may not read it.
#[derive(Serialize)]
struct Changed {
    dispute_id: String,
    version: i64,
    response: Option<Response>,
}

pub(super) async fn stage(conn: &mut PgConnection, asked: Stage) -> anyhow::Result<()> {
    let fields = assigned(asked.fields, asked.unset, asked.product)?;
    let Change { version, actor, json } = asked.change;
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref(), queries::Via::Cli).await?;
    let version = queries::stage_evidence(&mut tx, &asked.dispute_id, &Value::Object(fields), version).await?;
    tx.commit().await?;
    changed(conn, asked.dispute_id, version, json).await
}

/// What is staged, each field once; null removes a field.
fn assigned(
    fields: Vec<(String, String)>,
    unset: Vec<String>,
    product: Option<String>,
) -> anyhow::Result<Map<String, Value>> {
    let mut assigned = Map::new();
    let texts = fields.into_iter().map(|(field, text)| (field, Some(text)));
    let product = product.map(|product| ("product_kind".to_owned(), Some(product)));
    let unset = unset.into_iter().map(|field| (field, None));
    for (field, text) in texts.chain(product).chain(unset) {
        if assigned.contains_key(&field) {
            return Err(Misconfigured::new(format!("{} is given twice", escaped(&field))).into());
        }
        let value = text.map(|text| read(&field, text)).transpose()?.map_or(Value::Null, Value::String);
        assigned.insert(field, value);
    }
    Ok(assigned)
}

/// The text itself, or that of the file which it names.
fn read(field: &str, text: String) -> anyhow::Result<String> {
    match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {file} for {field}")),
        None => Ok(text),
    }
}

pub(super) async fn attach(conn: &mut PgConnection, asked: Attach) -> anyhow::Result<()> {
    let Attach { dispute_id, field, files, change: Change { version, actor, json } } = asked;
    let (name, content) = document(&field, &files)?;
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref(), queries::Via::Cli).await?;
    let version = queries::attach_evidence_file(&mut tx, &dispute_id, &field, (&name, &content), version).await?;
    tx.commit().await?;
    changed(conn, dispute_id, version, json).await
}

pub(super) async fn detach(conn: &mut PgConnection, asked: Detach) -> anyhow::Result<()> {
    let Detach { dispute_id, field, change: Change { version, actor, json } } = asked;
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref(), queries::Via::Cli).await?;
    let version = queries::detach_evidence_file(&mut tx, &dispute_id, &field, version).await?;
    tx.commit().await?;
    changed(conn, dispute_id, version, json).await
}

pub(super) async fn accept(conn: &mut PgConnection, asked: Accept) -> anyhow::Result<()> {
    let Accept { dispute_id, amount, actor, json } = asked;
    let mut tx = conn.begin().await?;
    queries::act_as(&mut tx, actor.name().as_deref(), queries::Via::Cli).await?;
    let version = queries::accept_dispute(&mut tx, &dispute_id, amount).await?;
    tx.commit().await?;
    if json {
        return terminal::json(&json!({ "dispute_id": dispute_id, "version": version }));
    }
    let dispute = sqlstate::permitted(queries::dispute(conn, &dispute_id).await)?.flatten();
    let money = major(amount, dispute.as_ref().map(|dispute| dispute.currency.as_str()));
    say!(
        "dispute {}: the service accepts it as lost, which gives up {money}\n\
         The dispute fee was charged when the dispute arrived: accepting adds none",
        escaped(&dispute_id)
    );
    Ok(())
}

/// One file as it is, or several as one PDF, with its name.
fn document(field: &str, files: &[PathBuf]) -> anyhow::Result<(String, Vec<u8>)> {
    let mut documents = Vec::new();
    for file in files {
        let content = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        documents.push((name(file), content));
    }
    if let [_] = documents.as_slice() {
        return Ok(documents.remove(0));
    }
    let merged = evidence::merge(&documents).with_context(|| format!("cannot merge the files for {field}"))?;
    Ok((format!("{field}.pdf"), merged))
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Prints the draft after a change.
pub(super) async fn changed(
    conn: &mut PgConnection,
    dispute_id: String,
    version: i64,
    json: bool,
) -> anyhow::Result<()> {
    let response = sqlstate::permitted(queries::response(conn, &dispute_id, None).await)?.flatten();
    if json {
        return terminal::json(&Changed { dispute_id, version, response });
    }
    say!("dispute {}: the draft is version {version}", escaped(&dispute_id));
    if let Some(response) = &response {
        terminal::print(format_args!("{}", lacks(response)));
    }
    Ok(())
}

/// What is missing, and what keeps it from being submitted.
fn lacks(response: &Response) -> String {
    let lines = |heading: &str, lines: &[String]| match lines {
        [] => String::new(),
        lines => {
            format!("{heading}\n{}", lines.iter().map(|line| format!("  {}\n", escaped(line))).collect::<String>())
        }
    };
    let missing = lines(&format!("{} missing:", count(response.missing.len(), "field")), &response.missing);
    missing + &lines("It cannot be submitted:", &response.problems)
}

fn assignment(given: &str) -> Result<(String, String), String> {
    match given.split_once('=') {
        Some((field, text)) if !field.is_empty() => Ok((field.to_owned(), text.to_owned())),
        Some(_) | None => Err("expected FIELD=TEXT or FIELD=@FILE".to_owned()),
    }
}

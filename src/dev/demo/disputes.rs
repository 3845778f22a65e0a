//! The third part of the demo, on the double of Stripe: a chargeback that is drafted, gets a file, is submitted and won, and
//! an inquiry that is answered, escalates, and is answered again.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::process::Command;

use super::stripe::{Stripe, show_order};
use super::{FOLLOW_UPS, until};
use crate::store::queries::{self, Dispute, DisputeFilter, FollowUp, FollowUpFilter, Page, Response};
use crate::terminal::table::{self, Cell, Column, column};
use crate::terminal::{Screen, say};

const DISPUTED: &str = "order-disputed";
const INQUIRED: &str = "order-inquired";

/// A PDF of one page.
const RECEIPT: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n";

const RESPONSES: &[Column<Response>] = &[
    column("dispute_id", |response| Cell::text(&response.dispute_id)),
    column("phase", |response| Cell::text(&response.phase)),
    column("state", |response| Cell::state(&response.state)),
    column("fields", |response| Cell::text(response.fields.len().to_string())),
    column("files", |response| Cell::text(files(response))),
];

fn files(response: &Response) -> String {
    response.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Plays both scenes. `database` is what the command that drafts connects to.
pub(super) async fn show(conn: &mut PgConnection, stripe: &Stripe, database: &str) -> anyhow::Result<()> {
    chargeback(conn, stripe, database).await?;
    inquiry(conn, stripe).await
}

async fn chargeback(conn: &mut PgConnection, stripe: &Stripe, database: &str) -> anyhow::Result<()> {
    stripe.pay(DISPUTED, 9_500, "pm_card_createDisputeProductNotReceived").await?;
    let id = disputed(conn, DISPUTED, "chargeback").await?.dispute_id;
    say!("\nA chargeback of {DISPUTED}. clawback disputes draft {id}:\n");
    let mut draft = Command::new(std::env::current_exe().context("cannot find this binary")?);
    draft.args(["disputes", "draft", &id]).env("DATABASE_URL", database).env_remove("CLAWBACK_EVIDENCE_POLICY");
    let ended = draft.status().await.context("cannot run clawback disputes draft")?;
    ensure!(ended.success(), "clawback disputes draft ended with {ended}");
    say!("\nWhat only the shop knows is added in SQL, with a file, and submitted:\n");
    stage(conn, &id, &json!({ "shipping_carrier": "DHL", "shipping_tracking_number": "JD0146" })).await?;
    attach(conn, &id).await?;
    submit(conn, &id, "chargeback").await?;
    stripe.control("bank", json!({ "happens": "win", "id": id })).await?;
    until("the chargeback is won", async || {
        Ok(dispute(conn, DISPUTED).await?.is_some_and(|dispute| dispute.outcome.as_deref() == Some("won")))
    })
    .await?;
    say!("Evidence is sent once, and the bank decides for the shop:\n");
    show_responses(conn, &id, &["chargeback"]).await?;
    show_order(conn, DISPUTED).await
}

async fn inquiry(conn: &mut PgConnection, stripe: &Stripe) -> anyhow::Result<()> {
    stripe.pay(INQUIRED, 4_000, "pm_card_createDisputeInquiry").await?;
    let id = disputed(conn, INQUIRED, "inquiry").await?.dispute_id;
    say!("An inquiry about {INQUIRED} is answered:\n");
    stage(conn, &id, &json!({ "product_description": "Kettle", "uncategorized_text": "Sent on 2 March." })).await?;
    attach(conn, &id).await?;
    submit(conn, &id, "inquiry").await?;
    stripe.control("bank", json!({ "happens": "escalate", "id": id })).await?;
    disputed(conn, INQUIRED, "chargeback").await?;
    say!("The bank makes it a chargeback anyway, so evidence is asked for again:\n");
    say!("{}", table::render(&Screen::of_stdout(), FOLLOW_UPS, &asked_again(conn, &id).await?));
    say!("The draft begins as a copy of the answer to the inquiry, and gets another field:\n");
    stage(conn, &id, &json!({ "shipping_carrier": "DHL" })).await?;
    show_responses(conn, &id, &["chargeback"]).await?;
    submit(conn, &id, "chargeback").await?;
    show_responses(conn, &id, &["inquiry", "chargeback"]).await?;
    show_order(conn, INQUIRED).await
}

/// The dispute of an order, once it awaits a response in this phase.
async fn disputed(conn: &mut PgConnection, order_id: &str, phase: &str) -> anyhow::Result<Dispute> {
    let mut found = None;
    until("the dispute is seen", async || {
        found = dispute(conn, order_id).await?.filter(|dispute| dispute.phase == phase && dispute.can_respond);
        Ok(found.is_some())
    })
    .await?;
    found.context("the dispute is gone")
}

async fn dispute(conn: &mut PgConnection, order_id: &str) -> anyhow::Result<Option<Dispute>> {
    let filter = DisputeFilter { order_id: Some(order_id.to_owned()), ..DisputeFilter::default() };
    Ok(queries::disputes(conn, &filter, &Page::first(1)).await?.pop())
}

async fn stage(conn: &mut PgConnection, id: &str, fields: &Value) -> anyhow::Result<()> {
    say!("  select clawback_v1.stage_evidence('{id}', '{fields}');\n");
    queries::stage_evidence(conn, id, fields, None).await?;
    Ok(())
}

async fn attach(conn: &mut PgConnection, id: &str) -> anyhow::Result<()> {
    say!("  select clawback_v1.attach_evidence_file('{id}', 'receipt', 'receipt.pdf', null, :content);\n");
    queries::attach_evidence_file(conn, id, "receipt", ("receipt.pdf", RECEIPT.as_bytes()), None).await?;
    Ok(())
}

/// Submits what is staged, once the pages of its file are counted, and waits until Stripe has it.
async fn submit(conn: &mut PgConnection, id: &str, phase: &str) -> anyhow::Result<()> {
    let mut version = 0;
    until("the draft can be submitted", async || {
        let draft = response(conn, id, phase).await?;
        version = draft.version;
        Ok(draft.problems.is_empty())
    })
    .await?;
    say!("  select clawback_v1.submit_evidence('{id}', {version});\n");
    queries::submit_evidence(conn, id, version).await?;
    until("the evidence is submitted", async || Ok(response(conn, id, phase).await?.state == "submitted")).await
}

async fn response(conn: &mut PgConnection, id: &str, phase: &str) -> anyhow::Result<Response> {
    queries::response(conn, id, Some(phase)).await?.with_context(|| format!("no response to the {phase} {id}"))
}

async fn show_responses(conn: &mut PgConnection, id: &str, phases: &[&str]) -> anyhow::Result<()> {
    let mut responses = Vec::new();
    for phase in phases {
        responses.push(response(conn, id, phase).await?);
    }
    say!("{}", table::render(&Screen::of_stdout(), RESPONSES, &responses));
    Ok(())
}

/// What is asked for since the inquiry became a chargeback.
async fn asked_again(conn: &mut PgConnection, id: &str) -> anyhow::Result<Vec<FollowUp>> {
    let filter = FollowUpFilter { kind: Some("collect_evidence".to_owned()), ..FollowUpFilter::default() };
    let mut asked = Vec::new();
    until("evidence is asked for again", async || {
        asked = queries::follow_ups(conn, &filter, &Page::first(i64::MAX)).await?;
        asked.retain(|it| it.subject == id && it.round.starts_with("chargeback") && it.state == "ready");
        Ok(!asked.is_empty())
    })
    .await?;
    Ok(asked)
}

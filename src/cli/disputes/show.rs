//! `clawback disputes show`: what is known of a dispute, what Stripe has now, what its reason calls for, the draft, and who
//! did what.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::FIELDS;
use super::checklist::{self, Limits, Need};
use crate::app::{config, database};
use crate::store::queries::{self, Action, Dispute, Response};
use crate::stripe_api::{Client, Mode, Scope, TimeLimit};
use crate::terminal::error_chain::error_chain;
use crate::terminal::table::{self, Cell, Column, column, spare};
use crate::terminal::{self, Screen, escaped};

/// How long Stripe may take.
const CALL: TimeLimit = TimeLimit::PerCall(Duration::from_secs(5));

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Dispute ID
    dispute_id: String,
    #[command(flatten)]
    stripe_api: config::StripeApi,
    /// Print JSON: amounts in minor units, times as RFC 3339
    #[arg(long)]
    json: bool,
}

/// A dispute with all that is known of it. What this role may not read is none.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    dispute: Dispute,
    response: Option<Response>,
    called_for: Option<Vec<Need>>,
    limits: Option<Limits>,
    history: Option<Vec<Action>>,
    at_stripe: Option<Value>,
    /// Why Stripe was not asked.
    not_asked: Option<String>,
}

const NEEDS: &[Column<Need>] = &[
    column("field", |need| Cell::text(&need.field)),
    column("helps", |need| if need.is_strong { Cell::text("most") } else { Cell::Nothing }),
    column("", |need| Cell::state(need.source)),
];

const TEXTS: &[Column<(String, String)>] =
    &[column("field", |(field, _)| Cell::text(field)), column("text", |(_, text)| Cell::text(text))];

const FILES: &[Column<queries::ResponseFile>] = &[
    column("field", |file| Cell::text(&file.field)),
    column("file", |file| Cell::text(&file.name)),
    column("pages", |file| file.pages.map_or(Cell::Nothing, Cell::Number)),
    column("bytes", |file| Cell::Number(file.bytes)),
];

const HISTORY: &[Column<Action>] = &[
    column("at", |action| Cell::Time(action.at)),
    column("who", |action| Cell::text(&action.actor)),
    column("did", |action| Cell::text(&action.action)),
    spare("reason", |action| Cell::optional(&action.reason)),
];

pub(super) async fn show(conn: &mut PgConnection, asked: Show) -> anyhow::Result<()> {
    let Some(dispute) = queries::dispute(conn, &asked.dispute_id).await? else {
        bail!("no dispute {}: `clawback disputes list` lists those that were received", asked.dispute_id)
    };
    let response = database::permitted(queries::response(conn, &dispute.dispute_id, Some(&dispute.phase)).await)?;
    let response = response.flatten();
    let called_for = checklist::needs(conn, &dispute, response.as_ref()).await?;
    let limits = match &response {
        Some(response) => Some(checklist::limits(conn, response).await?),
        None => None,
    };
    let history = database::permitted(queries::dispute_actions(conn, &dispute.dispute_id).await)?;
    let (at_stripe, not_asked) = match ask(&asked.stripe_api, &dispute).await {
        Ok(answer) => (Some(answer), None),
        Err(why) => (None, Some(why)),
    };
    let shown = Shown { dispute, response, called_for, limits, history, at_stripe, not_asked };
    if asked.json {
        return terminal::json(&shown);
    }
    print(&Screen::of_stdout(), &shown);
    Ok(())
}

/// The dispute as Stripe has it now, or why that is not known.
async fn ask(stripe_api: &config::StripeApi, dispute: &Dispute) -> Result<Value, String> {
    let settings = stripe_api.settings().map_err(|error| error.to_string())?;
    let mode = if dispute.livemode { Mode::Live } else { Mode::Test };
    if !settings.keys.modes().contains(&mode) {
        let mode = if dispute.livemode { "live" } else { "test" };
        return Err(format!("no API key for {mode} mode is given: set STRIPE_API_KEYS"));
    }
    let client = Client::new(settings).map_err(|error| error.to_string())?;
    let scope = Scope { mode, account: dispute.account.clone(), context: None };
    let calls = client.calls(&scope, CALL).map_err(|error| error_chain(&error))?;
    let answer = calls.retrieve_dispute(&dispute.dispute_id).await.map_err(|error| error_chain(&error))?;
    serde_json::from_str(answer.json()).map_err(|_| "its answer is no JSON".to_owned())
}

fn print(screen: &Screen, shown: &Shown) {
    let Shown { dispute, response, called_for, limits, history, at_stripe, not_asked } = shown;
    let mut text = table::fields(screen, FIELDS, dispute);
    match (at_stripe, not_asked) {
        (Some(stripes), _) => {
            text += &table::section(screen, "Here, and at Stripe now", COMPARED, &compared(dispute, stripes))
        }
        (None, Some(why)) => text += &format!("\nStripe was not asked: {}\n", escaped(why)),
        (None, None) => {}
    }
    text += &table::section(screen, "What the reason calls for", NEEDS, called_for.as_deref().unwrap_or_default());
    if let Some(response) = response {
        text += &draft(screen, response);
    }
    if let Some(limits) = limits {
        text += &limits.said();
    }
    text += &table::section(screen, "History", HISTORY, history.as_deref().unwrap_or_default());
    terminal::print(format_args!("{text}"));
}

fn draft(screen: &Screen, response: &Response) -> String {
    let Response { phase, state, version, .. } = response;
    let mut text = format!("\nResponse in the phase {phase}: {state}, version {version}\n");
    text.extend(response.error.iter().map(|error| format!("Error: {}\n", escaped(error))));
    text.extend(response.problems.iter().map(|problem| format!("It cannot be submitted: {}\n", escaped(problem))));
    let pairs = |fields: &std::collections::BTreeMap<String, String>| -> Vec<_> {
        fields.iter().map(|(field, text)| (field.clone(), text.clone())).collect()
    };
    text += &table::section(screen, "Text", TEXTS, &pairs(&response.fields));
    text += &table::section(screen, "Files", FILES, &response.files);
    text + &table::section(screen, "Filled in by Stripe", TEXTS, &pairs(&response.held))
}

/// A fact, as it is known here, and as Stripe has it.
struct Compared {
    fact: &'static str,
    here: String,
    at_stripe: String,
}

const COMPARED: &[Column<Compared>] = &[
    column("", |compared| Cell::text(compared.fact)),
    column("here", |compared| Cell::text(&compared.here)),
    column("at Stripe", |compared| Cell::text(&compared.at_stripe)),
];

fn compared(dispute: &Dispute, stripes: &Value) -> Vec<Compared> {
    let word = |value: &Value| match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let optional = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
    let details = &stripes["evidence_details"];
    [
        ("status", dispute.status.clone(), &stripes["status"]),
        ("amount", dispute.amount.to_string(), &stripes["amount"]),
        ("evidence staged", dispute.has_evidence.to_string(), &details["has_evidence"]),
        ("submissions", dispute.submission_count.to_string(), &details["submission_count"]),
        (
            "responds at the deadline",
            optional(&dispute.intended_submission_method),
            &stripes["intended_submission_method"],
        ),
        ("responded", optional(&dispute.submission_method), &details["submission_method"]),
    ]
    .map(|(fact, here, value)| Compared { fact, here, at_stripe: word(value) })
    .into()
}

//! `clawback disputes show`: what is known of a dispute, what Stripe has now, what its reason calls for, the draft, and who
//! did what.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::response::{self, Standing};
use super::{FIELDS, received};
use crate::app::config;
use crate::desk::checklist::{self, CHARACTERS_OF_A_PAGE, Limits, MOST_BYTES, MOST_CHARACTERS, Need};
use crate::store::queries::{self, Action, Dispute, Response};
use crate::store::sqlstate;
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
    /// In the present phase.
    response: Option<Response>,
    /// In the other phases, the last changed first.
    other_responses: Option<Vec<Response>>,
    /// Why it takes no evidence.
    why_closed: Option<String>,
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

const HISTORY: &[Column<Action>] = &[
    column("at", |action| Cell::Time(action.at)),
    column("who", |action| Cell::text(&action.actor)),
    column("did", |action| Cell::text(&action.action)),
    spare("phase", |action| detail(action, "phase")),
    spare("version", |action| detail(action, "version")),
    spare("fields", |action| match detail(action, "fields") {
        Cell::Nothing => detail(action, "field"),
        fields => fields,
    }),
    spare("reason", |action| Cell::optional(&action.reason)),
];

/// What is known of an action under this name.
fn detail(action: &Action, name: &str) -> Cell {
    match &action.detail[name] {
        Value::String(text) => Cell::text(text),
        Value::Number(number) => Cell::text(number.to_string()),
        Value::Array(all) => Cell::text(all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Object(_) => Cell::Nothing,
    }
}

pub(super) async fn show(conn: &mut PgConnection, asked: Show) -> anyhow::Result<()> {
    let dispute = received(conn, &asked.dispute_id).await?;
    let shown = known(conn, dispute, &asked.stripe_api).await?;
    if asked.json {
        return terminal::json(&shown);
    }
    print(&Screen::of_stdout(), &shown);
    Ok(())
}

async fn known(conn: &mut PgConnection, dispute: Dispute, stripe_api: &config::StripeApi) -> anyhow::Result<Shown> {
    let id = &dispute.dispute_id;
    let mut other_responses = sqlstate::permitted(queries::responses(conn, id).await)?;
    let response = other_responses.as_mut().and_then(|all| {
        let place = all.iter().position(|response| response.phase == dispute.phase)?;
        Some(all.remove(place))
    });
    let why_closed = sqlstate::permitted(queries::why_closed(conn, id).await)?.flatten();
    let called_for = match &why_closed {
        Some(_) => None,
        None => checklist::needs(conn, &dispute, response.as_ref()).await?,
    };
    let limits = match &response {
        Some(open) if Standing::of(open, why_closed.as_deref()) == Standing::Open => {
            Some(checklist::limits(conn, open).await?)
        }
        Some(_) | None => None,
    };
    let history = sqlstate::permitted(queries::dispute_actions(conn, id).await)?;
    let (at_stripe, not_asked) = match ask(stripe_api, &dispute).await {
        Ok(answer) => (Some(answer), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Shown { dispute, response, other_responses, why_closed, called_for, limits, history, at_stripe, not_asked })
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
    let Shown { dispute, called_for, history, at_stripe, not_asked, why_closed, .. } = shown;
    let mut text = table::fields(screen, FIELDS, dispute);
    match (at_stripe, not_asked) {
        (Some(stripes), _) => {
            text += &table::section(screen, "Here, and at Stripe now", COMPARED, &compared(dispute, stripes))
        }
        (None, Some(why)) => text += &format!("\nStripe was not asked: {}\n", escaped(why)),
        (None, None) => {}
    }
    text.extend(why_closed.iter().map(|why| format!("\nThe dispute takes no evidence: {}\n", escaped(why))));
    text += &table::section(screen, "What the reason calls for", NEEDS, called_for.as_deref().unwrap_or_default());
    text += &responses(screen, shown);
    text += &table::section(screen, "History", HISTORY, history.as_deref().unwrap_or_default());
    terminal::print(format_args!("{text}"));
}

/// The response of the present phase with what it uses of the limits, then those of the other phases. Nothing for a role
/// that may not read them.
fn responses(screen: &Screen, shown: &Shown) -> String {
    let Some(others) = &shown.other_responses else { return String::new() };
    let mut text = match &shown.response {
        Some(response) => response::shown(screen, response, Standing::of(response, shown.why_closed.as_deref())),
        None => format!("\nNot answered in the phase {}\n", shown.dispute.phase),
    };
    text.extend(shown.limits.iter().map(used));
    text.extend(others.iter().map(|response| response::shown(screen, response, Standing::Over)));
    text
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
        ("at the deadline", optional(&dispute.intended_submission_method), &stripes["intended_submission_method"]),
        ("submitted by", optional(&dispute.submission_method), &details["submission_method"]),
    ]
    .map(|(fact, here, value)| Compared { fact, here, at_stripe: word(value) })
    .into()
}

/// How much of Stripe's limits is used.
fn used(limits: &Limits) -> String {
    let Limits { characters, bytes, pages, most_pages } = limits;
    let of_pages = most_pages.map_or_else(String::new, |most| format!(" of {most}"));
    format!(
        "\nUsed: {characters} of {MOST_CHARACTERS} characters, {bytes} of {MOST_BYTES} bytes, {pages}{of_pages} pages \
         (text counts as a page for each {CHARACTERS_OF_A_PAGE} characters)\n"
    )
}

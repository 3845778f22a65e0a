//! `clawback follow-ups`: what is to be done; requeueing and discarding, one by one or in bulk.

use anyhow::{bail, ensure};
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{ArgGroup, Args, Subcommand};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::actor::Actor;
use super::columns::ACTIONS;
use super::explain::explained;
use super::list::{self, Listing};
use crate::app::{config, database};
use crate::domain;
use crate::domain::reconcile::FollowUpState;
use crate::store::queries::{self, FollowUp, FollowUpFilter, Page};
use crate::store::sqlstate;
use crate::terminal::moment::{self, Moment};
use crate::terminal::progress::Progress;
use crate::terminal::table::{self, Cell, Column, column, if_any, if_mixed, spare};
use crate::terminal::{self, Screen, count, say};

/// Changed in one transaction: a longer one would block consumers.
const CHUNK: usize = 500;
const NONE: &str = "no matching follow-ups";
const STATES: [&str; 6] = ["ready", "leased", "done", "cancelled", "dead", "discarded"];

#[derive(Debug, Args)]
pub(crate) struct FollowUps {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List follow-ups, the newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// Only follow-ups enqueued since: 2h ago, a day, or a time such as 2026-11-25T15:00:00Z
        #[arg(long, value_parser = Moment::parse)]
        since: Option<Moment>,
        #[command(flatten)]
        list: Listing,
    },
    /// Show one follow-up with its payload, and who requeued or discarded it
    Show {
        /// Follow-up ID
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make follow-ups ready again, with fresh attempts; recorded in the audit trail
    ///
    /// By ID, or all that `follow-ups list` finds with the same options.
    Requeue {
        #[command(flatten)]
        which: Which,
        /// Why, for the audit trail
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: Option<String>,
        /// Also follow-ups that are done or discarded: their consumer acts a second time
        #[arg(long, requires = "reason")]
        force: bool,
    },
    /// Discard follow-ups permanently; recorded in the audit trail
    ///
    /// By ID, or all that `follow-ups list` finds with the same options.
    Discard {
        #[command(flatten)]
        which: Which,
        /// Why, for the audit trail
        #[arg(long, required_unless_present = "dry_run", value_parser = NonEmptyStringValueParser::new())]
        reason: Option<String>,
    },
}

/// Which follow-ups are meant. Its name is also that of the group of its options.
#[derive(Debug, Args)]
struct Filter {
    /// Only follow-ups in this state
    #[arg(long, value_parser = STATES)]
    state: Option<String>,
    /// Only follow-ups of this kind
    #[arg(long, value_parser = PossibleValuesParser::new(domain::kinds()))]
    kind: Option<String>,
    /// Only follow-ups of this order
    #[arg(long)]
    order: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args(["ids", "state", "kind", "order"]))]
struct Which {
    /// Follow-up IDs
    #[arg(conflicts_with = "Filter")]
    ids: Vec<i64>,
    #[command(flatten)]
    filter: Filter,
    /// Print which follow-ups match; change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    actor: Actor,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const COLUMNS: &[Column<FollowUp>] = &[
    if_mixed("mode", |follow_up| Cell::mode(follow_up.livemode)),
    if_mixed("account", |follow_up| Cell::optional(&follow_up.account)),
    column("id", |follow_up| Cell::Number(follow_up.id)),
    column("kind", |follow_up| Cell::text(&follow_up.kind)),
    if_any("order", |follow_up| Cell::optional(&follow_up.order_id)),
    column("state", |follow_up| Cell::state(&follow_up.state)),
    column("attempts", |follow_up| Cell::text(format!("{}/{}", follow_up.attempts, follow_up.max_attempts))),
    if_any("due", |follow_up| Cell::time(follow_up.due_at)),
    spare("subject", |follow_up| Cell::text(&follow_up.subject)),
    spare("created", |follow_up| Cell::Time(follow_up.created_at)),
    if_any("error", |follow_up| Cell::optional(&follow_up.last_error)),
];

const FIELDS: &[Column<FollowUp>] = &[
    column("id", |follow_up| Cell::Number(follow_up.id)),
    column("kind", |follow_up| Cell::text(&follow_up.kind)),
    column("mode", |follow_up| Cell::mode(follow_up.livemode)),
    column("account", |follow_up| Cell::optional(&follow_up.account)),
    column("order", |follow_up| Cell::optional(&follow_up.order_id)),
    column("payment", |follow_up| Cell::optional(&follow_up.payment_id)),
    column("subject", |follow_up| Cell::text(&follow_up.subject)),
    column("round", |follow_up| Cell::optional(&Some(follow_up.round.clone()).filter(|round| !round.is_empty()))),
    column("state", |follow_up| Cell::state(&follow_up.state)),
    column("wanted", |follow_up| Cell::text(if follow_up.wanted { "yes" } else { "no" })),
    column("attempts", |follow_up| Cell::text(format!("{} of {}", follow_up.attempts, follow_up.max_attempts))),
    column("consumer", |follow_up| Cell::optional(&follow_up.consumer)),
    column("leased until", |follow_up| Cell::time(follow_up.leased_until)),
    column("error", |follow_up| Cell::optional(&follow_up.last_error)),
    column("result", |follow_up| Cell::optional(&follow_up.result.as_ref().map(ToString::to_string))),
    column("created", |follow_up| Cell::Time(follow_up.created_at)),
    column("not before", |follow_up| Cell::Time(follow_up.run_at)),
    column("due", |follow_up| Cell::time(follow_up.due_at)),
    column("finished", |follow_up| Cell::time(follow_up.finished_at)),
    column("payload", |follow_up| Cell::text(follow_up.payload.to_string())),
];

pub(crate) async fn run(args: FollowUps) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let done = match args.action {
        Action::List { filter, since, list } => {
            list.before.as_deref().map(number).transpose()?;
            let filter = FollowUpFilter { since: list::time(since), ..filter.into() };
            follow_ups(conn, &filter, &list).await
        }
        Action::Show { id, json } => show(conn, id, json).await,
        Action::Requeue { which, reason, force } => change(conn, which, &Change::Requeue { reason, force }).await,
        Action::Discard { which, reason } => {
            change(conn, which, &Change::Discard { reason: reason.unwrap_or_default() }).await
        }
    };
    done.map_err(explained)
}

impl From<Filter> for FollowUpFilter {
    fn from(Filter { state, kind, order }: Filter) -> Self {
        Self { state, kind, order_id: order, ..Self::default() }
    }
}

fn number(text: &str) -> anyhow::Result<i64> {
    text.parse()
        .map_err(|_| config::Misconfigured::new("--before must be the ID of a follow-up, a whole number").into())
}

async fn follow_ups(conn: &mut PgConnection, filter: &FollowUpFilter, list: &Listing) -> anyhow::Result<()> {
    let rows = queries::follow_ups(conn, filter, &list.page()).await?;
    list.print(COLUMNS, rows, |follow_up| follow_up.id.to_string(), NONE)
}

/// A follow-up with what only some roles may see: null when this one may not.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    follow_up: FollowUp,
    actions: Option<Vec<queries::Action>>,
}

async fn show(conn: &mut PgConnection, id: i64, json: bool) -> anyhow::Result<()> {
    let Some(follow_up) = queries::follow_up(conn, id).await? else {
        bail!("no follow-up {id}: `clawback follow-ups list` lists them")
    };
    let actions = sqlstate::permitted(queries::actions(conn, "follow_up", &id.to_string()).await)?;
    if json {
        return terminal::json(&Shown { follow_up, actions });
    }
    let screen = Screen::of_stdout();
    terminal::print(format_args!("{}", table::fields(&screen, FIELDS, &follow_up)));
    terminal::print(format_args!("{}", table::section(&screen, "Actions", ACTIONS, &actions.unwrap_or_default())));
    if follow_up.is_pruned() {
        say!("\n(its payload, result and last error were pruned)");
    }
    Ok(())
}

/// What is to be done with follow-ups.
enum Change {
    Requeue { reason: Option<String>, force: bool },
    Discard { reason: String },
}

impl Change {
    /// The state that they have afterwards.
    fn state(&self) -> &'static str {
        match self {
            Self::Requeue { .. } => "ready",
            Self::Discard { .. } => "discarded",
        }
    }

    /// Why it does not apply to a follow-up; none: it does.
    fn obstacle(&self, follow_up: &FollowUp) -> Option<String> {
        let state = FollowUpState::deserialize(follow_up.state.as_str().into_deserializer());
        let state = state.map_err(|error: serde::de::value::Error| error).ok()?;
        match (self, state) {
            (Self::Requeue { .. }, FollowUpState::Leased) => Some(leased(follow_up)),
            (Self::Requeue { .. }, _) if !follow_up.wanted => Some("is no longer wanted".to_owned()),
            (Self::Requeue { .. }, FollowUpState::Done | FollowUpState::Discarded) if follow_up.is_pruned() => {
                Some(format!("is {}, and its payload was pruned", follow_up.state))
            }
            (Self::Requeue { force: false, .. }, FollowUpState::Done | FollowUpState::Discarded) => {
                Some(format!("is {}: add --force --reason WHY", follow_up.state))
            }
            (Self::Discard { .. }, FollowUpState::Done | FollowUpState::Discarded) => {
                Some(format!("is {} already", follow_up.state))
            }
            (Self::Requeue { .. } | Self::Discard { .. }, _) => None,
        }
    }

    /// The same for one that was refused.
    async fn refusal(&self, conn: &mut PgConnection, id: i64) -> sqlx::Result<String> {
        let cause = match sqlstate::permitted(queries::follow_up(conn, id).await)? {
            None => "cannot be changed: to see why, run `clawback grants ROLE --read`".to_owned(),
            Some(None) => "does not exist".to_owned(),
            Some(Some(follow_up)) => {
                self.obstacle(&follow_up).unwrap_or_else(|| "changed meanwhile: try again".to_owned())
            }
        };
        Ok(format!("follow-up {id} {cause}"))
    }

    async fn apply(&self, conn: &mut PgConnection, id: i64) -> sqlx::Result<bool> {
        match self {
            Self::Requeue { reason, force } => queries::requeue(conn, id, reason.as_deref(), *force).await,
            Self::Discard { reason } => queries::discard(conn, id, reason).await,
        }
    }
}

async fn change(conn: &mut PgConnection, which: Which, change: &Change) -> anyhow::Result<()> {
    let Which { ids, filter, dry_run, actor, json } = which;
    let ids = if ids.is_empty() { matching(conn, filter.into(), change).await? } else { ids };
    if dry_run {
        let (fit, refused) = sorted_out(conn, ids, change).await?;
        print_dry_run(&fit, change, json)?;
        return refusals(conn, &refused, change).await;
    }
    let (mut changed, mut refused, progress) = (Vec::new(), Vec::new(), Progress::new());
    let actor = actor.name();
    for chunk in ids.chunks(CHUNK) {
        let mut tx = conn.begin().await?;
        queries::act_as(&mut tx, actor.as_deref(), queries::Via::Cli).await?;
        for id in chunk {
            if change.apply(&mut tx, *id).await? { changed.push(*id) } else { refused.push(*id) }
        }
        tx.commit().await?;
        progress.show(&format!("{} of {}: {}", changed.len(), count(ids.len(), "follow-up"), change.state()));
    }
    drop(progress);
    if !changed.is_empty() || refused.is_empty() {
        print_changed(&changed, change, json)?;
    }
    refusals(conn, &refused, change).await
}

/// # Errors
/// When something was refused: the cause for each of the first ten.
async fn refusals(conn: &mut PgConnection, refused: &[i64], change: &Change) -> anyhow::Result<()> {
    let mut causes = Vec::new();
    for id in refused.iter().take(10) {
        causes.push(change.refusal(conn, *id).await?);
    }
    if refused.len() > 10 {
        causes.push(format!("and {} more", refused.len() - 10));
    }
    ensure!(causes.is_empty(), "{}", causes.join("; "));
    Ok(())
}

fn leased(follow_up: &FollowUp) -> String {
    let consumer = follow_up.consumer.as_deref().unwrap_or("a consumer");
    let until = follow_up.leased_until.map_or_else(String::new, |until| format!(" until {}", moment::exact(until)));
    format!("is leased by {consumer}{until}")
}

/// Those that the change applies to, and the others.
async fn sorted_out(conn: &mut PgConnection, ids: Vec<i64>, change: &Change) -> sqlx::Result<(Vec<i64>, Vec<i64>)> {
    let (mut fit, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        let found = queries::follow_up(conn, id).await?;
        if found.is_some_and(|found| change.obstacle(&found).is_none()) { fit.push(id) } else { refused.push(id) }
    }
    Ok((fit, refused))
}

/// The ids of all that match and that the change applies to, the oldest first.
async fn matching(conn: &mut PgConnection, filter: FollowUpFilter, change: &Change) -> sqlx::Result<Vec<i64>> {
    let found = queries::follow_ups(conn, &filter, &Page::first(i64::MAX)).await?;
    let fits = |follow_up: &&FollowUp| change.obstacle(follow_up).is_none();
    Ok(found.iter().rev().filter(fits).map(|follow_up| follow_up.id).collect())
}

fn print_changed(ids: &[i64], change: &Change, json: bool) -> anyhow::Result<()> {
    let state = change.state();
    match ids {
        _ if json => terminal::json(&json!({ "ids": ids, "state": state }))?,
        [] => say!("{NONE}"),
        [id] => say!("follow-up {id} is {state}"),
        ids => say!("{} are {state}", count(ids.len(), "follow-up")),
    }
    Ok(())
}

fn print_dry_run(ids: &[i64], change: &Change, json: bool) -> anyhow::Result<()> {
    match ids {
        _ if json => terminal::json(&json!({ "ids": ids, "state": change.state() }))?,
        [] => say!("{NONE}"),
        ids => say!("{} would be {}: {}", count(ids.len(), "follow-up"), change.state(), named(ids)),
    }
    Ok(())
}

/// The first ten, and how many more there are.
fn named(ids: &[i64]) -> String {
    let first: Vec<String> = ids.iter().take(10).map(i64::to_string).collect();
    let more = if ids.len() > 10 { format!(" and {} more", ids.len() - 10) } else { String::new() };
    first.join(", ") + &more
}

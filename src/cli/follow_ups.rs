//! `clawback follow-ups`: what is to be done, and a person's word on it.

use anyhow::{bail, ensure};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::person::{ACTIONS, Person};
use crate::app::{config, database};
use crate::store::interface;
use crate::terminal::table;
use crate::terminal::{self, say};

#[derive(Debug, Args)]
pub(crate) struct FollowUps {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Follow-ups, the newest first
    List {
        /// How far they are
        #[arg(long, value_parser = ["ready", "leased", "done", "cancelled", "dead", "discarded"])]
        state: Option<String>,
        /// Such as notify_refund
        #[arg(long)]
        kind: Option<String>,
        /// The order they are for
        #[arg(long)]
        order: Option<String>,
        /// Most rows to list
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One follow-up, what goes with it, and who had it done again
    Show {
        /// Its id
        id: i64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ready again, with fresh attempts; who asked is written down
    Requeue {
        /// Its id
        id: i64,
        /// Why
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: Option<String>,
        /// Also one that is done or discarded: whoever works it off acts a second time
        #[arg(long, requires = "reason")]
        force: bool,
        #[command(flatten)]
        person: Person,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Never to be done; who says so, and why, is written down
    Discard {
        /// Its id
        id: i64,
        /// Why
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        #[command(flatten)]
        person: Person,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(args: FollowUps) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    act(conn, args.action).await.map_err(database::mended)
}

async fn act(conn: &mut PgConnection, action: Action) -> anyhow::Result<()> {
    match action {
        Action::List { state, kind, order, limit, json } => {
            let (state, kind, order) = (state.as_deref(), kind.as_deref(), order.as_deref());
            let rows = table::cut(interface::follow_ups(conn, state, kind, order, limit + 1).await?, limit);
            let columns = ["id", "kind", "subject", "round", "order_id", "state", "attempts", "due_at", "last_error"];
            table::print(json, &columns, &rows, "no matching follow-ups")
        }
        Action::Show { id, json } => show(conn, id, json).await,
        Action::Requeue { id, reason, force, person, json } => {
            let mut tx = conn.begin().await?;
            interface::act_as(&mut tx, person.name().as_deref()).await?;
            let requeued = interface::requeue(&mut tx, id, reason.as_deref(), force).await?;
            tx.commit().await?;
            ensure!(
                requeued,
                "follow-up {id} cannot be requeued: it is not there, leased, wanted no longer, or it is done or \
                 discarded and needs --force; `clawback follow-ups show {id}` tells which"
            );
            said(id, "ready", json)
        }
        Action::Discard { id, reason, person, json } => {
            let mut tx = conn.begin().await?;
            interface::act_as(&mut tx, person.name().as_deref()).await?;
            let discarded = interface::discard(&mut tx, id, &reason).await?;
            tx.commit().await?;
            ensure!(
                discarded,
                "follow-up {id} cannot be discarded: it is not there, or done or discarded already; \
                 `clawback follow-ups show {id}` tells which"
            );
            said(id, "discarded", json)
        }
    }
}

async fn show(conn: &mut PgConnection, id: i64, json: bool) -> anyhow::Result<()> {
    let Some(mut follow_up) = interface::follow_up(conn, id).await? else {
        bail!("no follow-up {id}: `clawback follow-ups list` shows those that there are")
    };
    let actions = interface::actions(conn, "follow_up", &id.to_string()).await;
    follow_up["actions"] = json!(database::permitted(actions)?);
    if json {
        say!("{}", serde_json::to_string_pretty(&follow_up)?);
        return Ok(());
    }
    let (what, when) = (
        [
            "id",
            "kind",
            "subject",
            "round",
            "order_id",
            "payment_id",
            "livemode",
            "account",
            "state",
            "wanted",
            "attempts",
        ],
        ["created_at", "run_at", "due_at", "finished_at", "consumer", "leased_until", "result", "last_error"],
    );
    let row = std::slice::from_ref(&follow_up);
    terminal::print(format_args!("{}\n{}", table::render(&what, row), table::render(&when, row)));
    terminal::print(format_args!("{}", table::section("Who did what with it", &ACTIONS, &follow_up["actions"])));
    say!("\n{}", follow_up["payload"]);
    Ok(())
}

fn said(id: i64, state: &str, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(&json!({ "id": id, "state": state }))?);
    } else {
        say!("follow-up {id} is {state}");
    }
    Ok(())
}

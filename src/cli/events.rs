//! `clawback events`: what is in the ledger, and processing it again.

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use sqlx::ConnectOptions;

use super::output::{self, say};
use super::{config, table};
use crate::store::{interface, ledger};

#[derive(Debug, Args)]
pub(super) struct Events {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Events, the last received first
    List {
        /// pending, processed, ignored or failed
        #[arg(long)]
        state: Option<String>,
        /// Such as charge.refunded
        #[arg(long = "type")]
        event_type: Option<String>,
        /// The id of the object they are about
        #[arg(long)]
        object: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One event with its body, client secrets masked
    Show {
        /// Its id
        event_id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Process events again: changes nothing that was right, and is written down
    Replay {
        /// Their ids
        #[arg(required_unless_present = "state", conflicts_with = "state")]
        event_ids: Vec<String>,
        /// All that are failed or ignored
        #[arg(long, value_parser = ["failed", "ignored"])]
        state: Option<String>,
        /// With --state: of this type only
        #[arg(long = "type", requires = "state")]
        event_type: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: Events) -> anyhow::Result<()> {
    let conn = &mut args.database.options()?.connect().await?;
    match args.action {
        Action::List { state, event_type, object, limit, json } => {
            let rows =
                interface::events(conn, state.as_deref(), event_type.as_deref(), object.as_deref(), limit).await?;
            table::print(
                json,
                &["event_id", "type", "state", "payment_id", "received_at", "attempts", "last_error"],
                &rows,
            )
        }
        Action::Show { event_id, json } => {
            let Some(event) = interface::event(conn, &event_id).await? else {
                bail!("no event {event_id} in the ledger")
            };
            if json {
                say!("{}", serde_json::to_string_pretty(&event)?);
            } else {
                output::print(format_args!(
                    "{}",
                    table::render(
                        &["event_id", "type", "state", "attempts", "last_error"],
                        std::slice::from_ref(&event)
                    )
                ));
                say!("\n{}", event["payload"].as_str().unwrap_or("(its body was pruned)"));
            }
            Ok(())
        }
        Action::Replay { event_ids, state, event_type, reason, json } => {
            ensure!(!reason.is_empty(), "--reason must say why");
            let ids = match state {
                Some(state) => ledger::ids(conn, &state, event_type.as_deref()).await?,
                None => event_ids,
            };
            let replayed = ledger::replay(conn, &ids, &reason).await?;
            if json {
                say!("{}", serde_json::to_string_pretty(&replayed)?);
            } else {
                say!("{} of {} events will be processed again", replayed.len(), ids.len());
            }
            let missing: Vec<&String> = ids.iter().filter(|id| !replayed.contains(id)).collect();
            ensure!(missing.is_empty(), "not in the ledger, without a body, or pending already: {missing:?}");
            Ok(())
        }
    }
}

//! `clawback follow-ups`: what is to be done, and a person's word on it.

use anyhow::ensure;
use clap::{Args, Subcommand};
use sqlx::ConnectOptions;

use super::output::say;
use super::{config, table};
use crate::store::interface;

#[derive(Debug, Args)]
pub(super) struct FollowUps {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    database: config::Database,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Follow-ups, the newest first
    List {
        /// ready, leased, done, cancelled, dead or discarded
        #[arg(long)]
        state: Option<String>,
        /// Such as notify_refund
        #[arg(long)]
        kind: Option<String>,
        /// The order they are for
        #[arg(long)]
        order: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ready again, with fresh attempts
    Requeue {
        /// Its id
        id: i64,
    },
    /// Never to be done
    Discard {
        /// Its id
        id: i64,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(args: FollowUps) -> anyhow::Result<()> {
    let conn = &mut args.database.options()?.connect().await?;
    match args.action {
        Action::List { state, kind, order, limit, json } => {
            let rows = interface::follow_ups(conn, state.as_deref(), kind.as_deref(), order.as_deref(), limit).await?;
            table::print(
                json,
                &["id", "kind", "subject", "round", "order_id", "state", "attempts", "due_at", "last_error"],
                &rows,
            )
        }
        Action::Requeue { id } => {
            let requeued = interface::requeue(conn, id).await?;
            ensure!(
                requeued,
                "follow-up {id} cannot be requeued: it is not there, leased, discarded, or wanted no longer"
            );
            say!("follow-up {id} is ready again");
            Ok(())
        }
        Action::Discard { id, reason } => {
            let discarded = interface::discard(conn, id, &reason).await?;
            ensure!(discarded, "follow-up {id} cannot be discarded: it is not there, or done or discarded already");
            say!("follow-up {id} is discarded");
            Ok(())
        }
    }
}

//! `clawback migrate`: migrations only, for a deployment that gives the service no right to run them.

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use crate::app::config;
use crate::app::migrate::{migrate, place, why};
use crate::store::migrations;
use crate::terminal::progress::Progress;
use crate::terminal::{self, say};

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    database: config::Database,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Migrate) -> anyhow::Result<()> {
    let database = args.database.options()?;
    let version = migrations::required_version();
    let progress = Progress::new();
    progress.show(&format!("migrating to version {version}"));
    migrate(&database)
        .await
        .map_err(|error| anyhow!("cannot migrate the database on {}: {}", place(&database), why(&error)))?;
    drop(progress);
    if args.json {
        return terminal::json(&json!({ "version": version }));
    }
    say!("migrated to version {version}");
    Ok(())
}

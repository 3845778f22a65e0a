//! `clawback migrate`: migrations only, for a deployment that gives the service no right to run them.

use anyhow::anyhow;

use crate::app::config;
use crate::app::migrate::{migrate, place, why};
use crate::store::migrations;
use crate::terminal::say;

pub(crate) async fn run(args: config::Database) -> anyhow::Result<()> {
    let database = args.options()?;
    migrate(&database)
        .await
        .map_err(|error| anyhow!("cannot migrate the database on {}: {}", place(&database), why(&error)))?;
    say!("migrated to version {}", migrations::required_version());
    Ok(())
}

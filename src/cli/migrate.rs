//! `clawback migrate`: migrations only, for a deployment that gives the service no right to run them.

use super::output::say;
use super::{config, serve};

pub(super) async fn run(args: config::Database) -> anyhow::Result<()> {
    serve::migrate(&args.options()?).await?;
    say!("migrated to version {}", crate::store::migrations::required_version());
    Ok(())
}

//! `clawback prune`: removes what is old enough, as the service does once a day.
//!
//! Works beside the running service, a page at a time, and always begins with the oldest rows. Does no harm to be
//! interrupted or to be run twice.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use strum::VariantArray;

use super::explain::explained;
use crate::app::config::{self, retention};
use crate::app::database;
use crate::retention::{Ages, Mode, Part, all, is_outdated, words};
use crate::terminal::progress::Progress;
use crate::terminal::{self, say};

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Age of event bodies, since they were received
    #[arg(long, env = "CLAWBACK_PRUNE_OLDER_THAN", value_name = "AGE", default_value = retention::DEFAULT,
          value_parser = retention::age)]
    older_than: Duration,
    /// Age of sent evidence, since its dispute was closed
    #[arg(long, env = "CLAWBACK_PRUNE_EVIDENCE_OLDER_THAN", value_name = "AGE", default_value = retention::DEFAULT,
          value_parser = retention::age)]
    evidence_older_than: Duration,
    /// Age of follow-ups, since they ended
    #[arg(long, env = "CLAWBACK_PRUNE_FOLLOW_UPS_OLDER_THAN", value_name = "AGE", default_value = retention::DEFAULT,
          value_parser = retention::age)]
    follow_ups_older_than: Duration,
    /// Print what would be removed; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: config::Database,
}

pub(crate) async fn run(args: Prune) -> anyhow::Result<()> {
    let conn = &mut database::connect(&args.database).await?;
    let removed = prune(conn, &args).await.map_err(explained)?;
    if args.json {
        let counts = removed.iter().map(|(part, rows)| (name(*part).to_owned(), Value::from(*rows)));
        return terminal::json(&Value::Object(counts.collect::<Map<_, _>>()));
    }
    for (part, rows) in removed {
        say!("{rows:>10}  {}", outcome(part, args.dry_run));
    }
    Ok(())
}

async fn prune(conn: &mut PgConnection, args: &Prune) -> anyhow::Result<Vec<(Part, i64)>> {
    ensure!(!is_outdated(conn).await?, "a newer release of clawback runs on this database: use its binary");
    let ages =
        Ages { bodies: args.older_than, evidence: args.evidence_older_than, follow_ups: args.follow_ups_older_than };
    let mode = if args.dry_run { Mode::Rehearse } else { Mode::Remove };
    let (mut removed, progress) = (Vec::new(), Progress::new());
    for part in Part::VARIANTS {
        let so_far = |rows| progress.show(&format!("{rows} {}", outcome(*part, args.dry_run)));
        removed.push((*part, all(conn, *part, &ages, mode, so_far).await?));
    }
    Ok(removed)
}

fn name(part: Part) -> &'static str {
    part.into()
}

/// What is done to the rows of a part, after their number.
fn outcome(part: Part, is_dry_run: bool) -> String {
    let (rows, done) = words(part);
    if is_dry_run { format!("{rows} would be {done}") } else { format!("{rows} {done}") }
}

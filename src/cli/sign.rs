//! `clawback sign`: the header that Stripe would send with a body.

use std::io::Read;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;

use super::config::Signing;
use super::output::say;
use crate::stripe::signature;

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The body, byte for byte; - reads standard input
    file: PathBuf,
    /// Time of signing in unix seconds [default: now]
    #[arg(long)]
    timestamp: Option<i64>,
    #[command(flatten)]
    signing: Signing,
}

pub(super) fn run(args: &Sign) -> anyhow::Result<()> {
    let secrets = args.signing.secrets()?;
    let body = read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let timestamp = args.timestamp.unwrap_or_else(unix_now);
    say!("{}", signature::sign_with(secrets.iter(), timestamp, &body));
    Ok(())
}

fn read(file: &PathBuf) -> std::io::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return std::fs::read(file);
    }
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    Ok(body)
}

/// The clock, in unix seconds.
pub(super) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

//! `clawback sign`: the signature header that Stripe would send with a body.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::app::config::Signing;
use crate::app::unix_now;
use crate::stripe::signature;
use crate::terminal::say;

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// File that holds the body, byte for byte; - reads standard input
    file: PathBuf,
    /// Print the whole header, name included: curl -H "$(clawback sign --header body.json)"
    #[arg(long)]
    header: bool,
    /// Time of signing in unix seconds [default: now]
    #[arg(long)]
    timestamp: Option<i64>,
    #[command(flatten)]
    signing: Signing,
}

pub(crate) fn run(args: &Sign) -> anyhow::Result<()> {
    let secrets = args.signing.secrets()?;
    let body = read(&args.file).with_context(|| format!("cannot read the body from {}", args.file.display()))?;
    let timestamp = args.timestamp.unwrap_or_else(unix_now);
    let name = if args.header { "Stripe-Signature: " } else { "" };
    say!("{name}{}", signature::sign_with(secrets.iter(), timestamp, &body));
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

//! `clawback healthcheck`: asks the service in the same container, for a probe without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Where the service listens
    #[arg(long, env = "CLAWBACK_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Check that it can take events, not only that it is running
    #[arg(long)]
    ready: bool,
}

pub(crate) async fn run(args: &Healthcheck) -> anyhow::Result<()> {
    let path = if args.ready { "readyz" } else { "healthz" };
    let url = format!("http://{}/{path}", reachable(args.listen));
    let client = crate::app::client(Duration::from_secs(3))?;
    let answer = client.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
    ensure!(answer.status().is_success(), "{url} answered {}", answer.status());
    Ok(())
}

/// A service that listens on all addresses is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

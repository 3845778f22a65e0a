//! `clawback serve`: the service.

use std::net::SocketAddr;

use clap::Args;

use crate::app::config;
use crate::app::{Console, Service, asked_to_stop, bind, logging};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    service: config::Serve,
    #[command(flatten)]
    console: config::Console,
}

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let ServeArgs { service: args, console } = args;
    let service = Service::configured(&args)?;
    let console = console.settings(&service.database)?;
    let _logs = logging::start(args.log_format)?;
    let public = bind(args.listen.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8080))), "CLAWBACK_LISTEN")?;
    let private = bind(args.admin_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9090))), "CLAWBACK_ADMIN_LISTEN")?;
    let console = match console {
        Some((listen, settings)) => Some(Console::bind(&listen, settings).await?),
        None => None,
    };
    Service { console, ..service }.run(public, private, asked_to_stop()?).await
}

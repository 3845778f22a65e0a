//! `clawback serve`: the service.

use std::net::SocketAddr;

use crate::app::{Service, asked_to_stop, bind, config, logging};

pub(crate) async fn run(args: config::Serve) -> anyhow::Result<()> {
    let service = Service::configured(&args)?;
    let _logs = logging::start(args.log_format)?;
    let public = bind(args.listen.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8080))), "CLAWBACK_LISTEN").await?;
    let private =
        bind(args.admin_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9090))), "CLAWBACK_ADMIN_LISTEN").await?;
    service.run(public, private, asked_to_stop()?).await
}

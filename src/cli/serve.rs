//! `clawback serve`: the service.

use std::net::SocketAddr;

use crate::app::config::Misconfigured;
use crate::app::{Service, asked_to_stop, bind, config, logging};

pub(crate) async fn run(args: config::Serve) -> anyhow::Result<()> {
    all_given(&args)?;
    let service = Service::configured(&args)?;
    let _logs = logging::start(args.log_format)?;
    let public = bind(args.listen.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8080))), "CLAWBACK_LISTEN").await?;
    let private =
        bind(args.admin_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9090))), "CLAWBACK_ADMIN_LISTEN").await?;
    service.run(public, private, asked_to_stop()?).await
}

/// All that is missing or malformed at once: who sets up a service should not find it out piece by piece.
fn all_given(args: &config::Serve) -> Result<(), Misconfigured> {
    let problems = [args.database.options().err(), args.signing.secrets().err()];
    let problems: Vec<String> = problems.iter().flatten().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(()) } else { Err(Misconfigured::new(problems.join("; "))) }
}

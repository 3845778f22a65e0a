//! The console of `clawback dev`: on loopback, entered by a link that works once.

use std::net::SocketAddr;

use anyhow::Context;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use strum::IntoEnumIterator;
use tokio::net::TcpListener;

use crate::app::{self, Console};
use crate::console::settings::{Entry, PublicUrl, Settings};
use crate::console::users::{Right, User, Users};

/// Who the developer is in the console.
const USER: &str = "dev";

/// Where the console is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Where {
    Nowhere,
    At(SocketAddr),
}

/// Reads a loopback address, or `off`.
pub(super) fn parse(text: &str) -> Result<Where, String> {
    let address = |text: &str| super::double::loopback(text).map(Where::At);
    if text == "off" { Ok(Where::Nowhere) } else { address(text) }
}

/// Binds the address, unless there is to be no console.
pub(super) async fn bind(at: Where) -> anyhow::Result<Option<TcpListener>> {
    match at {
        Where::Nowhere => Ok(None),
        Where::At(address) => app::bind(address, "--console").map(Some),
    }
}

/// The console on this listener, and the link that opens it.
pub(super) fn entered_by_link(listener: TcpListener, database: &PgConnectOptions) -> anyhow::Result<(Console, String)> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("no random numbers")?;
    let token = hex::encode(bytes);
    let authority = listener.local_addr()?.to_string();
    let link = format!("http://{authority}/login?token={token}");
    let user = User { name: USER.to_owned(), rights: Right::iter().collect(), hash: None };
    let settings = Settings {
        url: PublicUrl { is_https: false, authority, prefix: String::new(), is_loopback: true },
        entry: Entry::Token { token: SecretString::from(token), user: user.name.clone() },
        users: Users::only(user),
        is_read_only: false,
        database: database.clone().application_name("clawback console"),
    };
    Ok((Console { listener: listener.into(), settings }, link))
}

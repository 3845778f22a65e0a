//! How the console is reached, and who may enter. Read from the configuration by [`crate::app`].

use std::fmt;

use axum::http::HeaderName;
use ipnet::IpNet;
use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

use super::users::Users;

/// The settings of a console.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the browser sees.
    pub url: PublicUrl,
    /// Who may do what.
    pub users: Users,
    /// How a person is recognised.
    pub entry: Entry,
    /// Nothing can be changed: routes that change are not mounted.
    pub is_read_only: bool,
    /// The database, as the role of the console.
    pub database: PgConnectOptions,
}

/// How a person is recognised.
#[derive(Clone, Debug)]
pub enum Entry {
    /// By name and password.
    Password,
    /// By a header of a proxy in front, believed from these peers only; a Unix socket is always believed.
    Proxy {
        /// The header that names the user, such as `x-forwarded-email`.
        header: HeaderName,
        /// The addresses of the proxy.
        trusted: Vec<IpNet>,
    },
    /// By a token that is printed at the start and works once, as this user: for `clawback dev`.
    Token {
        /// The token.
        token: SecretString,
        /// The user it stands for.
        user: String,
    },
}

/// The URL of the console, as the browser sees it, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// `https`.
    pub is_https: bool,
    /// Host, and port unless it is the scheme's own, as in a `Host` header: lower case.
    pub authority: String,
    /// The path that everything is below, such as `/clawback`; empty for none. Does not end with a slash.
    pub prefix: String,
    /// The host is a loopback address or `localhost`.
    pub is_loopback: bool,
}

/// Without a slash at the end: `https://shop.example/clawback`.
impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.prefix)
    }
}

impl PublicUrl {
    /// As in an `Origin` header: `https://clawback.example`.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// Whether a request with this `Host` is meant for the console. On a loopback address, its other names count too.
    #[must_use]
    pub fn answers_to(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let of_loopback = || {
            let port = self.authority.rsplit_once(':').map_or("", |(_, port)| port);
            ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host == format!("{name}:{port}"))
        };
        host == self.authority || self.is_loopback && of_loopback()
    }
}

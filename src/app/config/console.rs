//! Settings of the operators' console. What is missing or contradictory keeps the service from starting: a console is
//! closed unless somebody said who may enter.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use axum::http::HeaderName;
use clap::Args;
use ipnet::IpNet;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use super::{Misconfigured, given, secret, url};
use crate::console::settings::{Entry, PublicUrl, Settings};
use crate::console::users::{Recognition, Users};

const LISTEN: &str = "CLAWBACK_CONSOLE_LISTEN";
const PUBLIC_URL: &str = "CLAWBACK_CONSOLE_URL";
const USER_HEADER: &str = "CLAWBACK_CONSOLE_USER_HEADER";
const TRUSTED_PROXIES: &str = "CLAWBACK_CONSOLE_TRUSTED_PROXIES";

/// The operators' console. Without an address there is none.
// As text, so that `doctor` can report what is malformed beside its other findings.
#[derive(Clone, Debug, Args)]
pub struct Console {
    /// Address of the operators' console, or unix:PATH for a Unix socket [default: no console]
    #[arg(long, env = "CLAWBACK_CONSOLE_LISTEN", value_name = "ADDRESS")]
    pub console_listen: Option<String>,
    /// URL of the console in the browser, with its path prefix if any [default: that of the address, if it is loopback]
    #[arg(long, env = "CLAWBACK_CONSOLE_URL", value_name = "URL", hide_env_values = true)]
    pub console_url: Option<String>,
    /// Users of the console, one line each, as `clawback console password` prints them
    #[arg(long, env = "CLAWBACK_CONSOLE_USERS", value_name = "LINES", hide_env_values = true)]
    pub console_users: Option<SecretString>,
    /// A file that contains them; read again when it changes
    #[arg(long, env = "CLAWBACK_CONSOLE_USERS_FILE", value_name = "FILE")]
    pub console_users_file: Option<PathBuf>,
    /// Header with the user's name, set by a proxy in front, such as X-Forwarded-Email [default: users log in by password]
    #[arg(long, env = "CLAWBACK_CONSOLE_USER_HEADER", value_name = "HEADER")]
    pub console_user_header: Option<String>,
    /// IP addresses and networks of that proxy, separated by commas; the header is ignored from anywhere else
    #[arg(long, env = "CLAWBACK_CONSOLE_TRUSTED_PROXIES", value_name = "ADDRESSES")]
    pub console_trusted_proxies: Option<String>,
    /// Show everything and change nothing
    #[arg(long, env = "CLAWBACK_CONSOLE_READ_ONLY", default_value_t = false, action = clap::ArgAction::Set,
          num_args = 0..=1, default_missing_value = "true")]
    pub console_read_only: bool,
    /// Database URL for the console, with a role of its own [default: that of the service]
    #[arg(long, env = "CLAWBACK_CONSOLE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub console_database_url: Option<SecretString>,
    /// A file that contains it
    #[arg(long, env = "CLAWBACK_CONSOLE_DATABASE_URL_FILE", value_name = "FILE")]
    pub console_database_url_file: Option<PathBuf>,
}

/// Where the console listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Console {
    /// Where it listens, and its settings; none when there is to be no console. `service`: the service's database, which
    /// is used unless the console has its own.
    ///
    /// # Errors
    /// [`Misconfigured`] names everything that is missing, malformed or contradictory. Quotes no secret.
    pub fn settings(&self, service: &PgConnectOptions) -> Result<Option<(Listen, Settings)>, Misconfigured> {
        let Some(listen) = given(&self.console_listen) else { return Ok(None) };
        let listen = listen_at(listen)?;
        let who = self.entry(&listen).and_then(|entry| Ok((self.users(recognition(&entry))?, entry)));
        let ((url, (users, entry)), database) =
            Misconfigured::both(Misconfigured::both(self.url(&listen), who), self.database(service))?;
        if matches!(entry, Entry::Password) && !url.is_https && !url.is_loopback {
            return Err(Misconfigured(format!(
                "{PUBLIC_URL} begins with http://, so passwords could be read on the way: set it to an https URL, and \
                 terminate TLS in front of {LISTEN}"
            )));
        }
        Ok(Some((listen, Settings { url, users, entry, is_read_only: self.console_read_only, database })))
    }

    fn url(&self, listen: &Listen) -> Result<PublicUrl, Misconfigured> {
        match (given(&self.console_url), listen) {
            (Some(text), _) => public_url(text),
            (None, Listen::Tcp(address)) if address.ip().is_loopback() => public_url(&format!("http://{address}")),
            (None, Listen::Tcp(_) | Listen::Unix(_)) => Err(Misconfigured(format!(
                "{PUBLIC_URL} is missing: set it to the URL that people open, such as https://clawback.example"
            ))),
        }
    }

    fn entry(&self, listen: &Listen) -> Result<Entry, Misconfigured> {
        let (header, addresses) = (given(&self.console_user_header), given(&self.console_trusted_proxies));
        match (header, addresses, listen) {
            (None, None, _) => Ok(Entry::Password),
            (None, Some(_), _) => Err(Misconfigured(format!(
                "{TRUSTED_PROXIES} is set without {USER_HEADER}: set both, or neither to let users log in by password"
            ))),
            (Some(_), None, Listen::Tcp(_)) => Err(Misconfigured(format!(
                "{TRUSTED_PROXIES} is missing: set it to the addresses of the proxy that sets {USER_HEADER}, or anybody \
                 could send that header"
            ))),
            (Some(name), addresses, Listen::Tcp(_) | Listen::Unix(_)) => {
                let trusted = addresses.map_or_else(|| Ok(Vec::new()), networks);
                let (header, trusted) = Misconfigured::both(header_name(name), trusted)?;
                Ok(Entry::Proxy { header, trusted })
            }
        }
    }

    fn users(&self, recognition: Recognition) -> Result<Users, Misconfigured> {
        let text = self.console_users.as_ref().map(ExposeSecret::expose_secret).filter(|text| !text.trim().is_empty());
        let (name, users) = match (text, &self.console_users_file) {
            (Some(text), _) => ("CLAWBACK_CONSOLE_USERS", Users::parse(text, recognition)),
            (None, Some(file)) => ("CLAWBACK_CONSOLE_USERS_FILE", Users::in_file(file, recognition)),
            (None, None) => {
                return Err(Misconfigured(
                    "CLAWBACK_CONSOLE_USERS is missing: clawback console password prints a line for each user"
                        .to_owned(),
                ));
            }
        };
        let users = users.map_err(|error| Misconfigured(format!("{name}: {error}")))?;
        if users.count() == 0 {
            return Err(Misconfigured(format!(
                "{name} has no user: clawback console password prints a line for each user"
            )));
        }
        Ok(users)
    }

    fn database(&self, service: &PgConnectOptions) -> Result<PgConnectOptions, Misconfigured> {
        let options = match secret(&self.console_database_url, &self.console_database_url_file)? {
            Some(own) => url::read("CLAWBACK_CONSOLE_DATABASE_URL", own.expose_secret().trim())?,
            None => service.clone(),
        };
        Ok(options.application_name("clawback console"))
    }
}

fn recognition(entry: &Entry) -> Recognition {
    match entry {
        Entry::Password | Entry::Token { .. } => Recognition::Password,
        Entry::Proxy { .. } => Recognition::Proxy,
    }
}

fn listen_at(text: &str) -> Result<Listen, Misconfigured> {
    let wrong =
        || Misconfigured(format!("{LISTEN}: expected an IP address and a port, such as 127.0.0.1:8081, or unix:PATH"));
    match text.strip_prefix("unix:") {
        Some("") => Err(wrong()),
        Some(path) => Ok(Listen::Unix(path.into())),
        None => text.parse().map(Listen::Tcp).map_err(|_| wrong()),
    }
}

/// The parts of the URL of the console. What is wrong is not quoted: it may hold a password.
fn public_url(text: &str) -> Result<PublicUrl, Misconfigured> {
    let wrong = |reason: &str| Misconfigured(format!("{PUBLIC_URL}: {reason}"));
    let url: Url = text.parse().map_err(|_| wrong("expected a URL such as https://clawback.example"))?;
    let Some(host) = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")) else {
        return Err(wrong("expected a URL that begins with https:// or http://"));
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it has a user, a query or a fragment: leave only scheme, host, port and path"));
    }
    let prefix = url.path().trim_end_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if !prefix.chars().all(is_plain) || prefix.contains("//") {
        return Err(wrong("its path has other characters than letters, digits, - . _ ~ and single slashes"));
    }
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    Ok(PublicUrl {
        is_https: url.scheme() == "https",
        authority: format!("{host}{port}"),
        prefix: prefix.to_owned(),
        is_loopback: is_loopback(host),
    })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn header_name(text: &str) -> Result<HeaderName, Misconfigured> {
    text.parse().map_err(|_| Misconfigured(format!("{USER_HEADER}: expected a header such as X-Forwarded-Email")))
}

/// Networks, and single addresses as networks of one.
fn networks(text: &str) -> Result<Vec<IpNet>, Misconfigured> {
    let network = |word: &str| word.parse::<IpNet>().or_else(|_| word.parse::<IpAddr>().map(IpNet::from));
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    let networks: Vec<IpNet> = words.map(network).collect::<Result<_, _>>().map_err(|_| {
        Misconfigured(format!("{TRUSTED_PROXIES}: expected IP addresses and networks, such as 10.0.0.7,10.1.0.0/24"))
    })?;
    if networks.iter().any(|network| network.prefix_len() == 0) {
        return Err(Misconfigured(format!("{TRUSTED_PROXIES} trusts every address: name those of the proxy")));
    }
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: &str = "anna read,respond -";

    fn console(listen: &str) -> Console {
        Console {
            console_listen: Some(listen.to_owned()),
            console_url: None,
            console_users: None,
            console_users_file: None,
            console_user_header: None,
            console_trusted_proxies: None,
            console_read_only: false,
            console_database_url: None,
            console_database_url_file: None,
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    /// With a password that is known to nobody.
    fn by_password(listen: &str) -> Console {
        let hash = crate::console::password::Hash::of("correct horse battery", [1; 16]).unwrap().expose();
        Console { console_users: Some(format!("anna read {hash}").into()), ..console(listen) }
    }

    fn by_proxy(listen: &str, trusted: &str) -> Console {
        Console {
            console_url: some("https://clawback.example"),
            console_users: Some(ANNA.into()),
            console_user_header: some("X-Forwarded-Email"),
            console_trusted_proxies: some(trusted),
            ..console(listen)
        }
    }

    fn read(console: &Console) -> Result<Option<(Listen, Settings)>, Misconfigured> {
        console.settings(&"postgres://user:hidden@127.0.0.1/db".parse().unwrap())
    }

    #[test]
    fn there_is_no_console_without_an_address() {
        assert!(read(&Console { console_listen: some(" "), ..by_password("") }).unwrap().is_none());
    }

    #[test]
    fn a_console_on_loopback_needs_users_only() {
        let (listen, settings) = read(&by_password("127.0.0.1:8081")).unwrap().unwrap();
        assert_eq!(listen, Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 8081))));
        assert_eq!(settings.url.origin(), "http://127.0.0.1:8081");
        assert!(settings.url.is_loopback && matches!(settings.entry, Entry::Password));
        assert_eq!(settings.database.get_username(), "user");
    }

    #[test]
    fn a_proxy_is_believed_from_its_addresses_or_on_a_unix_socket() {
        let (_, settings) = read(&by_proxy("0.0.0.0:8081", "10.0.0.7, 10.1.0.0/24 ::1")).unwrap().unwrap();
        let Entry::Proxy { header, trusted } = settings.entry else { panic!("{:?}", settings.entry) };
        assert_eq!(header, "x-forwarded-email");
        assert_eq!(trusted.iter().map(IpNet::to_string).collect::<Vec<_>>(), ["10.0.0.7/32", "10.1.0.0/24", "::1/128"]);
        let (listen, _) = read(&by_proxy("unix:/run/clawback/console", "")).unwrap().unwrap();
        assert_eq!(listen, Listen::Unix("/run/clawback/console".into()));
    }

    #[test]
    fn the_url_is_read_in_its_parts() {
        let url = |text| public_url(text).unwrap();
        let at_the_shop = url("https://Shop.Example:443/clawback/");
        assert_eq!((at_the_shop.authority.as_str(), at_the_shop.prefix.as_str()), ("shop.example", "/clawback"));
        assert!(at_the_shop.is_https && !at_the_shop.is_loopback);
        assert_eq!(url("http://[::1]:8081").origin(), "http://[::1]:8081");
        assert!(url("http://[::1]:8081").is_loopback && url("http://localhost").is_loopback);
        assert!(!url("http://localhost.example").is_loopback && !url("http://127.0.0.1.example").is_loopback);
    }

    #[test]
    fn a_console_that_is_open_or_contradictory_is_refused_with_what_to_set() {
        let port = "127.0.0.1:8081";
        let at = |url: &str| Console { console_url: some(url), ..by_password("0.0.0.0:8081") };
        for (console, words) in [
            (console(port), "CLAWBACK_CONSOLE_USERS is missing: clawback console password prints"),
            (Console { console_users: Some("# none".into()), ..console(port) }, "CLAWBACK_CONSOLE_USERS has no user"),
            (
                Console { console_users: Some(ANNA.into()), ..console(port) },
                "CLAWBACK_CONSOLE_USERS: line 1: the hash is missing",
            ),
            (
                Console { console_users_file: Some("/no/such".into()), ..console(port) },
                "CLAWBACK_CONSOLE_USERS_FILE: cannot read /no/such",
            ),
            (
                Console { console_users: by_password(port).console_users, ..by_proxy(port, "::1") },
                "line 1: expected - instead of a hash",
            ),
            (by_proxy(port, " "), "CLAWBACK_CONSOLE_TRUSTED_PROXIES is missing: set it"),
            (by_proxy(port, "proxy.internal"), "CLAWBACK_CONSOLE_TRUSTED_PROXIES: expected IP addresses"),
            (by_proxy(port, "0.0.0.0/0"), "CLAWBACK_CONSOLE_TRUSTED_PROXIES trusts every address"),
            (
                Console { console_user_header: some("a b"), ..by_proxy(port, "::1") },
                "CLAWBACK_CONSOLE_USER_HEADER: expected",
            ),
            (
                Console { console_user_header: None, ..by_proxy(port, "::1") },
                "is set without CLAWBACK_CONSOLE_USER_HEADER",
            ),
            (by_password("8081"), "CLAWBACK_CONSOLE_LISTEN: expected"),
            (by_password("unix:"), "CLAWBACK_CONSOLE_LISTEN: expected"),
            (by_password("unix:/run/console"), "CLAWBACK_CONSOLE_URL is missing: set it"),
            (by_password("0.0.0.0:8081"), "CLAWBACK_CONSOLE_URL is missing: set it"),
            (at("http://clawback.example"), "CLAWBACK_CONSOLE_URL begins with http://"),
            (at("clawback.example"), "CLAWBACK_CONSOLE_URL: expected a URL such as"),
            (at("ftp://clawback.example"), "CLAWBACK_CONSOLE_URL: expected a URL that begins"),
            (at("https://a:hidden@clawback.example"), "CLAWBACK_CONSOLE_URL: it has a user"),
            (at("https://clawback.example/?a=b"), "CLAWBACK_CONSOLE_URL: it has a user, a query"),
            (at("https://clawback.example/#a"), "CLAWBACK_CONSOLE_URL: it has a user, a query or a fragment"),
            (at("https://clawback.example/a;b"), "CLAWBACK_CONSOLE_URL: its path"),
            (
                Console { console_database_url: Some("mysql://hidden".into()), ..by_password(port) },
                "CLAWBACK_CONSOLE_DATABASE_URL must begin with postgres://",
            ),
        ] {
            let refusal = read(&console).expect_err(words).to_string();
            assert!(refusal.contains(words) && !refusal.contains("hidden") && !refusal.contains("argon2"), "{refusal}");
        }
    }
}

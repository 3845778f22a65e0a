//! Who asks: the person behind a request and what that person may do.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::Console;
use super::failure::Failure;
use super::password::Hash;
use super::settings::Entry;
use super::unsent::Unsent;
use super::users::{Right, Rights, User};
use crate::http::Peer;
use crate::store::console;

/// A session ends after this, used or not.
pub(super) const LIFE: Duration = Duration::from_secs(12 * 3_600);
/// A session ends when nothing was asked for this long.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Longest time to look a session up.
const LOOK_UP: Duration = Duration::from_secs(3);
/// Cookies of the session's name that are tried.
const MOST_COOKIES: usize = 4;
/// The header of a request that the page sends by itself, to refresh what it shows.
pub(super) const REFRESH: &str = "x-console-refresh";
/// Longest name that a proxy may send, in bytes.
const LONGEST_NAME: usize = 255;

/// The person behind a request.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// The name, as it appears in `clawback_v1.actions`.
    pub name: String,
    /// What this person may do now.
    pub rights: Rights,
    /// There is a session that can be ended.
    pub can_log_out: bool,
}

impl Who {
    pub(super) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }
}

impl<S: Sync> FromRequestParts<S> for Who {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or(Failure::NobodyLoggedIn)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Who {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Failure> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Finds out who asks. The request goes on without a [`Who`] when nobody is logged in.
pub(super) async fn identify(State(console): State<Arc<Console>>, mut request: Request, next: Next) -> Response {
    let who = match console.claim(&request) {
        Ok(claim) => console.who(claim).await,
        Err(failure) => Err(failure),
    };
    match who {
        Ok(Some(who)) => {
            request.extensions_mut().insert(who.clone());
            let mut response = next.run(request).await;
            // For the frame around a failure.
            response.extensions_mut().insert(who);
            response
        }
        Ok(None) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

/// Lets only those through who have the right.
pub(super) async fn allow(State(right): State<Right>, who: Option<Who>, request: Request, next: Next) -> Response {
    match who {
        Some(who) if who.may(right) => next.run(request).await,
        Some(_) => Failure::Forbidden(right).into_response(),
        None if request.method() == Method::POST => {
            Failure::LoggedOutMeanwhile(Unsent::read(request).await).into_response()
        }
        None => Failure::NobodyLoggedIn.into_response(),
    }
}

/// What a request says about who sends it.
enum Claim {
    /// Nothing.
    Nobody,
    /// The holder of a session's token, by the hashes of what the cookies hold. `is_use`: somebody asked, and not the
    /// page by itself.
    Session { hashes: Vec<[u8; 32]>, is_use: bool },
    /// The proxy names a user.
    Named(String),
}

impl Console {
    /// Why this person cannot do what takes the right; none: nothing is in the way.
    pub(super) fn objection(&self, who: &Who, right: Right) -> Option<String> {
        match (self.settings.is_read_only, who.may(right)) {
            (true, _) => Some("This console is read-only.".to_owned()),
            (false, false) => Some(format!("You lack the right “{right}”.")),
            (false, true) => None,
        }
    }

    fn claim(&self, request: &Request) -> Result<Claim, Failure> {
        match &self.settings.entry {
            Entry::Password | Entry::Token { .. } => {
                let hashes = self.session_hashes(request.headers());
                let is_use = !request.headers().contains_key(REFRESH);
                Ok(if hashes.is_empty() { Claim::Nobody } else { Claim::Session { hashes, is_use } })
            }
            Entry::Proxy { header, trusted } => {
                let is_trusted = match request.extensions().get::<Peer>() {
                    Some(Peer::Address(address)) => trusted.iter().any(|network| network.contains(address)),
                    Some(Peer::UnixSocket) => true,
                    None => false,
                };
                let name = sent(request.headers(), header).filter(|_| is_trusted).ok_or(Failure::NotFromProxy)?;
                Ok(Claim::Named(name.to_owned()))
            }
        }
    }

    async fn who(&self, claim: Claim) -> Result<Option<Who>, Failure> {
        match claim {
            Claim::Nobody => Ok(None),
            Claim::Named(name) => self.known(&name, false).map(Some),
            Claim::Session { hashes, is_use } => {
                let found =
                    async { console::session(&mut *self.pool.acquire().await?, &hashes, self.idle(), is_use).await };
                let name = timeout(LOOK_UP, found).await.map_err(|_| Failure::Busy)??;
                // A user who was removed from the file is logged out.
                Ok(name.and_then(|name| self.known(&name, true).ok()))
            }
        }
    }

    /// A link that works once cannot be used again when its session ends: that lasts as long as any may.
    fn idle(&self) -> Duration {
        match self.settings.entry {
            Entry::Token { .. } => LIFE,
            Entry::Password | Entry::Proxy { .. } => IDLE,
        }
    }

    /// The user with this name.
    fn known(&self, name: &str, can_log_out: bool) -> Result<Who, Failure> {
        let user = self.settings.users.find(name).ok_or(Failure::UnknownUser)?;
        Ok(Who { name: user.name, rights: user.rights, can_log_out })
    }

    /// The hashes of the tokens in cookies with the session's name: other applications of the host, and other paths, may
    /// have set some of them, and cookies of any content.
    pub(super) fn session_hashes(&self, headers: &HeaderMap) -> Vec<[u8; 32]> {
        let name = self.cookie_name().as_bytes();
        let cookies =
            headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        let tokens = cookies.filter_map(|cookie| cookie.trim_ascii().strip_prefix(name)?.strip_prefix(b"="));
        tokens.take(MOST_COOKIES).filter_map(|value| self.session_hash(value)).collect()
    }

    fn session_hash(&self, cookie: &[u8]) -> Option<[u8; 32]> {
        let dot = cookie.iter().position(|byte| *byte == b'.')?;
        let name = String::from_utf8(hex::decode(&cookie[..dot]).ok()?).ok()?;
        Some(session_hash(&self.settings.users.find(&name)?, &cookie[dot + 1..]))
    }

    /// With a prefix that browsers enforce: <https://www.rfc-editor.org/rfc/rfc6265bis>, cookie name prefixes.
    pub(super) fn cookie_name(&self) -> &'static str {
        match (self.settings.url.is_https, self.settings.url.prefix.is_empty()) {
            (true, true) => "__Host-clawback",
            (true, false) => "__Secure-clawback",
            (false, _) => "clawback",
        }
    }
}

/// The value of a session's cookie: the name, so that it is known whose password the session depends on, and the token.
pub(super) fn cookie_value(user: &User, token: &str) -> String {
    format!("{}.{token}", hex::encode(&user.name))
}

/// By what a session is found: another password makes it another hash, so a new password ends the sessions of the old one.
pub(super) fn session_hash(user: &User, token: &[u8]) -> [u8; 32] {
    let password = user.hash.as_ref().map(Hash::expose).unwrap_or_default();
    Sha256::new().chain_update(token).chain_update(password).finalize().into()
}

/// The only value of a header; none when it is absent, empty, too long, sent twice, or not plain text.
fn sent<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let only = values.next().filter(|_| values.next().is_none())?.to_str().ok()?.trim();
    (!only.is_empty() && only.len() <= LONGEST_NAME).then_some(only)
}

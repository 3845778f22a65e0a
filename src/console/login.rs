//! Logging in and out, by password or by the one-time link of `clawback dev`.
//!
//! A form that was sent after the session ended is not lost: the page that asks for the password carries it, and offers
//! to send it again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use metrics::counter;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use super::attempts::Wait;
use super::extract::{Form, Query};
use super::failure::Failure;
use super::frame::Page;
use super::parts::{HERE, Tone, note};
use super::settings::Entry;
use super::unsent::{Kept, Unsent};
use super::users::User;
use super::who::{LIFE, Who, cookie_value, session_hash};
use super::{Console, now, users};
use crate::http::Peer;
use crate::store::console;
use crate::telemetry;

/// What is sent by the page.
#[derive(Debug, Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: SecretString,
    #[serde(default)]
    token: SecretString,
    #[serde(default)]
    next: String,
    #[serde(flatten)]
    unsent: Unsent,
}

/// What the address of the page holds.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
    token: Option<SecretString>,
}

/// The page that asks for name and password, or takes a token.
pub(super) async fn ask(State(console): State<Arc<Console>>, who: Option<Who>, Query(asked): Query<Asked>) -> Response {
    if who.is_some() {
        return console.see(inside(&asked.next));
    }
    let content = match (&console.settings.entry, &asked.token) {
        (Entry::Token { .. }, Some(token)) => token_form(token, &asked.next),
        (Entry::Token { .. }, None) => html! { p { "Open the link that " code { "clawback dev" } " printed." } },
        (Entry::Password, _) => form(&Unsent::default(), &asked.next, None),
        (Entry::Proxy { .. }, _) => return Failure::NotFromProxy.into_response(),
    };
    console.show_as(StatusCode::OK, None, now(), &page(content))
}

fn page(content: Markup) -> Page {
    Page { title: "Log in".to_owned(), section: None, is_test: false, refreshed: None, content }
}

fn token_form(token: &SecretString, next: &str) -> Markup {
    html! {
        form.narrow action="~/login" method="post" data-auto {
            input type="hidden" name="token" value=(token.expose_secret());
            input type="hidden" name="next" value=(next);
            button.primary type="submit" { "Enter the console" }
        }
    }
}

fn form(unsent: &Unsent, next: &str, problem: Option<&str>) -> Markup {
    html! {
        form.narrow action="~/login" method="post" {
            @if let Some(problem) = problem { p.problem #problem role="alert" { (problem) } }
            label for="name" { "Name" }
            input #name name="name" autocomplete="username" required autofocus maxlength="255" spellcheck="false" autocapitalize="none" aria-describedby=[problem.map(|_| "problem")];
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="current-password" required maxlength="1000";
            input type="hidden" name="next" value=(next);
            @if !unsent.unsent_path.is_empty() {
                input type="hidden" name="unsent_path" value=(unsent.unsent_path);
                input type="hidden" name="unsent_body" value=(unsent.unsent_body);
            }
            button.primary type="submit" { "Log in" }
        }
    }
}

/// The page for somebody whose session ended before a form was sent.
pub(super) fn again(unsent: &Unsent) -> Markup {
    let kept = match unsent.kept {
        Kept::Form => "What you typed is kept: after you logged in you can send it again.",
        Kept::NoFile => "A file must be chosen again after you logged in.",
        Kept::TooLarge => {
            "It is too large to be kept: log in at another tab, then go back in this one, where it is still typed."
        }
    };
    let kept = format!("Your session has ended, and nothing was changed. {kept}");
    html! { (note(Tone::Warn, &html! { (kept) })) (form(unsent, "/", None)) }
}

/// Logs somebody in.
pub(super) async fn enter(
    State(console): State<Arc<Console>>,
    peer: Option<Extension<Peer>>,
    Form(given): Form<Given>,
) -> Result<Response, Failure> {
    let peer = peer.map_or(Peer::UnixSocket, |Extension(peer)| peer);
    let user = match &console.settings.entry {
        Entry::Password => match console.try_password(&given, peer).await? {
            Ok(user) => user,
            Err(refused) => return Ok(console.refuse(&given, &refused)),
        },
        Entry::Token { user, .. } if console.take_token(&given.token) => {
            console.settings.users.find(user).ok_or(Failure::UnknownUser)?
        }
        Entry::Token { .. } => return Err(Failure::LinkUsed),
        Entry::Proxy { .. } => return Err(Failure::NotFromProxy),
    };
    let token = new_token()?;
    let mut conn = console.acting_as(Some(&user.name)).await?;
    console::open_session(&mut conn, &session_hash(&user, token.as_bytes()), &user.name, LIFE).await?;
    conn.commit().await?;
    info!(person = user.name, "console: logged in");
    counter!(telemetry::CONSOLE_LOG_INS, "outcome" => "accepted").increment(1);
    let mut response = console.after(&given);
    response.headers_mut().append(header::SET_COOKIE, console.cookie(&cookie_value(&user, &token), LIFE));
    Ok(response)
}

/// Why somebody was not let in.
enum NotIn {
    WrongPassword,
    Wait(Wait),
}

impl Console {
    /// The user whose password this is.
    async fn try_password(&self, given: &Given, peer: Peer) -> Result<Result<User, NotIn>, Failure> {
        let tried = self.attempts().try_now(&given.name, peer, Instant::now());
        if let Err(wait) = tried {
            warn!(%peer, "console: too many log-ins refused, one must wait");
            counter!(telemetry::CONSOLE_LOG_INS, "outcome" => "throttled").increment(1);
            return Ok(Err(NotIn::Wait(wait)));
        }
        let user = self.settings.users.find(&given.name);
        let is_right = self.is_password(user.clone(), given.password.clone()).await?;
        if let (true, Some(user)) = (is_right, &user) {
            self.attempts().succeeded(&given.name, peer);
            return Ok(Ok(user.clone()));
        }
        self.record_refusal(user.as_ref(), peer).await?;
        Ok(Err(NotIn::WrongPassword))
    }

    async fn is_password(&self, user: Option<User>, password: SecretString) -> Result<bool, Failure> {
        // One at a time: a hash takes a core for a while.
        let _turn = self.hashing.acquire().await.map_err(|_| Failure::Busy)?;
        let check = move || users::check(user.as_ref(), password.expose_secret());
        tokio::task::spawn_blocking(check).await.map_err(|_| Failure::Busy)
    }

    /// Records a refused log-in, with the name of a user only: what else was typed as a name may be a password.
    async fn record_refusal(&self, user: Option<&User>, peer: Peer) -> Result<(), Failure> {
        let name = user.map_or("unknown name", |user| &user.name);
        warn!(%peer, name, "console: wrong name or password");
        counter!(telemetry::CONSOLE_LOG_INS, "outcome" => "refused").increment(1);
        let mut conn = self.acting_as(None).await?;
        console::record_refused_log_in(&mut conn, name, &peer.to_string()).await?;
        conn.commit().await?;
        Ok(())
    }

    fn refuse(&self, given: &Given, why: &NotIn) -> Response {
        let (status, text) = match why {
            NotIn::WrongPassword => (StatusCode::UNAUTHORIZED, "Name or password is wrong.".to_owned()),
            NotIn::Wait(wait) => {
                (StatusCode::TOO_MANY_REQUESTS, format!("Too many tries. Wait {} s, then try again.", wait.seconds()))
            }
        };
        self.show_as(status, None, now(), &page(form(&given.unsent, &given.next, Some(&text))))
    }

    /// Whether this is the token, which works once.
    fn take_token(&self, given: &SecretString) -> bool {
        let Entry::Token { token, .. } = &self.settings.entry else { return false };
        let is_it = Sha256::digest(token.expose_secret()) == Sha256::digest(given.expose_secret());
        is_it && !self.token_used.swap(true, std::sync::atomic::Ordering::SeqCst)
    }

    /// Where somebody goes who has logged in: to the form that was not sent, or to the page that was asked for.
    fn after(&self, given: &Given) -> Response {
        let unsent = &given.unsent;
        if unsent.unsent_path.is_empty() || unsent.unsent_body.is_empty() {
            return self.see(inside(&given.next));
        }
        let path = inside(&unsent.unsent_path);
        let content = html! {
            p { "You are logged in. What you had typed is still here, and was not sent yet." }
            form.narrow action={ (HERE) (path) } method="post" {
                @for (name, value) in form_urlencoded::parse(unsent.unsent_body.as_bytes()) {
                    input type="hidden" name=(name) value=(value);
                }
                button.primary type="submit" { "Send it again" }
            }
            p { a href="~/" { "Discard it" } }
        };
        let page = Page { title: "Logged in".to_owned(), section: None, is_test: false, refreshed: None, content };
        self.show_as(StatusCode::OK, None, now(), &page)
    }

    fn cookie(&self, token: &str, life: Duration) -> HeaderValue {
        let (name, url) = (self.cookie_name(), &self.settings.url);
        let path = if url.prefix.is_empty() { "/" } else { &url.prefix };
        let secure = if url.is_https { "; Secure" } else { "" };
        let text = format!("{name}={token}; Path={path}; Max-Age={}; HttpOnly; SameSite=Lax{secure}", life.as_secs());
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// Ends the session.
pub(super) async fn leave(
    State(console): State<Arc<Console>>,
    who: Option<Who>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if let Some(who) = who {
        let mut conn = console.acting(&who).await?;
        for hash in console.session_hashes(&headers) {
            console::close_session(&mut conn, &hash).await?;
        }
        conn.commit().await?;
    }
    let mut response = console.see("/login");
    response.headers_mut().append(header::SET_COOKIE, console.cookie("", Duration::ZERO));
    Ok(response)
}

/// A path that is within the console: anything else becomes the first page, or a link could lead elsewhere.
fn inside(path: &str) -> &str {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if path.starts_with('/') && !path.starts_with("//") && is_plain { path } else { "/" }
}

/// 32 random bytes, for a cookie.
fn new_token() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Failure::Busy)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn after_log_in_nobody_is_sent_elsewhere() {
        for (given, kept) in [
            ("/disputes?status=lost", "/disputes?status=lost"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("", "/"),
            ("/a\nb", "/"),
        ] {
            assert_eq!(inside(given), kept);
        }
    }
}

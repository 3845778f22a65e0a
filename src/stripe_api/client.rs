//! The client, and the one path by which every call goes out and its answer comes in.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::{Answer, Head};
use super::base::Base;
use super::classify::{classify, unanswered};
use super::error::{Error, Problem};
use super::key::{Keys, Mode, without_key};
use super::limits::{Lane, Lanes, Limits};
use super::request::{API_VERSION, Request};
use super::retry;

const USER_AGENT: &str = concat!("clawback/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Stripe closes idle connections after longer than this, so that one from the pool is rarely closed as it is used.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 8 << 20;

const VERSION: HeaderName = HeaderName::from_static("stripe-version");
const ACCOUNT: HeaderName = HeaderName::from_static("stripe-account");
const CONTEXT: HeaderName = HeaderName::from_static("stripe-context");

/// What a client is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The API keys.
    pub keys: Keys,
    /// `STRIPE_API_BASE`.
    pub api_base: Base,
    /// `STRIPE_FILES_BASE`.
    pub files_base: Base,
    /// The limits of each account in each mode.
    pub limits: Limits,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A live key would be sent where anybody on the way can read it.
    #[error(
        "the base URLs of Stripe's API must begin with https:// when there is a live API key, or be on this machine"
    )]
    Exposed,
    /// TLS cannot be set up: the system has no certificates of authorities, for instance.
    #[error("cannot make an HTTP client: {0}")]
    Http(String),
}

/// New keys are of other modes than the former ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are keys of other modes than at the start: restart the service to act in another mode")]
pub struct OtherModes;

/// On whose behalf a call is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Which key is used.
    pub mode: Mode,
    /// The connected account, `acct_…`; none for the key's own.
    pub account: Option<String>,
    /// `Stripe-Context`, as a thin event gives it.
    pub context: Option<String>,
}

impl Scope {
    /// The account that the key of this mode belongs to.
    #[must_use]
    pub fn own(mode: Mode) -> Self {
        Self { mode, account: None, context: None }
    }
}

/// How long a call may take, with its waits and retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// Every call ends before this moment, as a lease does.
    Until(Instant),
    /// Each call by itself may take so long.
    PerCall(Duration),
}

/// The client: one per process, since it keeps connections. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    /// Replaced when they are rotated.
    keys: RwLock<Keys>,
    settings: Settings,
    lanes: Lanes<Scope>,
    notice_logged: AtomicBool,
}

impl Client {
    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SetupError`] when a live key would leave this machine without TLS, or TLS cannot be set up.
    pub fn new(mut settings: Settings) -> Result<Self, SetupError> {
        let exposed = settings.api_base.is_exposed() || settings.files_base.is_exposed();
        if exposed && settings.keys.of(Mode::Live).is_some() {
            return Err(SetupError::Exposed);
        }
        let lanes = Lanes::new(settings.limits);
        let http = http().map_err(|error| SetupError::Http(root_cause(&error)))?;
        let keys = RwLock::new(mem::take(&mut settings.keys));
        Ok(Self(Arc::new(Shared { http, keys, settings, lanes, notice_logged: AtomicBool::new(false) })))
    }

    /// Replaces the keys by new ones of the same modes; calls under way keep theirs.
    ///
    /// # Errors
    /// [`OtherModes`] when they are of other modes than before; then nothing is replaced.
    pub fn use_keys(&self, keys: Keys) -> Result<(), OtherModes> {
        let mut in_use = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        if in_use.modes() != keys.modes() {
            return Err(OtherModes);
        }
        *in_use = keys;
        Ok(())
    }

    fn key(&self, mode: Mode) -> Option<SecretString> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).of(mode).cloned()
    }

    /// The calls on one account.
    ///
    /// # Errors
    /// [`Error::NoKey`] when there is no key for the mode, [`Error::Malformed`] when account or context has characters
    /// that a header cannot hold.
    pub fn calls(&self, scope: &Scope, limit: TimeLimit) -> Result<Calls, Error> {
        let key = self.key(scope.mode).ok_or(Error::NoKey(scope.mode))?;
        let headers = headers(scope, &key)?;
        let lane = self.0.lanes.lane(scope.clone());
        Ok(Calls { client: self.clone(), key, headers, lane, limit })
    }
}

/// The calls on one account in one mode, one method per endpoint. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Calls {
    client: Client,
    key: SecretString,
    headers: HeaderMap,
    lane: Arc<Lane>,
    limit: TimeLimit,
}

impl Calls {
    /// Makes a call, and tries again where that is safe and there is time.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let deadline = match self.limit {
            TimeLimit::Until(moment) => moment,
            TimeLimit::PerCall(time) => Instant::now() + time,
        };
        let (mut tries, mut doubt) = (1, None);
        loop {
            let error = match self.try_once(request, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.without_key(error),
            };
            let wait = retry::wait(&error, tries);
            // Whatever comes of later tries, this one may have had an effect.
            doubt = doubt.or_else(|| matches!(error, Error::Unknown(_)).then(|| error.clone()));
            match wait {
                Some(wait) if Instant::now() + wait < deadline => sleep(wait).await,
                _ => return Err(doubt.unwrap_or(error)),
            }
            tries += 1;
        }
    }

    async fn try_once(&self, request: &Request, deadline: Instant) -> Result<Answer, Error> {
        let turn = timeout_at(deadline, self.lane.turn()).await;
        let started = Instant::now();
        // A lease that ran out may be somebody else's now.
        if turn.is_err() || started >= deadline {
            return Err(unanswered(&request.line, Problem::NoTurn, None));
        }
        let end = deadline.min(started + request.time());
        let outcome = match timeout_at(end, self.exchange(request, started)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(unanswered(&request.line, Problem::TimedOut, None)),
        };
        log(request, started.elapsed(), &outcome);
        outcome
    }

    /// Sends the request and reads the whole answer.
    async fn exchange(&self, request: &Request, started: Instant) -> Result<Answer, Error> {
        let Shared { http, settings, .. } = &*self.client.0;
        let built = request.build(http, &settings.api_base, &settings.files_base).headers(self.headers.clone());
        let response = built.send().await.map_err(|error| not_answered(request, &error))?;
        let (status, head) = (response.status().as_u16(), Head::read(response.headers()));
        self.log_notice(&head);
        let body = whole_body(response).await;
        let body = body.as_ref().map(Vec::as_slice).map_err(|problem| *problem);
        classify(&request.line, status, &head, body, started.elapsed())
    }

    /// Stripe's hint to developers, such as a deprecation. It comes with every answer, and is logged once.
    fn log_notice(&self, head: &Head) {
        if let Some(notice) = &head.notice
            && !self.client.0.notice_logged.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(stripe.notice = %notice, "Stripe sent a notice: {notice}");
        }
    }

    /// Whatever answered might have quoted the key.
    fn without_key(&self, mut error: Error) -> Error {
        if let Some(details) = error.details_mut() {
            details.message = details.message.take().map(|text| without_key(&text, &self.key));
        }
        error
    }
}

fn http() -> Result<reqwest::Client, reqwest::Error> {
    // Fails when one is installed already, which is fine.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(CONNECT_TIME)
        .pool_idle_timeout(IDLE_TIME)
        .build()
}

/// The headers of every call in this scope.
fn headers(scope: &Scope, key: &SecretString) -> Result<HeaderMap, Error> {
    let mut bearer = header(&format!("Bearer {}", key.expose_secret()))?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer), (VERSION, HeaderValue::from_static(API_VERSION))]);
    for (name, value) in [(ACCOUNT, &scope.account), (CONTEXT, &scope.context)] {
        if let Some(value) = value {
            headers.insert(name, header(value)?);
        }
    }
    Ok(headers)
}

fn header(value: &str) -> Result<HeaderValue, Error> {
    value.parse().map_err(|_| Error::malformed("headers", "the account or context has characters that none has"))
}

async fn whole_body(mut response: reqwest::Response) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|_| Problem::Cut)? {
        if body.len() + piece.len() > MAX_ANSWER {
            return Err(Problem::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn not_answered(request: &Request, error: &reqwest::Error) -> Error {
    let problem = if error.is_connect() { Problem::NotConnected } else { Problem::Cut };
    unanswered(&request.line, problem, Some(&root_cause(error)))
}

/// The innermost reason, which names no URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn log(request: &Request, took: Duration, outcome: &Result<Answer, Error>) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let line = &request.line;
    match outcome {
        Ok(answer) => {
            let id = answer.request_id.as_deref().unwrap_or_default();
            tracing::debug!(stripe.call = %line, stripe.request_id = id, duration_ms, "{line} succeeded");
        }
        Err(error) => tracing::debug!(stripe.call = %line, duration_ms, "call to Stripe failed: {error}"),
    }
}

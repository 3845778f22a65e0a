//! The operators' console: server-rendered pages on a listener of their own, which do in a browser what the commands do.
//!
//! It reads by [`crate::store::queries`] and acts through the functions of `clawback_v1`, as the commands do. Every page
//! works without a script. Not here: binding the socket and reading the configuration, which [`crate::app`] does, and
//! calls to Stripe, which [`crate::executor`] makes from rows.
//!
//! A page is a file in `pages`: a handler that reads, and a pure function from what was read to markup.

mod assets;
pub mod attempts;
mod chart;
mod extract;
mod failure;
mod failure_page;
mod form;
mod frame;
mod guard;
mod json;
mod list;
mod login;
mod numbers;
mod pages;
mod parts;
pub mod password;
mod routes;
pub mod settings;
mod unsent;
pub mod users;
mod who;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use self::attempts::Attempts;
use self::failure::Failure;
pub use self::routes::Route;
use self::settings::Settings;
use self::who::Who;
use crate::evidence::Policy;
use crate::store::queries::{self, Via};
use crate::store::session;

/// All routes but those of logging in and of files.
#[must_use]
pub fn routes() -> Vec<Route> {
    pages::all().list()
}

/// Connections to the database. Never those of intake or of the processor.
const CONNECTIONS: u32 = 4;
/// Requests at once.
const SLOTS: usize = 16;
/// Requests at once that send files.
const UPLOADS: usize = 2;
/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(3);
/// The largest form but for evidence, in bytes.
const LARGEST_BODY: usize = 64 << 10;
/// The largest form of a log-in, in bytes: it may carry one that was not sent, which is encoded once more.
const LARGEST_LOG_IN: usize = 2 * unsent::LARGEST_FORM + LARGEST_BODY;
/// Forms of people who are not logged in that are read at once: each may take [`LARGEST_LOG_IN`] of memory.
const STRANGERS: usize = 16;

/// What the pages need.
#[derive(Debug)]
pub struct Console {
    settings: Settings,
    policy: Policy,
    pool: PgPool,
    attempts: Mutex<Attempts>,
    /// One password is hashed at a time.
    hashing: Semaphore,
    slots: Semaphore,
    /// Forms of people who are not logged in are read in turn.
    strangers: Semaphore,
    /// Files are sent by two at a time: each takes memory.
    uploads: Semaphore,
    latest: numbers::Latest,
    /// The token of [`settings::Entry::Token`] was used.
    token_used: AtomicBool,
}

type Shared = Arc<Console>;

/// The routes of the console, below the prefix of its URL. `policy`: what drafts of evidence are filled in from.
///
/// The router expects the extension [`crate::http::Peer`] where a proxy says who asks.
///
/// # Panics
/// If the URL's origin is none, which its parser excludes.
pub fn router(settings: Settings, policy: Policy) -> Router {
    let prefix = settings.url.prefix.clone();
    let console = Arc::new(Console::new(settings, policy));
    let below = MapRequest::new(routed(console), move |request| without(&prefix, request));
    Router::new().fallback_service(below)
}

/// The pages, in all that holds for each request.
fn routed(console: Shared) -> Router {
    // The last layer is the outermost.
    let known = Router::new()
        .route("/login", get(login::ask).post(login::enter).layer(DefaultBodyLimit::max(LARGEST_LOG_IN)))
        .route("/logout", post(login::leave))
        .merge(pages::all().mounted(console.settings.is_read_only))
        .fallback(async || Failure::NotFound("There is no page at this address.".to_owned()))
        .method_not_allowed_fallback(async || Failure::NotFound("There is no such action at this address.".to_owned()))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(guard::not_modified))
        .layer(from_fn_with_state(Arc::clone(&console), guard::limits))
        .layer(from_fn_with_state(Arc::clone(&console), who::identify));
    Router::new()
        .route("/assets/{name}", get(assets::serve))
        .merge(known)
        .layer(from_fn_with_state(Arc::clone(&console), guard::origin))
        .layer(cross_site(&console.settings))
        .layer(from_fn_with_state(Arc::clone(&console), failure_page::dress))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(guard::headers))
        .with_state(console)
}

/// Refuses forms that another site sent: <https://docs.rs/tower-http/0.7/tower_http/csrf/>.
fn cross_site(settings: &Settings) -> CsrfLayer<impl Fn(ProtectionError) -> Response + Clone + Send + Sync + 'static> {
    let trusted = CsrfLayer::new().add_trusted_origin(settings.url.origin());
    trusted.expect("an origin").with_rejection_response(|_| Failure::CrossSite.into_response())
}

/// The request with its path below the prefix; outside of it, with a path that is nowhere.
fn without(prefix: &str, mut request: Request) -> Request {
    if prefix.is_empty() {
        return request;
    }
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let below = match path.strip_prefix(prefix) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        Some(rest) if rest.starts_with('?') => format!("/{rest}"),
        Some(_) | None => "/outside".to_owned(),
    };
    if let Ok(uri) = below.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

impl Console {
    fn new(settings: Settings, policy: Policy) -> Self {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE);
        Self {
            pool: session::pool(pool, &settings.database),
            settings,
            policy,
            attempts: Mutex::new(Attempts::default()),
            hashing: Semaphore::new(1),
            slots: Semaphore::new(SLOTS),
            strangers: Semaphore::new(STRANGERS),
            uploads: Semaphore::new(UPLOADS),
            latest: numbers::Latest::default(),
            token_used: AtomicBool::new(false),
        }
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction that reads, as of one moment. It ends by being dropped.
    async fn reading(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.pool.begin_with(queries::QUICK_SNAPSHOT).await
    }

    /// A transaction in which this person acts.
    async fn acting(&self, who: &Who) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.acting_as(Some(&who.name)).await
    }

    /// The same by name; none for somebody who is not logged in.
    async fn acting_as(&self, name: Option<&str>) -> sqlx::Result<Transaction<'static, Postgres>> {
        let mut tx = self.pool.begin_with(queries::QUICK).await?;
        queries::act_as(&mut tx, name, Via::Console).await?;
        Ok(tx)
    }
}

/// The clock.
fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

//! A page for the script of the console to work on, and a server whose answers the test decides.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

/// That of the console.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// With a page that is not refreshed any more.
    Still,
    LoggedOut,
    Broken,
}

/// What the page shows, and what was asked.
#[derive(Debug)]
pub struct Bench {
    pub url: String,
    rows: Mutex<Vec<String>>,
    mood: Mutex<Mood>,
    refreshes: AtomicU32,
    unchanged: AtomicU32,
    saved: Mutex<Vec<String>>,
}

impl Bench {
    /// A server on a free port.
    pub async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let bench = Arc::new(Self {
            url: format!("http://{}/page", listener.local_addr().expect("an address")),
            rows: Mutex::new(vec!["one".to_owned(), "two".to_owned()]),
            mood: Mutex::new(Mood::Well),
            refreshes: AtomicU32::new(0),
            unchanged: AtomicU32::new(0),
            saved: Mutex::default(),
        });
        let routes = Router::new()
            .route("/page", get(show))
            .route("/save", post(save))
            .route("/disputes", get(async || "the list of disputes"))
            .route("/rows/{row}", get(async || "a row"))
            .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
            .route("/console.js", get(script));
        let router = routes.with_state(Arc::clone(&bench));
        tokio::spawn(async move { axum::serve(listener, router).await });
        bench
    }

    /// Adds a row at the top.
    pub fn add(&self, row: &str) {
        self.rows.lock().expect("rows").insert(0, row.to_owned());
    }

    pub fn remove(&self, row: &str) {
        self.rows.lock().expect("rows").retain(|known| known != row);
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().expect("a mood") = mood;
    }

    /// How often the page was asked for by the script.
    pub fn refreshes(&self) -> u32 {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// How many of them were answered by 304.
    pub fn unchanged(&self) -> u32 {
        self.unchanged.load(Ordering::SeqCst)
    }

    /// The forms that were sent.
    pub fn saved(&self) -> Vec<String> {
        self.saved.lock().expect("forms").clone()
    }
}

async fn show(State(bench): State<Arc<Bench>>, method: Method, headers: HeaderMap) -> Response {
    let is_refresh = method == Method::GET && headers.contains_key("x-console-refresh");
    bench.refreshes.fetch_add(u32::from(is_refresh), Ordering::SeqCst);
    let mood = *bench.mood.lock().expect("a mood");
    match mood {
        Mood::Well | Mood::Still => {}
        Mood::LoggedOut => return StatusCode::UNAUTHORIZED.into_response(),
        Mood::Broken => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
    let rows = bench.rows.lock().expect("rows");
    let tag = format!("\"{}\"", rows.join("."));
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *tag) {
        bench.unchanged.fetch_add(1, Ordering::SeqCst);
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    ([(header::ETAG, tag.as_str()), (header::CONTENT_SECURITY_POLICY, POLICY)], Html(page(&rows, mood))).into_response()
}

async fn save(State(bench): State<Arc<Bench>>, body: String) -> &'static str {
    bench.saved.lock().expect("forms").push(body);
    "saved"
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript")], include_str!("../../src/console/assets/console.js"))
}

/// The markup as the frame and the parts of the console make it.
fn page(rows: &[String], mood: Mood) -> String {
    let row = |row: &String| {
        format!(
            "<tr data-key='{row}'><td><input type=checkbox value='{row}'> <a href='/rows/{row}'>{row}</a></td></tr>"
        )
    };
    let live = if mood == Mood::Still { "<main>" } else { "<main data-live=\"1\">" };
    let page = include_str!("bench.html").replace("<main data-live=\"1\">", live);
    page.replace("ROWS", &rows.iter().map(row).collect::<String>())
}

//! A console beside a database, and visitors without a browser: they send what a browser would.

use clawback::console::settings::{Entry, PublicUrl, Settings};
use clawback::console::users::{Recognition, Users};
use clawback::console::{self};
use clawback::evidence::Policy;
use clawback::http::server::serve;
use clawback::store::console as sessions;
use reqwest::{Method, RequestBuilder, StatusCode};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::harness::{Database, options};

/// One user for each right, one with all, and one who may only look.
pub const USERS: &str = "boss read,payloads,work,refund,respond -\nreader read -\nanalyst read,payloads -\n\
                         worker read,work -\ncashier read,refund -\nadvocate read,respond -\n";

/// A console on loopback, which ends when it is dropped.
pub struct Console {
    pub url: String,
    client: reqwest::Client,
    _stop: DropGuard,
}

impl Console {
    /// With [`USERS`], who need no password.
    pub async fn open(db: &Database) -> Self {
        Self::open_with(db, |_| {}).await
    }

    pub async fn open_with(db: &Database, change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let authority = listener.local_addr().expect("an address").to_string();
        let mut settings = Settings {
            url: PublicUrl { is_https: false, authority: authority.clone(), prefix: String::new(), is_loopback: true },
            users: Users::parse(USERS, Recognition::Proxy).expect("users"),
            entry: Entry::Password,
            is_read_only: false,
            database: options(&db.url),
        };
        change(&mut settings);
        let url = format!("http://{authority}{}", settings.url.prefix);
        let stop = CancellationToken::new();
        let router = console::router(settings, Policy::default());
        tokio::spawn(serve(listener, router, stop.clone()));
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { url, client, _stop: stop.drop_guard() }
    }

    /// Somebody who is logged in.
    pub async fn visitor(&self, db: &Database, name: &str) -> Visitor {
        let token = Uuid::new_v4().simple().to_string();
        let mut conn = db.pool.acquire().await.expect("a connection");
        let life = Duration::from_secs(3_600);
        sessions::open_session(&mut conn, &Sha256::digest(&token).into(), name, life).await.expect("a session");
        Visitor { cookie: Some(format!("clawback={}.{token}", hex::encode(name))), ..self.nobody() }
    }

    /// Somebody who is not.
    pub fn nobody(&self) -> Visitor {
        Visitor { url: self.url.clone(), client: self.client.clone(), cookie: None }
    }
}

/// A browser without a screen.
#[derive(Clone)]
pub struct Visitor {
    pub url: String,
    pub cookie: Option<String>,
    client: reqwest::Client,
}

impl Visitor {
    /// A request as it would be sent, with the cookie.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.cookie {
            Some(cookie) => request.header("Cookie", cookie),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// Sends a form of one of the pages.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        Answer::of(self.form(path, form).header("Sec-Fetch-Site", "same-origin")).await
    }

    /// A form that is not said to come from anywhere.
    pub fn form(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.request(Method::POST, path).header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }

    /// A page that must be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Self { status, headers, body: answer.text().await.expect("a body") }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
    }

    /// Where a redirect leads.
    pub fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.header("location")
    }
}

/// The values of an attribute in a page, such as `href`, unescaped.
pub fn attributes(html: &str, name: &str) -> Vec<String> {
    let unescaped =
        |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    html.split(&format!(" {name}=\""))
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(value, _)| unescaped(value))
        .collect()
}

/// The value of a hidden field of a form.
pub fn hidden(html: &str, name: &str) -> String {
    let marked = format!("name=\"{name}\" value=\"");
    let (_, rest) = html.split_once(&marked).unwrap_or_else(|| panic!("no field {name} in {html}"));
    rest.split_once('"')
        .expect("its end")
        .0
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

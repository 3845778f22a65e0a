//! A double of Stripe for each test: a client that calls it as Stripe is called, and a receiver of its webhooks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clawback::dev::double::{Double, Truth, serve};
use clawback::stripe::signature::{Secret, Secrets, verify};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::harness::{Database, SECRET, client, unix_now};

/// A running double.
pub struct World {
    pub url: String,
    pub double: Arc<Double>,
    client: reqwest::Client,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer of the API.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Said {
    /// The value of a header, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Status, code and parameter of an error.
    pub fn refusal(&self) -> (u16, &str, &str) {
        let error = &self.body["error"];
        (self.status, error["code"].as_str().unwrap_or_default(), error["param"].as_str().unwrap_or_default())
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }
}

pub type Form<'a> = &'a [(&'a str, &'a str)];

impl World {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let double = Double::new(7).expect("a double");
        let serving = tokio::spawn(serve(double.clone(), listener));
        Self { url, double, client: client(), serving }
    }

    pub fn request(&self, method: &str, path: &str, form: Form<'_>) -> reqwest::RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let method: reqwest::Method = method.parse().expect("a method");
        let request = if method == reqwest::Method::GET {
            self.client.request(method, format!("{}{path}?{body}", self.url))
        } else {
            self.client.request(method, format!("{}{path}", self.url)).body(body)
        };
        request.header("Authorization", "Bearer sk_test_1").header("Content-Type", "application/x-www-form-urlencoded")
    }

    pub async fn get(&self, path: &str, form: Form<'_>) -> Said {
        said(self.request("GET", path, form)).await.expect("an answer")
    }

    pub async fn post(&self, path: &str, form: Form<'_>) -> Said {
        said(self.request("POST", path, form)).await.expect("an answer")
    }

    pub async fn keyed(&self, key: &str, path: &str, form: Form<'_>) -> Result<Said, reqwest::Error> {
        said(self.request("POST", path, form).header("Idempotency-Key", key)).await
    }

    /// Asks the control API.
    pub async fn control(&self, path: &str, body: Value) -> Value {
        let said = said(self.client.post(format!("{}/_double/{path}", self.url)).body(body.to_string())).await;
        let said = said.expect("an answer");
        assert_eq!(said.status, 200, "{}", said.body);
        said.body
    }

    /// Empties the log of requests.
    pub async fn forget_requests(&self) {
        self.delete("requests").await;
    }

    /// Ends all faults and outages.
    pub async fn end_faults(&self) {
        self.delete("faults").await;
    }

    async fn delete(&self, path: &str) {
        let done = said(self.client.delete(format!("{}/_double/{path}", self.url))).await.expect("an answer");
        assert_eq!(done.status, 200, "{}", done.body);
    }

    pub async fn look(&self, path: &str) -> Value {
        said(self.client.get(format!("{}/_double/{path}", self.url))).await.expect("an answer").body
    }

    /// A charge of so much, paid with this test payment method.
    pub async fn pay(&self, amount: &str, token: &str) -> String {
        let form = [("amount", amount), ("currency", "eur"), ("confirm", "true"), ("payment_method", token)];
        let intent = self.post("/v1/payment_intents", &form).await;
        intent.body["latest_charge"].as_str().unwrap_or_else(|| panic!("{intent:?}")).to_owned()
    }

    pub async fn dispute_of(&self, charge: &str) -> Value {
        self.get("/v1/disputes", &[("charge", charge)]).await.body["data"][0].clone()
    }

    /// Stops the clock this many seconds ago.
    pub async fn stop_clock(&self, ago: i64) {
        self.control("clock", json!({ "stop_at": unix_now() - ago })).await;
    }

    pub async fn advance(&self, seconds: i64) {
        self.control("clock", json!({ "advance": seconds })).await;
    }

    /// How many refunds of a charge exist.
    pub async fn refunds_of(&self, charge: &str) -> u64 {
        self.look("effects").await[charge]["refunds"].as_u64().unwrap_or(0)
    }
}

/// The answer, or why there was none.
pub async fn said(request: reqwest::RequestBuilder) -> Result<Said, reqwest::Error> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Said { status, headers, body })
}

/// What the service is to show of a payment.
pub fn expected(truth: &Truth) -> Value {
    let open = [&truth.chargebacks, &truth.inquiries, &truth.warnings, &truth.reviews];
    json!({
        "account": truth.account,
        "paid": truth.captured,
        "refunded": truth.refunded,
        "disputed": truth.disputed,
        "lost": truth.lost,
        "hold": open.iter().any(|ids| !ids.is_empty()),
    })
}

/// What it shows, by payment.
pub async fn shown(db: &Database) -> BTreeMap<String, Value> {
    let query = "select payment_id, jsonb_build_object('account', account, 'paid', coalesce(amount_paid, 0),
                     'refunded', amount_refunded, 'disputed', amount_disputed, 'lost', amount_lost, 'hold', hold) as it
                 from clawback_v1.payments";
    let rows = db.rows(query).await;
    rows.iter().map(|row| (row["payment_id"].as_str().expect("an id").to_owned(), row["it"].clone())).collect()
}

/// A receiver of webhooks that verifies signatures and answers as it is told.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Value>>>,
    refusals: Arc<Mutex<u32>>,
}

impl Receiver {
    /// Refuses so many deliveries first.
    pub async fn start(refusals: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let receiver = Self { url, got: Arc::default(), refusals: Arc::new(Mutex::new(refusals)) };
        let router = Router::new().route("/", post(take)).with_state(receiver.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        receiver
    }

    /// Types of what was accepted, in the order of arrival.
    pub fn types(&self) -> Vec<String> {
        self.events().iter().map(|event| event["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn events(&self) -> Vec<Value> {
        self.got.lock().expect("the lock").clone()
    }

    /// What has arrived once the double has nothing left to send.
    pub async fn settled(&self, world: &World) -> Vec<String> {
        crate::harness::until("all webhooks", async || {
            tokio::time::timeout(Duration::from_secs(5), world.look("webhooks")).await.expect("in time")["pending"] == 0
        })
        .await;
        self.types()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers["Stripe-Signature"].to_str().expect("text");
    verify(signature, &body, &Secrets::from(Secret::from_key(SECRET)), unix_now(), 300).expect("a good signature");
    let mut refusals = receiver.refusals.lock().expect("the lock");
    if *refusals > 0 {
        *refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    receiver.got.lock().expect("the lock").push(serde_json::from_slice(&body).expect("JSON"));
    StatusCode::OK
}

//! The double on a socket: connections, the calls on them, and the webhooks that go out.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::call::{Call, Step};
use super::faults::Kind;
use super::life::{self, Life};
use super::life_disputes::{self, Disputes};
use super::responses::{self, DisputeTruth};
use super::truth::{self, Truth};
use super::webhooks::Delivery;
use super::world::World;
use super::{control, wire};
use crate::app::{self, unix_now};
use crate::stripe::signature::{Secret, sign_with};

/// The largest body that is read.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How often the calendar is looked at.
const TICK: Duration = Duration::from_millis(500);
/// How long a receiver of webhooks may take.
const RECEIVER: Duration = Duration::from_secs(10);

/// A running world.
#[derive(Debug)]
pub struct Double {
    world: Mutex<World>,
    client: reqwest::Client,
    /// Something is to be delivered.
    news: Notify,
}

impl Double {
    /// A world with an empty test-mode account. The seed decides all ids.
    ///
    /// # Errors
    /// When there can be no HTTP client.
    pub fn new(seed: u64) -> anyhow::Result<Arc<Self>> {
        let client = app::client(RECEIVER)?;
        Ok(Arc::new(Self { world: Mutex::new(World::new(seed, false)), client, news: Notify::new() }))
    }

    /// Sends the events of the platform's account to an endpoint, signed with this secret.
    ///
    /// # Errors
    /// When the endpoint cannot be read.
    pub fn send_webhooks_to(&self, url: &str, secret: &str) -> anyhow::Result<()> {
        let endpoint = serde_json::json!({ "url": url, "secrets": [secret] });
        control::add_endpoint(&mut self.world(), endpoint, unix_now()).map(drop).map_err(anyhow::Error::msg)
    }

    /// Plays a random life from the world's present time on, in which its time passes. Webhooks go out as ever.
    pub fn live(&self, life: Life) {
        life::play(&mut self.current(), life, unix_now());
        self.news.notify_one();
    }

    /// Lets buyers pay and dispute it: disputes of every kind and method, none of them answered.
    pub fn make_disputes(&self, disputes: Disputes) {
        life_disputes::dispute_payments(&mut self.current(), disputes, unix_now());
        self.news.notify_one();
    }

    /// The outcome of every dispute, by id: its submissions, and what Stripe holds.
    #[must_use]
    pub fn disputes(&self) -> BTreeMap<String, DisputeTruth> {
        responses::all(&self.current())
    }

    /// What is true of every payment now, by intent, or by charge where there is none.
    #[must_use]
    pub fn truth(&self) -> BTreeMap<String, Truth> {
        truth::all(&self.current())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world at this moment.
    fn current(&self) -> MutexGuard<'_, World> {
        let mut world = self.world();
        world.advance(unix_now());
        world
    }
}

/// Serves until it is dropped.
///
/// # Errors
/// When the socket fails.
pub async fn serve(double: Arc<Double>, listener: TcpListener) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(deliver(double.clone()));
    loop {
        let (stream, _) = listener.accept().await?;
        let double = double.clone();
        tasks.spawn(async move {
            let answer = service_fn(move |request| answer(double.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), answer);
            // A cut connection ends in an error, and is meant to.
            drop(connection.await);
        });
        while tasks.try_join_next().is_some() {}
    }
}

async fn answer(double: Arc<Double>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    let (method, query) = (head.method.as_str(), head.uri.query().unwrap_or_default());
    if let Some(rest) = head.uri.path().strip_prefix("/_double") {
        let (status, body) = control::answer(&mut double.current(), method, rest, query, &body, unix_now());
        double.news.notify_one();
        let response = Response::builder().status(status).header("Content-Type", "application/json");
        return response.body(Body::from(body)).map_err(io::Error::other);
    }
    let call = wire::read(&head, body).await?;
    // A task of its own: what a client no longer waits for still happens.
    tokio::spawn(run(double, call)).await.map_err(io::Error::other)?
}

/// The wall clock in milliseconds.
fn wall_ms() -> i64 {
    i64::try_from(app::now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

async fn run(double: Arc<Double>, call: Call) -> io::Result<Response<Body>> {
    let begun = {
        let mut world = double.current();
        let now = world.clock.now(unix_now());
        call.begin(&mut world, now, wall_ms())
    };
    if begun.fault.as_ref().is_some_and(|fault| fault.kind == Kind::Slow) {
        tokio::time::sleep(wire::wait(&begun)).await;
    }
    let reply = match &begun.step {
        Step::Answer(reply) => reply.clone(),
        Step::Run => {
            let mut world = double.current();
            let reply = call.execute(&mut world, &begun);
            world.hand_over(unix_now());
            reply
        }
    };
    double.news.notify_one();
    let now = double.world().clock.now(unix_now());
    wire::send(&call, &begun, reply, now).await
}

/// Makes the deliveries that are due, side by side, for ever.
async fn deliver(double: Arc<Double>) {
    let mut sending = JoinSet::new();
    loop {
        let due = double.current().hooks.take_due(unix_now());
        for delivery in due {
            sending.spawn(attempt(double.clone(), delivery));
        }
        while sending.try_join_next().is_some() {}
        // Either way there may be something to do: an event happened, or its time has come.
        drop(tokio::time::timeout(TICK, double.news.notified()).await);
    }
}

/// Makes one delivery with a fresh signature.
async fn attempt(double: Arc<Double>, delivery: Delivery) {
    let secrets: Vec<_> = delivery.endpoint.secrets.iter().map(|key| Secret::from_key(key)).collect();
    let signature = sign_with(secrets.iter(), unix_now(), delivery.body.as_bytes());
    let request = double.client.post(&delivery.endpoint.url).header("Stripe-Signature", signature);
    let request = request.header("Content-Type", "application/json; charset=utf-8").body(delivery.body.clone());
    let delivered = match request.send().await {
        Ok(answer) if answer.status().is_success() => true,
        Ok(answer) => {
            tracing::info!(event.id = delivery.event, "{} answered {}", delivery.endpoint.url, answer.status());
            false
        }
        Err(error) => {
            tracing::info!(event.id = delivery.event, "no answer from {}: {error}", delivery.endpoint.url);
            false
        }
    };
    double.world().hooks.finish(delivery, delivered, unix_now());
}

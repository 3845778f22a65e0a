//! The receiver to compare with: what a good engineer writes by hand from Stripe's documentation. It verifies the
//! signature, stores the event with one statement and answers 200. It makes nothing of the event, and logs no delivery.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::serve::ListenerExt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;

const TOLERANCE_SECONDS: u64 = 300;

struct App {
    pool: PgPool,
    secret: String,
}

/// Serves on a free port of the loopback, which it prints, until the process is killed.
pub async fn serve(database_url: &str, secret: &str) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new().max_connections(10).connect(database_url).await?;
    let table = "create table stripe_events (id text primary key, type text not null, payload jsonb not null, \
                 received_at timestamptz not null default now())";
    sqlx::raw_sql(table).execute(&pool).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let app = Router::new().route("/webhooks/stripe", post(receive));
    let app = app.with_state(Arc::new(App { pool, secret: secret.to_owned() }));
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

async fn receive(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_signed(header, &body, &app.secret) {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let (Some(id), Some(kind)) = (event["id"].as_str(), event["type"].as_str()) else { return StatusCode::BAD_REQUEST };
    let insert =
        sqlx::query("insert into stripe_events (id, type, payload) values ($1, $2, $3) on conflict do nothing");
    match insert.bind(id).bind(kind).bind(&event).execute(&app.pool).await {
        Ok(_) => StatusCode::OK,
        Err(error) => {
            eprintln!("cannot store {id}: {error}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn is_signed(header: &str, body: &[u8], secret: &str) -> bool {
    let item = |name| header.split(',').filter_map(|item| item.split_once('=')).find(|(key, _)| *key == name);
    let (Some((_, timestamp)), Some((_, signature))) = (item("t"), item("v1")) else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let is_recent = timestamp.parse::<u64>().is_ok_and(|signed| now.abs_diff(signed) <= TOLERANCE_SECONDS);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    is_recent && hex::decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
}

//! `POST /webhooks/stripe`: read, verify, store, answer. In that order, and nothing more.
//!
//! Not here: anything an event means. That is worked out after it is stored and answered.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use metrics::histogram;
use serde_json::json;
use tokio::time::timeout;
use tracing::info;

use super::App;
use super::refusal::Refusal;
use crate::intake::Share;
use crate::store::inbox::NewEvent;
use crate::stripe::envelope::Envelope;
use crate::stripe::signature::{SignatureError, verify};
use crate::telemetry;

const SIGNATURE: &str = "stripe-signature";

/// For the whole body, from its first byte to its last.
const BODY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// So much of each body is not charged to the room for bodies, in bytes: the bound on connections bounds it.
/// Else whoever holds large unsigned bodies could shut out Stripe's, which are small.
const FREE: usize = 16 << 10;

pub(super) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let started = Instant::now();
    match deliver(&app, request).await {
        Ok(delivered) => {
            info!(
                event.id = delivered.id,
                event.r#type = delivered.event_type,
                outcome = delivered.outcome,
                secret.position = delivered.secret,
                duration_ms = started.elapsed().as_secs_f64() * 1000.0,
                "received {}",
                delivered.id,
            );
            histogram!(telemetry::DELIVERY_SECONDS).record(started.elapsed().as_secs_f64());
            Json(json!({ "received": true })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// What a log may say of a delivery.
struct Delivered {
    id: String,
    event_type: String,
    outcome: &'static str,
    /// Its position among those configured: tells when an old one is no longer used.
    secret: usize,
}

async fn deliver(app: &App, request: Request) -> Result<Delivered, Refusal> {
    let (head, body) = request.into_parts();
    // Read before anything of it is judged: a refusal that leaves a body half sent is easily lost,
    // and an unsigned request could as well carry a made-up signature.
    let body = timeout(BODY_TIME_LIMIT, SignedBody::read(app, body)).await.map_err(|_| Refusal::TooSlow)??;
    let verified = VerifiedEvent::verify(app, &head.headers, body, unix_now())?;
    let (id, event_type) = (verified.event.event_id.clone(), verified.event.event_type.clone());
    let recorded = app.intake.record(verified.event, verified.share).await?;
    Ok(Delivered { id, event_type, outcome: recorded.label(), secret: verified.secret })
}

/// The clock is read here and nowhere below. Before 1970 it is as good as broken: everything is then
/// signed in the future, and refused.
fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The bytes that a signature is about, and the room they take.
struct SignedBody {
    bytes: Vec<u8>,
    share: Share,
}

impl SignedBody {
    async fn read(app: &App, mut body: Body) -> Result<Self, Refusal> {
        // What the client announces is refused before a byte is read, and a client that waits for
        // `100 Continue` need not send it.
        if body.size_hint().lower() > app.max_body as u64 {
            return Err(Refusal::TooLarge);
        }
        let mut read = Self { bytes: Vec::new(), share: app.bodies.share() };
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else {
                continue; // Trailers say nothing to us.
            };
            if read.bytes.len() + chunk.len() > app.max_body {
                return Err(Refusal::TooLarge);
            }
            let charged = read.bytes.len().max(FREE);
            // What is charged is what is held: growing by doubling would hold twice as much.
            read.bytes.reserve_exact(chunk.len());
            read.bytes.extend_from_slice(&chunk);
            read.share.grow(read.bytes.len().saturating_sub(charged)).map_err(|_| Refusal::NoRoom)?;
        }
        Ok(read)
    }
}

/// An event that Stripe signed. There is no other way to one than [`VerifiedEvent::verify`].
struct VerifiedEvent {
    event: NewEvent,
    share: Share,
    secret: usize,
}

impl VerifiedEvent {
    /// `now` in Unix seconds.
    fn verify(app: &App, headers: &HeaderMap, body: SignedBody, now: i64) -> Result<Self, Refusal> {
        let header = signature_header(headers)?;
        let tolerance = i64::try_from(app.tolerance.as_secs()).unwrap_or(i64::MAX);
        let verified = verify(header, &body.bytes, &app.secrets, now, tolerance)?;
        let payload = String::from_utf8(body.bytes).map_err(|_| Refusal::NotUtf8)?;
        let envelope = Envelope::read(&payload)?;
        let vouched = verified.modes.allow(envelope.livemode);
        let event = new_event(envelope, payload, vouched);
        Ok(Self { event, share: body.share, secret: verified.secret })
    }
}

fn signature_header(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut lines = headers.get_all(SIGNATURE).iter();
    let line = lines.next().ok_or(SignatureError::Missing)?;
    if lines.next().is_some() {
        return Err(Refusal::SeveralSignatures);
    }
    Ok(line.to_str().map_err(|_| SignatureError::Malformed)?)
}

fn new_event(envelope: Envelope, payload: String, vouched: bool) -> NewEvent {
    NewEvent {
        event_id: envelope.id,
        event_type: envelope.event_type,
        api_version: envelope.api_version,
        account: envelope.account,
        livemode: envelope.livemode,
        object_id: envelope.object_id,
        created: envelope.created,
        vouched,
        payload,
    }
}

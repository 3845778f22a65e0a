//! `POST /webhooks/stripe`: read the body, verify the signature, store the event, acknowledge.
//!
//! Not here: what an event means. That is worked out after the acknowledgement ([`crate::processor`]).

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
use tracing::debug;

use super::refusal::Refusal;
use super::{App, Seat};
use crate::intake::Recorded;
use crate::intake::memory::Reservation;
use crate::store::inbox::NewEvent;
use crate::stripe::envelope::Envelope;
use crate::stripe::signature::{SignatureError, verify};
use crate::telemetry;

const SIGNATURE: &str = "stripe-signature";

/// For the whole body, from the first byte to the last.
const BODY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Bytes of each body that are not counted against the memory for bodies; the limit on connections bounds them.
/// Otherwise large unsigned bodies could shut out Stripe's, which are small.
const UNCOUNTED: usize = 16 << 10;

pub(super) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let started = Instant::now();
    match deliver(&app, request).await {
        Ok(delivered) => {
            // Not at `info`: the ledger has the event, and a line for each would take a sixth of the work.
            debug!(
                event.id = delivered.id,
                event.r#type = delivered.event_type,
                outcome = delivered.recorded.label(),
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

/// What the log may say of a delivery.
struct Delivered {
    id: String,
    event_type: String,
    recorded: Recorded,
    /// Position among the configured secrets: shows when an old one is no longer used.
    secret: usize,
}

async fn deliver(app: &App, request: Request) -> Result<Delivered, Refusal> {
    let (mut head, body) = request.into_parts();
    let seat = head.extensions.remove::<Seat>();
    // Read in full before anything is checked: a refusal in the middle of a body is easily lost, and checking for a
    // signature first would save nothing, since anyone can make one up.
    let body = timeout(BODY_TIME_LIMIT, SignedBody::read(app, body)).await.map_err(|_| Refusal::TooSlow)??;
    let VerifiedEvent { event, secret } = VerifiedEvent::verify(app, &head.headers, body.bytes, unix_now())?;
    // Headers are slices of the connection's read buffer, and would keep all of it while the event waits.
    drop(head);
    let _delivering = seat.as_ref().map(Seat::delivers);
    let (id, event_type) = (event.envelope.id.clone(), event.envelope.event_type.clone());
    let recorded = app.intake.record(event, body.reservation).await?;
    Ok(Delivered { id, event_type, recorded, secret })
}

/// The only place on this path that reads the clock. A clock before 1970 is broken: every signature is then in the
/// future, and refused.
fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The bytes that the signature covers, and the memory they take.
struct SignedBody {
    bytes: Vec<u8>,
    reservation: Reservation,
}

impl SignedBody {
    async fn read(app: &App, mut body: Body) -> Result<Self, Refusal> {
        // An announced length is refused before a byte is read; a client that waits for `100 Continue` sends none.
        if body.size_hint().lower() > app.max_body as u64 {
            return Err(Refusal::TooLarge);
        }
        let mut read = Self { bytes: Vec::new(), reservation: app.bodies.reservation() };
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame.map_err(|_| Refusal::BodyBroken)?.into_data() else {
                continue; // Trailers.
            };
            if read.bytes.len() + chunk.len() > app.max_body {
                return Err(Refusal::TooLarge);
            }
            let counted = read.bytes.len().max(UNCOUNTED);
            // Grown exactly, so that the reservation is what is held.
            read.bytes.reserve_exact(chunk.len());
            read.bytes.extend_from_slice(&chunk);
            read.reservation.grow(read.bytes.len().saturating_sub(counted)).map_err(|_| Refusal::NoRoom)?;
        }
        Ok(read)
    }
}

/// An event that Stripe signed. [`VerifiedEvent::verify`] is the only way to get one.
struct VerifiedEvent {
    event: NewEvent,
    /// Position of its secret among the configured ones.
    secret: usize,
}

impl VerifiedEvent {
    /// `now` in Unix seconds.
    fn verify(app: &App, headers: &HeaderMap, body: Vec<u8>, now: i64) -> Result<Self, Refusal> {
        let header = signature_header(headers)?;
        let tolerance = i64::try_from(app.tolerance.as_secs()).unwrap_or(i64::MAX);
        let secrets = Arc::clone(&app.secrets.borrow());
        let verified = verify(header, &body, &secrets, now, tolerance)?;
        let payload = String::from_utf8(body).map_err(|_| Refusal::NotUtf8)?;
        let envelope = Envelope::read(&payload)?;
        let mode_matches = verified.modes.allow(envelope.livemode);
        Ok(Self { event: NewEvent { envelope, payload, mode_matches }, secret: verified.secret })
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

//! The newest event at Stripe, and whether the ledger has it.

use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::permissions::newest;
use super::{Finding, good, warning};
use crate::app::database::answer;
use crate::handlers::EVENTS;
use crate::store::health::{self, Received};
use crate::stripe_api::{Calls, Created, Error, EventFilter, Mode};
use crate::terminal::moment::exact;

const CHECK: &str = "missed events";
/// How many types Stripe takes in one call.
const TYPES: usize = 20;
/// How long an event may take to arrive, in seconds.
const ON_ITS_WAY: i64 = 60;

/// An event at Stripe.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    id: String,
    r#type: String,
    created: i64,
}

/// The newest event of a mode that must have arrived by now; none when Stripe lists none.
#[derive(Debug)]
pub(super) struct Newest {
    mode: Mode,
    event: Option<Event>,
}

/// Asks Stripe, whose clock says `now`.
pub(super) async fn at_stripe(calls: &Calls, mode: Mode, now: i64) -> Result<Newest, Finding> {
    let before = Created { from: None, before: Some(now - ON_ITS_WAY) };
    let mut found: Option<Event> = None;
    for types in EVENTS.chunks(TYPES) {
        let event = newest_of(calls, &EventFilter { types, created: before }).await;
        let event = event.map_err(|error| warning(CHECK, format!("{mode} mode: not looked for: {error}")))?;
        found = found.into_iter().chain(event).max_by_key(|event| event.created);
    }
    Ok(Newest { mode, event: found })
}

async fn newest_of(calls: &Calls, filter: &EventFilter<'_>) -> Result<Option<Event>, Error> {
    let page = newest(calls.events(filter)).await?;
    Ok(page.and_then(|page| serde_json::from_str(page.items.first()?.get()).ok()))
}

/// Compares with the ledger.
pub(super) async fn look(conn: &mut PgConnection, newest: &Newest) -> sqlx::Result<Finding> {
    let mode = newest.mode;
    let Some(event) = &newest.event else {
        return Ok(good(CHECK, format!("{mode} mode: Stripe lists no event that should have arrived")));
    };
    let received = answer(health::received(conn, &event.id, mode == Mode::Live)).await?;
    Ok(compared(mode, event, &received))
}

fn compared(mode: Mode, event: &Event, received: &Received) -> Finding {
    let Event { id, r#type, created } = event;
    let at = OffsetDateTime::from_unix_timestamp(*created).map(exact).unwrap_or_default();
    if received.known {
        return good(
            CHECK,
            format!("{mode} mode: Stripe's newest event of over a minute ago was received: {type} {id} of {at}"),
        );
    }
    let known = received
        .newest
        .map_or("none was received yet".to_owned(), |newest| format!("the newest received is of {}", exact(newest)));
    warning(
        CHECK,
        format!(
            "{mode} mode: Stripe's newest event was not received: {type} {id} of {at}; {known}. Run `clawback sync`"
        ),
    )
}

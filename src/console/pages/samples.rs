//! Follow-ups and events for the tests of the pages.

use maud::Markup;
use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::store::queries::{Action, Event, FollowUp};

/// When the pages are made.
pub(super) const NOW: OffsetDateTime = datetime!(2026-11-26 12:03:10 UTC);

/// A text that a stranger wrote.
pub(super) const HOSTILE: &str = "\"><img src=x onerror=alert(1)>\u{202e}";

/// Markup with a line for each tag, for snapshots.
pub(super) fn lines(markup: &Markup) -> String {
    markup.0.replace("><", ">\n<")
}

/// A dead one, with all that there is to say.
pub(super) fn dead() -> FollowUp {
    FollowUp {
        id: 7,
        kind: "notify_refund".to_owned(),
        subject: "re_1".to_owned(),
        round: String::new(),
        key: "notify_refund/re_1/".to_owned(),
        order_id: Some("o/1 & co".to_owned()),
        payment_id: Some("pi_1".to_owned()),
        account: Some("acct_1".to_owned()),
        livemode: false,
        payload: json!({ "amount": 1_250, "currency": "eur", "note": HOSTILE }),
        state: "dead".to_owned(),
        wanted: true,
        run_at: NOW - Duration::HOUR,
        due_at: Some(NOW - Duration::DAY),
        attempts: 20,
        max_attempts: 20,
        consumer: Some("shop".to_owned()),
        leased_until: None,
        result: None,
        last_error: Some(HOSTILE.to_owned()),
        created_at: NOW - Duration::days(2),
        finished_at: Some(NOW - Duration::MINUTE),
    }
}

/// One that is ready and overdue, with nothing else known.
pub(super) fn overdue() -> FollowUp {
    FollowUp {
        id: 8,
        kind: "an_unknown_kind".to_owned(),
        order_id: None,
        payment_id: None,
        account: None,
        livemode: true,
        state: "ready".to_owned(),
        attempts: 0,
        consumer: None,
        last_error: None,
        finished_at: None,
        ..dead()
    }
}

/// One that is cancelled: no longer wanted.
pub(super) fn cancelled() -> FollowUp {
    FollowUp { id: 9, state: "cancelled".to_owned(), wanted: false, due_at: None, last_error: None, ..dead() }
}

/// An event that could not be processed.
pub(super) fn failed() -> Event {
    Event {
        event_id: "evt_1".to_owned(),
        event_type: "charge.refunded".to_owned(),
        api_version: Some("2026-10-28.endive".to_owned()),
        account: None,
        livemode: Some(false),
        object_id: Some("ch_1".to_owned()),
        payment_id: Some("pi_1".to_owned()),
        created_at: Some(NOW - Duration::HOUR),
        received_at: NOW - Duration::MINUTE * 59,
        state: "failed".to_owned(),
        attempts: 1,
        last_error: Some(HOSTILE.to_owned()),
        processed_at: Some(NOW - Duration::MINUTE),
    }
}

/// An event that is pending, of which little is known.
pub(super) fn pending() -> Event {
    Event {
        event_id: "evt_2".to_owned(),
        api_version: None,
        livemode: None,
        object_id: None,
        payment_id: None,
        created_at: None,
        state: "pending".to_owned(),
        attempts: 0,
        last_error: None,
        processed_at: None,
        ..failed()
    }
}

/// What somebody did.
pub(super) fn action(name: &str) -> Action {
    Action {
        at: NOW - Duration::MINUTE * 2,
        action: name.to_owned(),
        actor: "anna".to_owned(),
        role: "console".to_owned(),
        via: "console".to_owned(),
        reason: Some(HOSTILE.to_owned()),
        detail: json!({ "before": "dead", "force": false }),
    }
}

//! The metrics: every name, type and help text, in one list. Tests compare `docs/METRICS.md` with it.
//!
//! Nothing is counted here: counters are incremented where things happen, and gauges of the database are read at the
//! scrape ([`crate::http::admin`]).

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only increases; belongs to one process.
    Counter,
    /// A distribution; belongs to one process.
    Histogram,
    /// A current value; belongs to one process.
    Gauge,
    /// A current value of the database; the same for every replica.
    DatabaseGauge,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name in Prometheus.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its help text.
    pub help: &'static str,
}

/// Verified and acknowledged events. No series starts at 0: Stripe adds event types.
pub const EVENTS_RECEIVED: &str = "clawback_events_received_total";
/// From the request head to the acknowledgement.
pub const DELIVERY_SECONDS: &str = "clawback_delivery_seconds";
/// Requests not answered with a 2xx.
pub const REFUSALS: &str = "clawback_refusals_total";
/// Whether intake can store events.
pub const INTAKE_AVAILABLE: &str = "clawback_intake_available";
/// Events stored by one commit.
pub const INTAKE_BATCH_SIZE: &str = "clawback_intake_batch_size";
/// Events waiting to be stored.
pub const INTAKE_WAITING: &str = "clawback_intake_waiting";
/// Memory left for request bodies.
pub const INTAKE_FREE_BYTES: &str = "clawback_intake_free_bytes";
/// Events that left the processor, by outcome.
pub const EVENTS_FINISHED: &str = "clawback_events_finished_total";
/// Processed events with a field that was treated as absent.
pub const EVENTS_NOTED: &str = "clawback_events_noted_total";
/// Duration of a batch.
pub const BATCH_SECONDS: &str = "clawback_batch_seconds";
/// Connections for health checks and scrapes.
pub const POOL_CONNECTIONS: &str = "clawback_pool_connections";
/// Whether the database answered the scrape.
pub const DATABASE_UP: &str = "clawback_database_up";
/// Events not processed yet.
pub const PENDING_EVENTS: &str = "clawback_pending_events";
/// Age of the oldest pending event.
pub const OLDEST_PENDING_SECONDS: &str = "clawback_oldest_pending_event_seconds";
/// Events that could not be processed.
pub const FAILED_EVENTS: &str = "clawback_failed_events";
/// Follow-ups by kind and state.
pub const FOLLOW_UPS: &str = "clawback_follow_ups";
/// Age of the oldest ready follow-up.
pub const OLDEST_READY_SECONDS: &str = "clawback_oldest_ready_follow_up_seconds";
/// Time until the nearest deadline for evidence.
pub const EVIDENCE_DUE_SECONDS: &str = "clawback_evidence_due_seconds";
/// Payments with a missed deadline for evidence.
pub const EVIDENCE_OVERDUE: &str = "clawback_evidence_overdue";
/// Drafts of responses that are due soon.
pub const DRAFTS_DUE: &str = "clawback_drafts_due";
/// Payments without an order.
pub const UNLINKED_PAYMENTS: &str = "clawback_unlinked_payments";
/// Age of the newest event.
pub const NEWEST_EVENT_SECONDS: &str = "clawback_newest_event_seconds";
/// Calls to Stripe's API, by kind and outcome.
pub const API_CALLS: &str = "clawback_stripe_calls_total";
/// Calls to Stripe that wait.
pub const API_CALLS_WAITING: &str = "clawback_stripe_calls_waiting";
/// Age of the oldest call to Stripe that waits.
pub const API_OLDEST_SECONDS: &str = "clawback_stripe_oldest_call_seconds";
/// Accounts whose calls wait for a person.
pub const API_PROBLEMS: &str = "clawback_stripe_problems";
/// How long ago missed events were listed to the end.
pub const SYNC_AGE_SECONDS: &str = "clawback_sync_age_seconds";
/// What catching up with Stripe found.
pub const SYNC_FOUND: &str = "clawback_sync_found_total";
/// Notices posted to the merchant's webhook, by outcome.
pub const NOTICES: &str = "clawback_notices_total";
/// Rows that retention removed or emptied, by part.
pub const PRUNED: &str = "clawback_pruned_total";
/// How long ago retention last came to its end.
pub const PRUNE_AGE_SECONDS: &str = "clawback_prune_age_seconds";
/// Log-ins to the console, by outcome.
pub const CONSOLE_LOG_INS: &str = "clawback_console_log_ins_total";
/// The version of this process.
pub const BUILD_INFO: &str = "clawback_build_info";
/// Connections that were closed on this side.
pub const CONNECTIONS_CLOSED: &str = "clawback_connections_closed_total";
/// Log lines that were not written.
pub const LOG_LINES_DROPPED: &str = "clawback_log_lines_dropped_total";

/// Every metric.
pub const METRICS: &[Metric] = &[
    metric(
        EVENTS_RECEIVED,
        Kind::Counter,
        "Verified events, committed and acknowledged, by type and outcome: new, duplicate or wrong_mode (livemode does not match the signing secret).",
    ),
    metric(DELIVERY_SECONDS, Kind::Histogram, "Seconds from the request head to the acknowledgement of a delivery."),
    metric(
        REFUSALS,
        Kind::Counter,
        "Requests not answered with 2xx, by reason. Excludes those whose head could not be read, which clawback_connections_closed_total counts.",
    ),
    metric(
        CONNECTIONS_CLOSED,
        Kind::Counter,
        "Connections closed on this side by reason: idle (no request, or half of one, for too long), malformed (not HTTP, or too large headers), or yielded (to a new connection, while all places were taken).",
    ),
    metric(
        INTAKE_AVAILABLE,
        Kind::Gauge,
        "1 while intake can store: it is connected to a server that commits durably, and since the last failure storing succeeded or was tried out.",
    ),
    metric(INTAKE_BATCH_SIZE, Kind::Histogram, "Events stored by one commit."),
    metric(INTAKE_WAITING, Kind::Gauge, "Events waiting to be stored."),
    metric(
        INTAKE_FREE_BYTES,
        Kind::Gauge,
        "Bytes of memory left for request bodies; at 0 deliveries are answered 503.",
    ),
    metric(
        EVENTS_FINISHED,
        Kind::Counter,
        "Events that left the processor, by outcome: processed, ignored, failed, or deferred (processed later).",
    ),
    metric(
        EVENTS_NOTED,
        Kind::Counter,
        "Processed events with a field that could not be read and was treated as absent; events.last_error names it.",
    ),
    metric(BATCH_SECONDS, Kind::Histogram, "Seconds for one batch of the processor."),
    metric(POOL_CONNECTIONS, Kind::Gauge, "Connections for health checks and scrapes, by state: idle or used."),
    metric(
        DATABASE_UP,
        Kind::Gauge,
        "1 when the database answered this scrape; otherwise the gauges read from it repeat their last values.",
    ),
    metric(PENDING_EVENTS, Kind::DatabaseGauge, "Events not processed yet."),
    metric(
        OLDEST_PENDING_SECONDS,
        Kind::DatabaseGauge,
        "Seconds since the oldest pending event was received or replayed; 0 when none is pending.",
    ),
    metric(FAILED_EVENTS, Kind::DatabaseGauge, "Events that could not be processed and need an operator."),
    metric(FOLLOW_UPS, Kind::DatabaseGauge, "Follow-ups by kind and state: ready (due now), leased or dead."),
    metric(
        OLDEST_READY_SECONDS,
        Kind::DatabaseGauge,
        "Seconds since the oldest ready follow-up of a kind could be claimed; 0 when none is ready.",
    ),
    metric(
        EVIDENCE_DUE_SECONDS,
        Kind::DatabaseGauge,
        "Seconds until the nearest deadline for evidence that is awaited and not overdue, by mode; +Inf when there is none.",
    ),
    metric(
        EVIDENCE_OVERDUE,
        Kind::DatabaseGauge,
        "Payments that still await evidence and whose nearest deadline has passed.",
    ),
    metric(
        DRAFTS_DUE,
        Kind::DatabaseGauge,
        "Drafts of responses to disputes that are not submitted and whose deadline is within 24 hours.",
    ),
    metric(UNLINKED_PAYMENTS, Kind::DatabaseGauge, "Payments without an order, not counting those with nothing paid."),
    metric(
        NEWEST_EVENT_SECONDS,
        Kind::DatabaseGauge,
        "Seconds since the newest event was received from Stripe, or since the first start when there is none.",
    ),
    metric(
        API_CALLS,
        Kind::Counter,
        "Calls to Stripe by kind and outcome: created, found (a refund that an earlier call had created), fetched, unchanged, retry, unknown (looked up later), refused, key (the API key is refused) or malformed.",
    ),
    metric(
        API_CALLS_WAITING,
        Kind::DatabaseGauge,
        "Calls to Stripe that are due or under way, or wait to be tried again.",
    ),
    metric(
        API_OLDEST_SECONDS,
        Kind::DatabaseGauge,
        "Seconds since the oldest waiting call to Stripe was enqueued; 0 when none waits.",
    ),
    metric(API_PROBLEMS, Kind::DatabaseGauge, "Accounts whose calls to Stripe wait until somebody mends the API key."),
    metric(
        SYNC_AGE_SECONDS,
        Kind::DatabaseGauge,
        "Seconds since missed events were last listed to the end, for the account that lags most; 0 without an API key.",
    ),
    metric(
        SYNC_FOUND,
        Kind::Counter,
        "Events that were stored because catching up with Stripe found them, and no webhook had brought them.",
    ),
    metric(
        NOTICES,
        Kind::Counter,
        "Posts of notices by outcome: sent, retry (the webhook did not take it; tried again), or failed (given up after a day).",
    ),
    metric(
        PRUNED,
        Kind::Counter,
        "Rows that retention removed or emptied by part: bodies, wrong_mode, follow_ups, calls or evidence.",
    ),
    metric(
        PRUNE_AGE_SECONDS,
        Kind::DatabaseGauge,
        "Seconds since retention last went through everything, or since it was turned on; 0 while it is off.",
    ),
    metric(
        CONSOLE_LOG_INS,
        Kind::Counter,
        "Tries to log in to the console by outcome: accepted, refused (wrong name or password), or throttled.",
    ),
    metric(BUILD_INFO, Kind::Gauge, "Always 1; the label `version` is the version of this process."),
    metric(LOG_LINES_DROPPED, Kind::Counter, "Log lines dropped since standard output could not take them in time."),
];

const fn metric(name: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric { name, kind, help }
}

/// Gives the recorder the help texts.
pub fn describe() {
    for Metric { name, kind, help } in METRICS {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            Kind::Histogram => describe_histogram!(*name, *help),
            Kind::Gauge | Kind::DatabaseGauge => describe_gauge!(*name, *help),
        }
    }
}

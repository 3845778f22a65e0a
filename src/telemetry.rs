//! The metrics: every name and its meaning, in one list. `docs/METRICS.md` is held against it.
//!
//! What is counted is counted where it happens; what the database knows is read when it is scraped
//! ([`crate::http::admin`]).

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, per process.
    Counter,
    /// A distribution, per process.
    Histogram,
    /// A state, per process.
    Gauge,
    /// A state of the database, the same from every replica.
    DatabaseGauge,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

/// Verified deliveries that were acknowledged. The types are Stripe's and grow: no series is begun beforehand.
pub const EVENTS_RECEIVED: &str = "clawback_events_received_total";
/// From the head of a delivery to its acknowledgement.
pub const DELIVERY_SECONDS: &str = "clawback_delivery_seconds";
/// Requests not answered with a 2xx.
pub const REFUSALS: &str = "clawback_refusals_total";
/// Whether the writer can store.
pub const INTAKE_AVAILABLE: &str = "clawback_intake_available";
/// Events in one commit of the writer.
pub const INTAKE_BATCH_SIZE: &str = "clawback_intake_batch_size";
/// Events that wait for the writer.
pub const INTAKE_WAITING: &str = "clawback_intake_waiting";
/// Room left for bodies in memory.
pub const INTAKE_FREE_BYTES: &str = "clawback_intake_free_bytes";
/// What became of events.
pub const EVENTS_FINISHED: &str = "clawback_events_finished_total";
/// Processed events of which something was passed over.
pub const EVENTS_NOTED: &str = "clawback_events_noted_total";
/// One batch of the processor.
pub const BATCH_SECONDS: &str = "clawback_batch_seconds";
/// Connections of the pool behind probes and scrapes.
pub const POOL_CONNECTIONS: &str = "clawback_pool_connections";
/// Whether the database answered the scrape.
pub const DATABASE_UP: &str = "clawback_database_up";
/// Events not processed yet.
pub const PENDING_EVENTS: &str = "clawback_pending_events";
/// How long the oldest of them has waited.
pub const OLDEST_PENDING_SECONDS: &str = "clawback_oldest_pending_event_seconds";
/// Events that could not be processed.
pub const FAILED_EVENTS: &str = "clawback_failed_events";
/// Follow-ups by kind and state.
pub const FOLLOW_UPS: &str = "clawback_follow_ups";
/// Age of the oldest that could be claimed.
pub const OLDEST_READY_SECONDS: &str = "clawback_oldest_ready_follow_up_seconds";
/// Time to the nearest deadline for evidence that has not passed.
pub const EVIDENCE_DUE_SECONDS: &str = "clawback_evidence_due_seconds";
/// Payments whose deadline has passed.
pub const EVIDENCE_OVERDUE: &str = "clawback_evidence_overdue";
/// Payments that are for no order.
pub const UNLINKED_PAYMENTS: &str = "clawback_unlinked_payments";
/// Age of the newest event.
pub const NEWEST_EVENT_SECONDS: &str = "clawback_newest_event_seconds";
/// The version of this process.
pub const BUILD_INFO: &str = "clawback_build_info";
/// Log lines that were not written.
pub const LOG_LINES_DROPPED: &str = "clawback_log_lines_dropped_total";

/// Every metric there is.
pub const METRICS: &[Metric] = &[
    metric(
        EVENTS_RECEIVED,
        Kind::Counter,
        "Verified events that are committed and acknowledged, by type and outcome: new, duplicate or wrong_mode.",
    ),
    metric(DELIVERY_SECONDS, Kind::Histogram, "Seconds from the head of a delivery to its acknowledgement."),
    metric(
        REFUSALS,
        Kind::Counter,
        "Requests not answered with a 2xx, by reason. Those refused before a request was read (431, malformed HTTP) are not among them.",
    ),
    metric(INTAKE_AVAILABLE, Kind::Gauge, "1 while the writer holds a connection to a server that commits durably."),
    metric(INTAKE_BATCH_SIZE, Kind::Histogram, "Events in one commit of the writer."),
    metric(INTAKE_WAITING, Kind::Gauge, "Events that wait for the writer."),
    metric(
        INTAKE_FREE_BYTES,
        Kind::Gauge,
        "Room left for bodies in memory, in bytes; at 0 deliveries are answered 503.",
    ),
    metric(
        EVENTS_FINISHED,
        Kind::Counter,
        "Events that left the processor, by outcome: processed, ignored, failed; deferred ones come again.",
    ),
    metric(
        EVENTS_NOTED,
        Kind::Counter,
        "Processed events of which a field could not be read and was taken as absent; events.last_error names it.",
    ),
    metric(BATCH_SECONDS, Kind::Histogram, "Seconds for one batch of the processor."),
    metric(POOL_CONNECTIONS, Kind::Gauge, "Connections of the pool behind probes and scrapes, by state: idle or used."),
    metric(
        DATABASE_UP,
        Kind::Gauge,
        "1 when the database answered this scrape; else the gauges read from it are those of the last one.",
    ),
    metric(PENDING_EVENTS, Kind::DatabaseGauge, "Events not processed yet."),
    metric(
        OLDEST_PENDING_SECONDS,
        Kind::DatabaseGauge,
        "Seconds that the oldest pending event has waited, since it came or was asked for again; 0 when none does.",
    ),
    metric(FAILED_EVENTS, Kind::DatabaseGauge, "Events that could not be processed and wait for a person."),
    metric(FOLLOW_UPS, Kind::DatabaseGauge, "Follow-ups by kind and state: ready (due now), leased or dead."),
    metric(
        OLDEST_READY_SECONDS,
        Kind::DatabaseGauge,
        "Seconds that the oldest ready follow-up of a kind could have been claimed; 0 when none is ready.",
    ),
    metric(
        EVIDENCE_DUE_SECONDS,
        Kind::DatabaseGauge,
        "Seconds until the nearest deadline for evidence that is awaited and not overdue; +Inf when none is.",
    ),
    metric(
        EVIDENCE_OVERDUE,
        Kind::DatabaseGauge,
        "Payments with evidence still awaited whose nearest deadline has passed.",
    ),
    metric(
        UNLINKED_PAYMENTS,
        Kind::DatabaseGauge,
        "Payments that are for no order yet; those of which nothing was paid apart.",
    ),
    metric(
        NEWEST_EVENT_SECONDS,
        Kind::DatabaseGauge,
        "Seconds since the newest event was received from Stripe; while there is none, since the ledger was made.",
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

//! What people look at, read through `clawback_v1` as any service would, and what they ask for through its functions.
//!
//! One file for each family of tables. Rows are plain structs: money in minor units, times as RFC 3339 in JSON. Not here:
//! how any of it is shown.

mod actions;
mod answers;
mod disputes;
mod events;
mod follow_ups;
mod orders;
mod outcomes;
mod payments;
mod refund_requests;
mod refunds;
mod responses;
mod story;

pub use actions::{Action, Via, act_as, actions, dispute_actions, take_turn};
pub use answers::{Answer, answers};
pub use disputes::{Dispute, DisputeFilter, dispute, disputes, why_closed};
pub use events::{
    EVENTS_AT_ONCE, Event, EventFilter, event, event_counts, events, events_since, objects_of_order, payload, replay,
};
pub use follow_ups::{FollowUp, FollowUpFilter, discard, follow_up, follow_ups, requeue};
pub use orders::{HistoryEntry, Order, OrderFilter, history, most_eventful_order, orders, recent_order_ids};
pub use outcomes::{Outcome, Ratio, outcomes, ratios};
pub use payments::{Found, Payment, PaymentFilter, find, link_payment, payments, unlinked_payments};
pub use refund_requests::{
    RefundRequest, Refundee, RequestFilter, cancel_refund_request, inquiries_left_open, refund_requests, request_refund,
};
pub use refunds::{Refund, RefundFilter, refunds};
pub use responses::{
    Called, Response, ResponseFile, ResponseState, accept_dispute, attach_evidence_file, called_for,
    detach_evidence_file, page_limit, response, response_states, responses, stage_evidence, submit_evidence,
};
pub use story::{Statement, StatementLine, Story, Total, story};

/// Begins a transaction in which everything is read as of one moment.
pub const SNAPSHOT: &str = "begin isolation level repeatable read read only";

/// The same for a page that somebody waits for.
pub const QUICK_SNAPSHOT: &str = "begin isolation level repeatable read read only; set local statement_timeout = '3s'";

/// Begins a transaction in which something is done that somebody waits for.
pub const QUICK: &str = "begin; set local statement_timeout = '3s'; set local lock_timeout = '2s'";

/// Which part of a list is read.
#[derive(Clone, Debug)]
pub struct Page {
    /// The last id of the page before; none: the first page.
    pub before: Option<String>,
    /// Maximum rows.
    pub limit: i64,
}

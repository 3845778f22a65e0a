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

pub use actions::{
    Action, Activity, ActivityFilter, Via, act_as, actions, activity, dispute_actions, payment_actions, take_turn,
};
pub use answers::{Answer, answers};
pub use disputes::{Dispute, DisputeFilter, dispute, disputes, why_closed};
pub use events::{
    EVENTS_AT_ONCE, Event, EventFilter, event, event_counts, events, events_since, objects_of_order, payload, replay,
};
pub use follow_ups::{FollowUp, FollowUpFilter, discard, follow_up, follow_ups, requeue};
pub use orders::{
    HistoryEntry, Order, OrderFilter, history, most_eventful_order, orders, orders_beginning_with, recent_order_ids,
};
pub use outcomes::{Outcome, Ratio, outcomes, ratios};
pub use payments::{
    Found, Hit, Payment, PaymentFilter, Person, Whose, find, last_link, link_payment, look_up, payment, payments,
    people, unlinked_payments,
};
pub use refund_requests::{
    RefundRequest, Refundee, Remainder, RequestFilter, cancel_refund_request, inquiries_left_open, refund_requests,
    remainder, request_of_key, request_refund,
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
///
/// With plans of its own for each call: a general one takes the filters that are left out for given.
pub const QUICK_SNAPSHOT: &str = "begin isolation level repeatable read read only; \
    set local statement_timeout = '3s'; set local plan_cache_mode = force_custom_plan";

/// Begins a transaction in which something is done that somebody waits for.
pub const QUICK: &str = "begin; set local statement_timeout = '3s'; set local lock_timeout = '2s'";

/// Which part of a list is read. Rows come in the order of the list, in both directions.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it begins or ends; none: it is the first page.
    pub from: Option<Edge>,
    /// Maximum rows.
    pub limit: i64,
}

/// The row next to a page, which is not part of it, by its id. Of a row that is not there, nothing follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The page follows this row.
    After(String),
    /// The page ends before this row.
    Before(String),
}

impl Page {
    /// From the beginning of the list.
    #[must_use]
    pub const fn first(limit: i64) -> Self {
        Self { from: None, limit }
    }

    /// The id of the row next to the page.
    fn edge(&self) -> Option<&str> {
        match &self.from {
            Some(Edge::After(id) | Edge::Before(id)) => Some(id),
            None => None,
        }
    }

    /// The same where ids are numbers, from 1 on: of one that is none, nothing follows.
    fn number(&self) -> Option<i64> {
        match &self.from {
            Some(Edge::After(id)) => Some(id.parse().unwrap_or(0)),
            Some(Edge::Before(id)) => Some(id.parse().unwrap_or(i64::MAX)),
            None => None,
        }
    }
}

/// Reads a page of a list: `query` selects and filters, and each way adds which side of the edge is wanted and the order.
/// The statement for [`Edge::Before`] reads away from the edge, so its rows are reversed.
macro_rules! page {
    ($conn:expr, $page:expr, $row:path, $query:literal, after: $after:literal, before: $before:literal, $($value:expr),+ $(,)?) => {
        match &$page.from {
            None | Some($crate::store::queries::Edge::After(_)) => {
                sqlx::query_as!($row, $query + $after, $($value),+).fetch_all($conn).await
            }
            Some($crate::store::queries::Edge::Before(_)) => {
                let rows = sqlx::query_as!($row, $query + $before, $($value),+).fetch_all($conn).await;
                rows.map(|mut rows| {
                    rows.reverse();
                    rows
                })
            }
        }
    };
}
use page;

//! What the service needs of the private schema when its role is not the owner.
//!
//! No right to create, alter or truncate, none to delete an event, a row of the change feed or an action, and none that
//! no statement of [`crate::store`] uses. Not here: what operators' commands and the console need besides.

/// What `clawback grants ROLE --service` grants.
pub(crate) const SERVICE: &[&str] = &[
    "usage on schema clawback",
    "select on clawback.migrations",
    // The ledger and pending work. Intake stores by a function.
    "select, update (state, payment_id, attempts, last_error, processed_at) on clawback.events",
    // The update is for locking rows: no statement changes a body.
    "select, update (event_id), delete on clawback.event_payloads",
    "select, update, delete on clawback.pending_events",
    "select, insert on clawback.failed_events",
    "select, delete on clawback.unvouched_events",
    // For `clawback doctor`.
    "select on clawback.erased_payments",
    // What is derived.
    "select, insert, update, delete on clawback.payments",
    "select, insert, update, delete on clawback.payment_objects",
    "select, insert, update on clawback.people",
    "select, insert, update, delete on clawback.orders",
    "select, insert on clawback.order_history",
    "select, insert, update, delete on clawback.refunds",
    "select, insert, update, delete on clawback.disputes",
    "select, insert, update, delete on clawback.fraud_warnings",
    "select, insert, update, delete on clawback.reviews",
    "select, insert, update, delete on clawback.follow_ups",
    // Operation.
    "select, insert, update on clawback.settings",
    "select, insert, update, delete on clawback.processors",
    "select, insert, update, delete on clawback.rebuilds",
    "select, update on clawback.retention",
    "select, insert, update on clawback.notices",
    // Calls to Stripe. Requests and drafts are made by functions.
    "select, insert, update, delete on clawback.api_calls",
    "select, insert, update on clawback.api_accounts",
    "select, insert, update, delete on clawback.api_keys",
    "select, insert, update on clawback.object_reads",
    "select, insert, update, delete on clawback.syncs",
    "select, update on clawback.refund_requests",
    "select, update on clawback.dispute_responses",
    "select, update on clawback.evidence_files",
    "execute on function clawback.store_events(text[], text[], text[], text[], boolean[], text[], bigint[], text[], boolean[])",
    "execute on function clawback.reap_follow_ups()",
    "execute on function clawback.record_action(text, text, text, text, jsonb)",
    "execute on function clawback.request_state(text)",
    "execute on function clawback.desk_tasks(boolean, double precision, double precision, text[], bigint[], text[])",
    "execute on function clawback.lock_dispute(text)",
    "execute on function clawback.why_closed(clawback.disputes)",
    "execute on function clawback.evidence_called_for(text, text)",
    "execute on function clawback.stage(clawback.disputes, jsonb, bigint, boolean)",
    "execute on function clawback.attach(clawback.disputes, text, text, text, bytea, bigint, boolean)",
    "execute on function clawback.stage_if_complete(clawback.dispute_responses)",
    "execute on function clawback.settle_responses(text[])",
    "execute on function clawback.record_pages(uuid, integer, text)",
    "execute on function clawback.withdraw_mend_evidence(text, text)",
    "execute on function clawback.submit_automatically(text, interval)",
    "execute on function clawback.announce_acceptance(text, bigint, text, interval)",
    "execute on function clawback.accept_automatically(text, bigint, text)",
    "execute on function clawback.let_stripe_respond(text, interval)",
    // What it reads as other services do.
    "select on clawback_v1.orders",
    "select on clawback_v1.payments",
    "select on clawback_v1.refunds",
    "select on clawback_v1.disputes",
    "select on clawback_v1.fraud_warnings",
    "select on clawback_v1.reviews",
    "select on clawback_v1.events",
    "select on clawback_v1.follow_ups",
    "select on clawback_v1.order_history",
    "select on clawback_v1.refund_requests",
    "select on clawback_v1.dispute_responses",
    "select on clawback_v1.actions",
];

/// Each table of the private schema with each right to it, and each function of it that is executed.
pub(crate) fn rights() -> (Vec<(&'static str, &'static str)>, Vec<&'static str>) {
    let (mut tables, mut functions) = (Vec::new(), Vec::new());
    for (rights, on) in SERVICE.iter().filter_map(|right| right.split_once(" on ")) {
        if let Some(function) = on.strip_prefix("function clawback.") {
            functions.extend(function.split('(').next());
        } else if let Some(table) = on.strip_prefix("clawback.") {
            let verbs = ["select", "insert", "update", "delete"].into_iter().filter(|verb| rights.contains(verb));
            tables.extend(verbs.map(|verb| (table, verb)));
        }
    }
    (tables, functions)
}
